# SPDX-License-Identifier: GPL-2.0-or-later
"""
Cutting a slice
---------------

Run everything that a replay reads through a program that records which pages of physical
memory are read; these pages make the slice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import re

from drgn import Architecture, FaultError, PlatformFlags, Program, ProgramFlags

from lkst.dump.notes import ByteOrder
from lkst.errors import Damaged, LkstError, NotFound, Usage
from lkst.locate.ranges import dump_of, dump_path, program_ranges
from lkst.locate.recorders import grab_list_of
from lkst.slice.check import difference, pids
from lkst.slice.kdump import Dump, Uts, write_dump
from lkst.slice.notes import Note, parse_notes
from lkst.slice.readers import read_crash_notes, read_kernel, read_recorders, read_stacks
from lkst.slice.reading import attempt
from lkst.slice.watched_memory import carving_view, watched_program
from lkst.source.program import open_program, read_traces
from lkst.source.source import Source, name_of_source
from lkst.trace.trace import Trace
from lkst.util.files import replacing
from lkst.util.progress import show_progress

__all__ = ("SliceResult", "cut_slice")

_NT_PRSTATUS = 1
_PAGE_SIZES = tuple(1 << shift for shift in range(12, 17))

#: What utsname.machine is where the kernel's own cannot be read.
_MACHINES = {
    Architecture.X86_64: "x86_64",
    Architecture.AARCH64: "aarch64",
    Architecture.PPC64: "ppc64",
    Architecture.RISCV64: "riscv64",
    Architecture.S390X: "s390x",
}


@dataclass(frozen=True)
class SliceResult:
    """A slice that was written."""

    path: Path
    #: Pages of memory that it holds, and their size in bytes.
    pages: int
    page_size: int
    #: Size of the file, in bytes.
    size: int
    #: What is missing of the original, a line for each.
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}: {self.size / 1e6:.1f} MB, {self.pages} pages of memory"


def cut_slice(source: Source | Program, target: Path) -> SliceResult:
    """
    Cut the smallest vmcore that still replays.

    :param source: path of a vmcore, paths of parts of a split one, ``kcore``,
        ``qemu:ADDRESS``, or an open program
    :param target: file to write; one that is there is replaced once all is well
    :raises NotFound: if the source holds no recorder
    :raises Damaged: if *source* cannot be read
    :raises LkstError: if *target* cannot be written
    """
    with show_progress() as report:
        return _cut(source, target, report)


def _cut(source: Source | Program, target: Path, report: Callable[[str], None]) -> SliceResult:
    if isinstance(source, Program):
        prog, name = source, str(dump_path(source) or "the kernel that is open")
    else:
        if source == "live":
            raise Usage("a slice is cut out of a vmcore, not out of the running recorder")
        for path in (source,) if isinstance(source, str) else source:
            _check_target(path, target)
        prog, name = open_program(source), name_of_source(source)
    _check_target(dump_path(prog), target)
    if grab_list_of(prog) is not None:
        raise Usage(f"{name}: is a grab, which holds little but the recorder: use 'lkst save'")
    report(f"Reading {name}")
    traces = read_traces(prog, name)
    if not traces:
        raise NotFound(f"{name}: contains no recorder")
    report("Collecting pages")
    dump = _collect(prog, name, traces)
    report(f"Writing {target}")
    with replacing(target) as file:
        size = write_dump(file, dump)
        file.flush()
        report(f"Checking {target}")
        _check(Path(file.name), target, prog, traces)
    original = dump_of(prog)
    faults = tuple(f"{name}: {fault}" for fault in (original.faults if original else ()))
    return SliceResult(target, len(dump.pages), dump.page_size, size, faults)


def _check_target(source: str | Path | None, target: Path) -> None:
    try:
        if source is not None and target.samefile(source):
            raise Usage(f"{target}: is the source itself: name another file")
    except OSError:
        pass  # One of them does not exist.
    if target.exists() and not target.is_file():
        raise Usage(f"{target}: is not a file")


def _collect(source: Program, name: str, traces: list[Trace]) -> Dump:
    """Read the contents of the slice."""
    platform = source.platform
    try:
        vmcoreinfo = source["VMCOREINFO"].string_()
    except (FaultError, LookupError):
        raise Damaged(f"{name}: has no VMCOREINFO") from None
    if platform is None or not platform.flags & PlatformFlags.IS_64_BIT:
        raise LkstError(f"{name}: only vmcores of 64-bit machines can be sliced")
    byte_order: ByteOrder = "<" if platform.flags & PlatformFlags.IS_LITTLE_ENDIAN else ">"
    page_size = _number(vmcoreinfo, rb"PAGESIZE=(\d+)")
    if page_size not in _PAGE_SIZES:
        raise Damaged(f"{name}: unsupported page size: {page_size} bytes")

    prog, memory = watched_program(source, vmcoreinfo, page_size)
    # A recorder that runs on is consistent only if its heads are read after its rings.
    memory.afresh = bool(source.flags & ProgramFlags.IS_LIVE)
    read_recorders(prog, carving_view(source, memory), source, lambda: program_ranges(source))
    memory.afresh = False
    read_kernel(prog, pids(traces))
    read_stacks(source, prog)
    notes = _notes(source, prog, byte_order)
    return Dump(
        pages=memory.pages,
        page_size=page_size,
        byte_order=byte_order,
        uts=_uts(prog, vmcoreinfo, _MACHINES.get(platform.arch, "")),
        vmcoreinfo=vmcoreinfo,
        notes=b"".join(note.pack(byte_order) for note in notes),
        nr_cpus=max(1, sum(note.kind == _NT_PRSTATUS for note in notes)),
        phys_base=_number(vmcoreinfo, rb"NUMBER\(phys_base\)=(-?\d+)"),
        time=_number(vmcoreinfo, rb"CRASHTIME=(\d+)"),
    )


def _number(vmcoreinfo: bytes, pattern: bytes) -> int:
    """Find a number in VMCOREINFO; 0 if it is not there."""
    found = re.search(rb"^" + pattern + rb"$", vmcoreinfo, re.MULTILINE)
    number = int(found[1]) if found else 0
    return number if -(1 << 63) <= number < 1 << 63 else 0


def _notes(source: Program, prog: Program, byte_order: ByteOrder) -> list[Note]:
    """Find the CPUs' registers: in the original's file, else in the kernel's memory."""
    dump = dump_of(source)
    notes = list(parse_notes(dump.notes, byte_order)) if dump is not None else []
    if not notes:
        try:
            for section in read_crash_notes(prog):
                notes.extend(parse_notes(section, byte_order))
        except (FaultError, LookupError):
            return []
    return notes


