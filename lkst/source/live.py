# SPDX-License-Identifier: GPL-2.0-or-later
"""
The recorder of this machine
----------------------------

Read the running recorder through its pinned maps.
"""

import bisect
from collections.abc import Callable
import functools
import os
from pathlib import Path

from lkst.abi import layout
from lkst.abi.control import read_control
from lkst.decode.catalogue import Header
from lkst.decode.image import BufferImage, Image
from lkst.errors import LkstError
from lkst.live import machine
from lkst.live.recorder import BufferMap, Recorder
from lkst.trace.facts import ClockReading, Facts, Names
from lkst.trace.trace import Trace, build_trace

__all__ = ("live_clock", "live_facts", "open_live", "read_image")


#: User space reads two clocks one after the other, and may be interrupted in between.
_CLOCK_ERROR_NS = 10_000_000


def open_live() -> list[Trace]:
    """
    Read what the running recorder holds now.

    :raises NotFound: if none runs
    :raises LkstError: if this user may not
    """
    with Recorder() as recorder:
        image = read_image(recorder)
    return [build_trace(image, live_facts())]


def read_image(recorder: Recorder) -> Image:
    """Copy the memory of a recorder that runs."""
    before = recorder.cpus()
    rings = [(buffer, buffer.rings()) for buffer in recorder.buffers()]
    cpus = recorder.cpus()
    control = recorder.control()
    return Image(
        # Read after the rings, so that it has the probes of all records.
        catalogue=recorder.catalogue_now(),
        buffers=[
            _buffer(buffer, data, before, cpus, control, recorder.header) for buffer, data in rings
        ],
        cpus=cpus,
        control=control,
        counts=recorder.counts(),
        suppressed=recorder.misses(),
    )


def _buffer(
    buffer: BufferMap, rings: bytes, before: bytes, cpus: bytes, control: bytes, header: Header
) -> BufferImage:
    state = "written"
    parsed = read_control(control)
    if parsed and parsed.buffer[buffer.number].state == layout.BUFFER_STATES.index("spare"):
        state = "spare"
    return BufferImage(
        number=buffer.number,
        name=buffer.name,
        state=state,
        nr_slots=buffer.nr_slots,
        rings=rings,
        places=layout.places(cpus, header.cpu_size, buffer.number),
        heads_before=[
            place.head for place in layout.places(before, header.cpu_size, buffer.number)
        ],
    )


def live_facts() -> Facts:
    """Return the facts about this machine."""
    uname = os.uname()
    return Facts(
        source="live",
        kind="live",
        release=uname.release,
        version=uname.version,
        machine=uname.nodename,
        arch=uname.machine,
        clock=live_clock(),
        task_name=_task_name,
        names=_names(),
    )


def live_clock() -> ClockReading:
    """Read this machine's clocks."""
    clock = machine.read_clock()
    return ClockReading(clock.monotonic, clock.real_offset, _CLOCK_ERROR_NS, "this machine's clock")


def _task_name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8", errors="surrogateescape").rstrip("\n")
    except OSError:
        return ""


def _names() -> Names:
    """Read names from this kernel's memory if it is readable, else only its symbols."""
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
