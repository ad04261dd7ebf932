# SPDX-License-Identifier: GPL-2.0-or-later
"""
Dump files
----------

The outside of a dump file, as far as drgn, which reads the dumps, does not tell:
which format it has, and where its parts lie.

* ELF: elf(5).
* kdump-compressed: ``struct disk_dump_header`` and ``struct kdump_sub_header``
  of makedumpfile's diskdump_mod.h.
* flattened: the latter, cut into stretches with an offset and a size in front
  (``struct makedumpfile_data_header``).
"""

from collections.abc import Callable, Iterator
import struct
from typing import IO, Literal, NamedTuple

__all__ = (
    "PT_LOAD",
    "PT_NOTE",
    "ByteOrder",
    "Read",
    "Segment",
    "elf_notes",
    "elf_segments",
    "open_dump",
)

PT_LOAD = 1
PT_NOTE = 4

ByteOrder = Literal["<", ">"]

#: Reads so many bytes from an offset in the dump; fewer at its end.
Read = Callable[[int, int], bytes]

_FLAT_HEADER = 4096
_MAX_STRETCHES = 1 << 24
_MAX_SEGMENTS = 1 << 20
_PN_XNUM = 0xFFFF


class Segment(NamedTuple):
    """A program header of an ELF dump."""

    #: PT_LOAD, PT_NOTE, ...
    kind: int
    #: In the file, in bytes.
    offset: int
    physical: int
    #: In the file, in bytes.
    size: int


def open_dump(file: IO[bytes]) -> tuple[Literal["elf", "kdump"], Read]:
    """
    Tell what a dump is, and how to read it.

    :raises ValueError: if it is none
    :raises struct.error: if it is cut off
    """

    def read_plain(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    read: Read = read_plain
    magic = read(0, 16)
    if magic.startswith(b"\x7fELF"):
        return "elf", read
    if magic.startswith(b"makedumpfile\0"):
        read = _unflatten(read)
        magic = read(0, 16)
    if magic.startswith(b"KDUMP   "):
        return "kdump", read
    raise ValueError("not a dump")


def _unflatten(read: Read) -> Read:
    """Give a function that reads as if the stretches lay where they belong."""
    stretches: list[tuple[int, int, int]] = []
    place = _FLAT_HEADER
    while len(stretches) < _MAX_STRETCHES:
        offset, size = struct.unpack(">qq", read(place, 16))
        if offset < 0 or size <= 0:
            break
        stretches.append((offset, size, place + 16))
        place += 16 + size

    def read_stretches(offset: int, size: int) -> bytes:
        data = bytearray(size)
        end = offset
        # Later stretches were written over earlier ones.
        for start, length, where in stretches:
            low, high = max(start, offset), min(start + length, offset + size)
            if low < high:
                part = read(where + low - start, high - low)
                data[low - offset : low - offset + len(part)] = part
                end = max(end, low + len(part))
        return bytes(data[: end - offset])

    return read_stretches


def elf_segments(read: Read, byte_order: ByteOrder = "<") -> Iterator[Segment]:
    """
    Read the program headers of a 64-bit ELF dump.

    :raises ValueError: if it is no such file
    :raises struct.error: if it is cut off
    """
    header = read(0, 64)
    if header[4:6] != (b"\2\1" if byte_order == "<" else b"\2\2"):
        raise ValueError("not a 64-bit ELF file of this byte order")
    table, sections = struct.unpack_from(byte_order + "QQ", header, 32)
    size, count = struct.unpack_from(byte_order + "HH", header, 54)
    if count == _PN_XNUM:  # The first section header has the number.
        (count,) = struct.unpack(byte_order + "I", read(sections + 44, 4))
    if size < 56 or count > _MAX_SEGMENTS:
        raise ValueError("the ELF header is damaged")
    for index in range(count):
        entry = read(table + index * size, 56)
        kind, offset, physical, length = struct.unpack(byte_order + "I4xQ8xQQ16x", entry)
        yield Segment(kind, offset, physical, length)


def elf_notes(section: bytes, byte_order: ByteOrder = "<") -> Iterator[tuple[bytes, int, bytes]]:
    """
    Take a section of notes apart, as far as it is good.

    :return: name, type and content of each
    """
    header = struct.Struct(byte_order + "III")
    offset = 0
    while offset + header.size <= len(section):
        name_size, size, kind = header.unpack_from(section, offset)
        start = offset + header.size + (name_size + 3) // 4 * 4
        end = start + size
        if not name_size or end > len(section):
            break
        name = section[offset + header.size : offset + header.size + name_size].rstrip(b"\0")
        yield name, kind, section[start:end]
        offset = start + (size + 3) // 4 * 4
