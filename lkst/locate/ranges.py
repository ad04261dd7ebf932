# SPDX-License-Identifier: GPL-2.0-or-later
"""
Dump file of a program
----------------------

Which dump file a program reads, and which physical memory the file holds. drgn does not
export this, and probing it page by page takes minutes; the file's own index is immediate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
import struct

from drgn import Program, ProgramFlags

from lkst.dump import Dump, open_dump
from lkst.dump.elf import PT_LOAD, elf_segments
from lkst.errors import LkstError

__all__ = (
    "dump_of",
    "dump_path",
    "dumped_ranges",
    "memory_size",
    "program_ranges",
    "set_dump",
)

#: Assumed if the size of the memory is not known.
_MAX_MEMORY = 1 << 46

_BEHIND = "lkst_dump"


@dataclass
class _Behind:
    path: Path | None
    ranges: list[tuple[int, int]] = field(default_factory=list)
    dump: Dump | None = None
    #: Whether the file was examined.
    opened: bool = False


def set_dump(
    prog: Program,
    path: Path | None,
    ranges: Sequence[tuple[int, int]] = (),
    dump: Dump | None = None,
) -> None:
    """
    Record the dump of a program, which drgn does not know.

    :param path: of the dump file, if it is one
    :param ranges: physical memory that the machine has: first and last addresses
    :param dump: the file, if it is open
    """
    prog.cache[_BEHIND] = _Behind(path, list(ranges), dump, dump is not None)


def _behind(prog: Program) -> _Behind:
    if _BEHIND not in prog.cache:
        path = prog.core_dump_path
        prog.cache[_BEHIND] = _Behind(Path(os.fsdecode(path)) if path else None)
    found: _Behind = prog.cache[_BEHIND]
    return found


def dump_path(prog: Program) -> Path | None:
    """Return the path of the dump file of a program, if it has one."""
    return _behind(prog).path


def dump_of(prog: Program) -> Dump | None:
    """Return the dump file of a program, if it has one that can be opened."""
    behind = _behind(prog)
    live = prog.flags & ProgramFlags.IS_LIVE
    if not behind.opened and behind.path is not None and not live:
        behind.opened = True
        try:
            dump = open_dump([behind.path])
        except LkstError:
            return None
        # For a raw memory image crash(8) creates a file with only a header, and names that.
        if dump.ranges():
            behind.dump = dump
    return behind.dump


def program_ranges(prog: Program) -> list[tuple[int, int]]:
    """
    Return the ranges of physical memory of a program.

    :return: first and last address of each range, in order
    """
    behind = _behind(prog)
    dump = dump_of(prog)
    if dump is not None:
        return dump.ranges()
    if behind.path is not None and prog.flags & ProgramFlags.IS_LIVE:
        try:
            return _live_ranges(behind.path)
        except (OSError, ValueError, struct.error):
            pass
    return behind.ranges or [(0, _MAX_MEMORY - 1)]


def _live_ranges(path: Path) -> list[tuple[int, int]]:
    """Read the program headers of /proc/kcore, which has no size."""
    with path.open("rb") as file:
        return sorted(
            (segment.physical, segment.physical + segment.size - 1)
            for segment in elf_segments(lambda offset, size: os.pread(file.fileno(), size, offset))
            if segment.kind == PT_LOAD and segment.size
            if segment.physical + segment.size <= 1 << 64
        )


def dumped_ranges(path: Path) -> list[tuple[int, int]]:
    """
    Read which ranges of physical memory a dump holds.

    :return: first and last address of each, in order
    :raises LkstError: if the file is none of the formats, or is damaged
    """
    return open_dump([path]).ranges()


def memory_size(ranges: Sequence[tuple[int, int]]) -> int:
    """
    Return the upper bound of the memory's size in bytes: the highest address, plus one.

    A dump holds less, since makedumpfile excludes pages.
    """
    return max((last + 1 for _, last in ranges), default=0)
