# SPDX-License-Identifier: GPL-2.0-or-later
"""
The recorder of this machine
----------------------------

Read through its pinned maps, while it runs.
"""

import bisect
from collections.abc import Callable
import functools
import os
from pathlib import Path

from lkst.decode.image import Image
from lkst.errors import LkstError
from lkst.record.pins import Recorder
from lkst.trace.build import build_trace
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace

__all__ = ("open_live",)


def open_live() -> list[Trace]:
    """
    Read what the running recorder holds now.

    :raises NotFound: if none runs
    :raises LkstError: if this user may not
    """
    with Recorder() as recorder:
        heads = recorder.heads()
        rings = recorder.rings()
        image = Image(
            catalogue=recorder.catalogue.raw,
            rings=rings,
            cpus=recorder.cpus(),
            control=recorder.control(),
            suppressed=recorder.misses(),
            heads_before=heads,
        )
    return [build_trace(image, _facts())]


def _facts() -> Facts:
    uname = os.uname()
    return Facts(
        source="live",
        kind="live",
        release=uname.release,
        version=uname.version,
        machine=uname.nodename,
        arch=uname.machine,
        task_name=_task_name,
        names=_names(),
    )


def _task_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").rstrip("\n")
    except OSError:
        return ""


def _names() -> Names:
    """Take names out of this kernel's memory where it can be read, else its symbols only."""
    # Reading kernel memory takes drgn and /proc/kcore; without, numbers stay numbers.
    from drgn import FaultError

    from drgn_plugins.lkst_btf import BTFError, attach_btf, find_kallsyms
    from lkst.locate.names import read_names
    from lkst.source.program import open_program

    try:
        prog = open_program("kcore")
        attach_btf(prog)
        return read_names(prog, find_kallsyms)
    except (BTFError, FaultError, LkstError, LookupError):
        return Names(symbol=_symbol_finder())


def _symbol_finder() -> Callable[[int], str | None]:
    @functools.cache
    def symbols() -> tuple[list[int], list[str]]:
        found = []
        with Path("/proc/kallsyms").open() as lines:
            for line in lines:
                address, _, name, *module = line.split()
                if not module:
                    found.append((int(address, 16), name))
        found.sort(key=lambda symbol: symbol[0])
        return [address for address, _ in found], [name for _, name in found]

    def symbol(address: int) -> str | None:
        addresses, names = symbols()
        index = bisect.bisect_right(addresses, address) - 1
        if index < 0 or not addresses[index] or index == len(names) - 1:
            return None
        return f"{names[index]}+{address - addresses[index]:#x}"

    return symbol
