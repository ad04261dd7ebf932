# SPDX-License-Identifier: GPL-2.0-or-later
"""
Notes of a dump
---------------

The ELF notes of a dump file: the registers of each CPU. If a hypervisor saved them they are
nowhere in the dump's memory. drgn uses them but does not export them.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lkst.dump.notes import ByteOrder, elf_note, elf_notes

__all__ = ("Note", "parse_notes")

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
        """Return its bytes."""
        return elf_note(self.name, self.kind, self.data, byte_order)


def parse_notes(section: bytes, byte_order: ByteOrder) -> Iterator[Note]:
    """Parse a section of notes up to the first damage; yield those that are kept."""
    for name, kind, data in elf_notes(section, byte_order):
        if name in _NAMES and len(data) <= _MAX_NOTE:
            yield Note(name, kind, data)
