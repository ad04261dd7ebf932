# SPDX-License-Identifier: GPL-2.0-or-later
"""
Ranges
------

Which physical memory a dump file holds. drgn does not say, and asking it page by
page takes minutes for what the file's own index tells at once: the program
headers of an ELF dump; of a kdump-compressed one the second bitmap behind the
headers, one bit for each page frame.
"""

from collections.abc import Iterator, Sequence
import os
from pathlib import Path
import struct

from drgn import Program
import numpy as np

from lkst.locate.dumpfile import PT_LOAD, Read, elf_segments, open_dump

__all__ = ("dump_path", "dumped_ranges", "memory_size", "program_ranges", "set_dump")

_MAX_BITMAP = 1 << 32
#: Of a machine that does not tell how much it has.
_MAX_MEMORY = 1 << 46

_DUMP = "lkst_dump"


def set_dump(prog: Program, path: Path | None, ranges: Sequence[tuple[int, int]]) -> None:
    """
    Tell what is behind a program on somebody else's memory, which drgn does not know.

    :param path: of the dump file, if it is one
    :param ranges: physical memory that the machine has: first and last addresses
    """
    prog.cache[_DUMP] = path, list(ranges)


def dump_path(prog: Program) -> Path | None:
    """Give the path of the dump file behind a program, if there is one."""
    if prog.core_dump_path:
        return Path(os.fsdecode(prog.core_dump_path))
    path: Path | None = prog.cache.get(_DUMP, (None,))[0]
    return path


def program_ranges(prog: Program) -> list[tuple[int, int]]:
    """
    Tell what physical memory there is behind a program.

    :return: first and last address of each stretch, in order
    """
    path = dump_path(prog)
    if path is not None:
        try:
            return dumped_ranges(path)
        except (OSError, ValueError):
            pass
    ranges: list[tuple[int, int]] = prog.cache.get(_DUMP, (None, []))[1]
    return ranges or [(0, _MAX_MEMORY - 1)]


def dumped_ranges(path: Path) -> list[tuple[int, int]]:
    """
    Read which stretches of physical memory a dump holds.

    :return: first and last address of each, in order
    :raises ValueError: if the file is none of the formats, or is damaged
    :raises OSError: if it cannot be read
    """
    with path.open("rb") as file:
        try:
            kind, read = open_dump(file)
            return sorted(_elf_ranges(read)) if kind == "elf" else _kdump_ranges(read)
        except struct.error as error:
            raise ValueError("the dump is cut off") from error


def _elf_ranges(read: Read) -> Iterator[tuple[int, int]]:
    for kind, _, physical, size in elf_segments(read):
        if kind == PT_LOAD and size and physical + size <= 1 << 64:
            yield physical, physical + size - 1


def _kdump_ranges(read: Read) -> list[tuple[int, int]]:
    version, block, sub_blocks, bitmap_blocks, frames = struct.unpack("<8xi416xiiiI", read(0, 444))
    if version >= 6:
        # The first number of frames has 32 bits only.
        (frames,) = struct.unpack("<Q", read(block + 96, 8))
    size = -(-frames // 8)
    half = bitmap_blocks // 2 * block
    if block <= 0 or sub_blocks < 0 or not 0 < size <= min(half, _MAX_BITMAP):
        raise ValueError("the kdump header is damaged")
    bitmap = read((1 + sub_blocks) * block + half, size)
    if len(bitmap) < size:
        raise ValueError("the dump is cut off")
    bits = np.unpackbits(np.frombuffer(bitmap, np.uint8), count=frames, bitorder="little")
    edges = np.flatnonzero(np.diff(bits, prepend=0, append=0)).tolist()
    return [
        (first * block, end * block - 1) for first, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def memory_size(ranges: Sequence[tuple[int, int]]) -> int:
    """
    Give how much memory there can be, in bytes: the highest address, plus one.

    What a dump holds is less, since pages that tell nothing are left out.
    """
    return max((last + 1 for _, last in ranges), default=0)
