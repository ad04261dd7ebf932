# SPDX-License-Identifier: GPL-2.0-or-later
"""
Ranges
------

Which physical memory a dump file holds. drgn reads the dumps, but does not say
what is in them, and asking it page by page takes minutes for what the file's
own index tells at once.

* ELF: program headers (elf(5)).
* kdump-compressed: the second bitmap behind the headers (``struct
  disk_dump_header`` and ``struct kdump_sub_header`` of makedumpfile's
  diskdump_mod.h), one bit for each page frame.
* flattened: the same, cut into pieces with an offset and a size in front
  (``struct makedumpfile_data_header``).
"""

import bisect
from collections.abc import Callable, Iterator
from pathlib import Path
import struct

import numpy as np

__all__ = ("dumped_ranges",)

_PT_LOAD = 1
_MAX_HEADERS = 1 << 20
_MAX_BITMAP = 1 << 32
_MAX_PIECES = 1 << 24
_PN_XNUM = 0xFFFF
_FLAT_HEADER = 4096

#: Reads from an offset in the dump; gives fewer bytes at its end.
Read = Callable[[int, int], bytes]


def dumped_ranges(path: Path) -> list[tuple[int, int]]:
    """
    Read which stretches of physical memory a dump holds.

    :return: first and last address of each, in order
    :raises ValueError: if the file is none of the formats, or is damaged
    :raises OSError: if it cannot be read
    """
    with path.open("rb") as file:

        def read(offset: int, size: int) -> bytes:
            file.seek(offset)
            return file.read(size)

        magic = read(0, 16)
        try:
            if magic.startswith(b"\x7fELF"):
                return sorted(_elf_ranges(read))
            if magic.startswith(b"KDUMP   "):
                return _kdump_ranges(read)
            if magic.startswith(b"makedumpfile\0"):
                return _kdump_ranges(_unflatten(read))
        except struct.error as error:
            raise ValueError("the dump is cut off") from error
    raise ValueError("not a dump")


def _elf_ranges(read: Read) -> Iterator[tuple[int, int]]:
    header = read(0, 64)
    if header[4:6] != b"\2\1":
        raise ValueError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    if count == _PN_XNUM:
        (sections,) = struct.unpack_from("<Q", header, 40)
        (count,) = struct.unpack("<I", read(sections + 44, 4))
    if size < 56 or count > _MAX_HEADERS:
        raise ValueError("the ELF header is damaged")
    for index in range(count):
        entry = read(table + index * size, 56)
        kind, _, _, _, physical, length, _, _ = struct.unpack("<IIQQQQQQ", entry)
        if kind == _PT_LOAD and length and physical + length <= 1 << 64:
            yield physical, physical + length - 1


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


def _unflatten(read: Read) -> Read:
    """Give a function that reads as if the pieces lay where they belong."""
    pieces: dict[int, tuple[int, int]] = {}
    position = _FLAT_HEADER
    while True:
        offset, size = struct.unpack(">qq", read(position, 16))
        if offset < 0 or size <= 0 or len(pieces) > _MAX_PIECES:
            break
        pieces[offset] = size, position + 16
        position += 16 + size
    starts = sorted(pieces)

    def read_pieces(offset: int, size: int) -> bytes:
        data = b""
        while len(data) < size:
            index = bisect.bisect_right(starts, offset + len(data)) - 1
            if index < 0:
                break
            length, where = pieces[starts[index]]
            skip = offset + len(data) - starts[index]
            part = (
                read(where + skip, min(length - skip, size - len(data))) if skip < length else b""
            )
            if not part:
                break
            data += part
        return data

    return read_pieces
