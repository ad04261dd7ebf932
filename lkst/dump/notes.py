# SPDX-License-Identifier: GPL-2.0-or-later
"""
ELF notes
---------

elf(5): an Elf64_Nhdr, a name and a content, each padded to four bytes.
"""

from collections.abc import Iterator
import struct
from typing import Literal

__all__ = ("ByteOrder", "elf_note", "elf_notes")

ByteOrder = Literal["<", ">"]


def elf_note(name: bytes, kind: int, data: bytes, byte_order: ByteOrder) -> bytes:
    """Pack an ELF note."""
    name += b"\0"
    return b"".join(
        (
            struct.pack(byte_order + "III", len(name), len(data), kind),
            name + bytes(-len(name) % 4),
            data + bytes(-len(data) % 4),
        )
    )


def elf_notes(section: bytes, byte_order: ByteOrder = "<") -> Iterator[tuple[bytes, int, bytes]]:
    """
    Parse a section of notes up to the first damage.

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