def _uts(prog: Program, vmcoreinfo: bytes, machine: str) -> Uts:
    """
    Read what the kernel calls itself.

    libkdumpfile wants a release, a version and a machine, whatever they are.
    """
    found: dict[str, str] = {}
    with attempt("utsname"):
        name = prog["init_uts_ns"].name
        for member in Uts.__dataclass_fields__:
            found[member] = name.member_(member).string_().decode("utf-8", "replace")
    release = re.search(rb"^OSRELEASE=(.+)$", vmcoreinfo, re.MULTILINE)
    return Uts(
        sysname="Linux",
        nodename=found.get("nodename", ""),
        release=found.get("release") or (release[1].decode("utf-8", "replace") if release else "?"),
        version=found.get("version") or "?",
        machine=found.get("machine") or machine or "?",
        domainname=found.get("domainname", ""),
    )


def _check(path: Path, target: Path, source: Program, traces: list[Trace]) -> None:
    """
    Replay the slice before it takes the place of an older one.

    :raises Damaged: if it does not show what the original shows
    """
    try:
        found = read_traces(open_program(str(path)), str(path))
    except (LkstError, FaultError) as error:
        why = str(error).removeprefix(f"{path}: ")
        raise Damaged(f"{target}: not written: the slice does not replay: {why}") from error
    if source.flags & ProgramFlags.IS_LIVE:
        # Memory has changed since.
        same = [trace.header for trace in traces] == [trace.header for trace in found]
        reason = None if same else "the recorders differ"
    else:
        dump = dump_of(source)
        reason = difference(traces, found, damaged=dump is not None and not dump.whole)
    if reason is not None:
        raise Damaged(f"{target}: not written: the slice does not replay the same: {reason}")
