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
from pathlib import Path
import struct

import numpy as np

from lkst.locate.dumpfile import Read, elf_segments, open_dump

__all__ = ("dumped_ranges", "memory_size")

_PT_LOAD = 1
_MAX_BITMAP = 1 << 32


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
        if kind == _PT_LOAD and size and physical + size <= 1 << 64:
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
