# SPDX-License-Identifier: GPL-2.0-or-later
"""
Notes of a dump
---------------

The ELF notes of a dump file: the registers of each CPU, which lie nowhere in the
dump's memory when a hypervisor has saved them. drgn uses them and does not give
them away.

Of the formats that drgn opens, those of :mod:`lkst.locate.dumpfile` are known here.
"""

from collections.abc import Iterator
from pathlib import Path
import struct
from typing import IO, NamedTuple

from lkst.locate.dumpfile import PT_NOTE, ByteOrder, Read, elf_notes, elf_segments, open_dump
from lkst.slice.kdump import elf_note

__all__ = ("Note", "parse_notes", "read_notes")

_MAX_NOTES = 1 << 26
#: Whose notes are kept. Those of QEMU would make libkdumpfile translate addresses by the
#: page tables of the process that was running, which are not in a slice.
_NAMES = (b"CORE", b"LINUX")
#: Larger notes are not registers but dumps of devices.
_MAX_NOTE = 8192


class Note(NamedTuple):
    """An ELF note."""

    name: bytes
    kind: int
    data: bytes

    def pack(self, byte_order: ByteOrder) -> bytes:
        """Give its bytes."""
        return elf_note(self.name, self.kind, self.data, byte_order)


def read_notes(path: Path, byte_order: ByteOrder) -> list[Note]:
    """
    Read the notes of a 64-bit dump that are about its CPUs.

    :param path: a dump of any format
    :return: none if there are none or the format is not known
    """
    try:
        with path.open("rb") as file:
            return list(parse_notes(_read_section(file, byte_order), byte_order))
    except (OSError, struct.error, ValueError, OverflowError):
        return []


def parse_notes(section: bytes, byte_order: ByteOrder) -> Iterator[Note]:
    """Take a section of notes apart, as far as it is good; give those that are kept."""
    for name, kind, data in elf_notes(section, byte_order):
        if name in _NAMES and len(data) <= _MAX_NOTE:
            yield Note(name, kind, data)


def _read_section(file: IO[bytes], byte_order: ByteOrder) -> bytes:
    kind, read = open_dump(file)
    if kind == "kdump":
        return _kdump_section(read, byte_order)
    return b"".join(
        read(segment.offset, segment.size)
        for segment in elf_segments(read, byte_order)
        if segment.kind == PT_NOTE and segment.size <= _MAX_NOTES
    )


def _kdump_section(read: Read, byte_order: ByteOrder) -> bytes:
    (version,) = struct.unpack(byte_order + "i", read(8, 4))
    (block,) = struct.unpack(byte_order + "i", read(428, 4))
    if version < 4 or not 0 < block <= 1 << 20:
        return b""
    offset, size = struct.unpack_from(byte_order + "48xqQ", read(block, 64))
    return read(offset, size) if size <= _MAX_NOTES else b""
