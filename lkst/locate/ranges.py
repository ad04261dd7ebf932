# SPDX-License-Identifier: GPL-2.0-or-later
"""
What is behind a program
------------------------

Which dump file, and which physical memory it holds. drgn does not say, and asking it
page by page takes minutes for what the file's own index tells at once.
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

#: Of a machine that does not tell how much it has.
_MAX_MEMORY = 1 << 46

_BEHIND = "lkst_dump"


@dataclass
class _Behind:
    path: Path | None
    ranges: list[tuple[int, int]] = field(default_factory=list)
    dump: Dump | None = None
    #: Whether the file was looked at.
    opened: bool = False


def set_dump(
    prog: Program,
    path: Path | None,
    ranges: Sequence[tuple[int, int]] = (),
    dump: Dump | None = None,
) -> None:
    """
    Tell what is behind a program, which drgn does not know or say.

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
    """Give the path of the dump file behind a program, if there is one."""
    return _behind(prog).path


def dump_of(prog: Program) -> Dump | None:
    """Give the dump file behind a program, if there is one that can be opened."""
    behind = _behind(prog)
    live = prog.flags & ProgramFlags.IS_LIVE
    if not behind.opened and behind.path is not None and not live:
        behind.opened = True
        try:
            dump = open_dump([behind.path])
        except LkstError:
            return None
        # crash(8) makes a header alone for an image of memory, and names that.
        if dump.ranges():
            behind.dump = dump
    return behind.dump


def program_ranges(prog: Program) -> list[tuple[int, int]]:
    """
    Tell what physical memory there is behind a program.

    :return: first and last address of each stretch, in order
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
    Read which stretches of physical memory a dump holds.

    :return: first and last address of each, in order
    :raises LkstError: if the file is none of the formats, or is damaged
    """
    return open_dump([path]).ranges()


def memory_size(ranges: Sequence[tuple[int, int]]) -> int:
    """
    Give how much memory there can be, in bytes: the highest address, plus one.

    What a dump holds is less, since pages that tell nothing are left out.
    """
    return max((last + 1 for _, last in ranges), default=0)
