# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs
--------

Whatever drgn can read: a vmcore, /proc/kcore, a QEMU guest, and the program that
somebody else has opened.
"""

from collections.abc import Iterable, Iterator
import contextlib
import os

from drgn import FaultError, Program, ProgramFlags

from drgn_plugins.lkst_btf import BTFError, attach_btf, find_kallsyms
from lkst.decode.image import Image
from lkst.errors import Damaged
from lkst.locate.facts import read_facts
from lkst.locate.grab import grab_list
from lkst.locate.maps import find_recorders
from lkst.locate.ranges import dump_path, memory_size, program_ranges
from lkst.trace.build import build_trace
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace

__all__ = ("grab_list_of", "open_program", "read_traces", "without_plugins")

Ranges = list[tuple[int, int]]

#: Of which plugins drgn is to stay away (drgn's documentation: "Plugins").
_DISABLE = "DRGN_DISABLE_PLUGINS"


def open_program(source: str) -> Program:
    """
    Open a source that drgn reads.

    :param source: path of a vmcore, ``kcore``, ``qemu:ADDRESS``
    :raises Damaged: if drgn cannot read it
    """
    prog = Program()
    try:
        with without_plugins():
            _set(prog, source)
    except Exception as error:  # drgn has no type for what libkdumpfile refuses.
        raise Damaged(f"{source}: {_reason(error)}") from error
    if not prog.flags & ProgramFlags.IS_LINUX_KERNEL:
        raise Damaged(f"{source}: not a dump of a Linux kernel (no VMCOREINFO)")
    return prog


def _set(prog: Program, source: str) -> None:
    if source == "kcore":
        prog.set_kernel()
    elif source.startswith("qemu:"):
        prog.set_qemu_qmp(source.removeprefix("qemu:"))
    else:
        prog.set_core_dump(source)


@contextlib.contextmanager
def without_plugins() -> Iterator[None]:
    """
    Have drgn load no plugins but those that DRGN_PLUGINS asks for.

    They are for who works in drgn; to find and import them takes longer than to open a dump.
    """
    given = os.environ.get(_DISABLE)
    os.environ[_DISABLE] = "*" if given is None else given
    try:
        yield
    finally:
        if given is None:
            del os.environ[_DISABLE]


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or " ".join(str(error).split())


def read_traces(prog: Program, source: str) -> list[Trace]:
    """
    Read the traces of all recorders that a kernel's memory holds, the newest first.

    :param source: what to call it
    """
    notes: list[str] = []
    ranges = program_ranges(prog)
    grabbed = grab_list_of(prog)
    images = _read_grab(prog, grabbed, ranges, notes) if grabbed else _find(prog, ranges, notes)
    if not images and (grabbed or notes or not prog.flags & ProgramFlags.IS_LIVE):
        from lkst.locate.carve import carve_recorders

        images = list(carve_recorders(prog, ranges))
    facts = _facts(prog, source, notes)
    traces = _build(images, facts)
    if not traces and notes:
        raise Damaged(f"{source}: no recorder was found, and {notes[0]}")
    return sorted(traces, key=lambda trace: trace.header.start, reverse=True)


def _find(prog: Program, ranges: Ranges, notes: list[str]) -> list[Image]:
    try:
        attach_btf(prog)
        return list(find_recorders(prog, memory_size(ranges), notes))
    except (BTFError, FaultError, LookupError, ValueError, TypeError) as error:
        notes.append(f"the kernel's own tables cannot be used: {_reason(error)}")
        return []


def grab_list_of(prog: Program) -> str | None:
    """Read the list of pages by which a grab was taken; None: this is no grab."""
    path = dump_path(prog)
    return grab_list(path) if path else None


def _read_grab(prog: Program, listed: str, ranges: Ranges, notes: list[str]) -> list[Image]:
    from lkst.locate.grab import read_listed

    try:
        attach_btf(prog)
    except (BTFError, FaultError, LookupError, ValueError, TypeError) as error:
        notes.append(f"the kernel's names are not in this grab: {_reason(error)}")
    try:
        image = read_listed(prog, listed, memory_size(ranges))
    except (Damaged, FaultError) as error:
        notes.append(f"its list of pages cannot be used: {_reason(error)}")
        return []
    return [] if image is None else [image]


def _facts(prog: Program, source: str, notes: list[str]) -> Facts:
    facts = read_facts(prog, find_kallsyms)
    facts.source = source
    facts.kind = (
        source.split(":")[0] if source == "kcore" or source.startswith("qemu:") else "vmcore"
    )
    facts.notes.extend(notes)
    return facts


def _build(images: Iterable[Image], facts: Facts) -> list[Trace]:
    traces = []
    for image in images:
        try:
            traces.append(build_trace(image, facts))
        except Damaged as error:
            facts.notes.append(str(error))
    return traces
