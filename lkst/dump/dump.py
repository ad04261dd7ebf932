# SPDX-License-Identifier: GPL-2.0-or-later
"""
Dump
----

The interface of all readers of dump files.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from lkst.dump.notes import ByteOrder, elf_note, elf_notes
from lkst.errors import Damaged

__all__ = ("Dump", "Missing", "MissingLibrary", "join_ranges")

#: First and last address of ranges of physical memory, in order.
Ranges = Sequence[tuple[int, int]]


class Missing(Exception):
    """Memory that a dump does not hold; where the first missing byte is."""

    def __init__(self, address: int) -> None:
        super().__init__(f"physical memory at {address:#x} is not in the dump")
        self.address = address


class MissingLibrary(Damaged):
    """A dump cannot be read without a library that is not installed."""


class Dump(ABC):
    """A dump file, or several that belong together."""

    kind: Literal["elf", "kdump"]
    #: What the user named; the first of several.
    path: Path
    byte_order: ByteOrder = "<"
    #: ``utsname.machine`` of the kernel; empty if the file does not say.
    machine: str = ""
    #: What is wrong with the file or missing of it, a line for each.
    faults: list[str]
    #: Whether drgn can read the file: it is whole, plain and uncompressed.
    plain: bool = True
    #: Content of the ELF notes.
    notes: bytes = b""
    #: The text of VMCOREINFO; empty if the file does not have it.
    vmcoreinfo: bytes = b""

    @abstractmethod
    def ranges(self) -> list[tuple[int, int]]:
        """Return the ranges of physical memory in the dump."""

    @abstractmethod
    def read(self, address: int, size: int) -> bytes:
        """
        Read physical memory.

        :raises Missing: if any of it is missing
        """

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults

    def cpu_notes(self) -> bytes:
        """The notes other than VMCOREINFO: the CPUs' registers, up to the first damage."""
        return b"".join(
            elf_note(name, kind, data, self.byte_order)
            for name, kind, data in elf_notes(self.notes, self.byte_order)
            if name != b"VMCOREINFO"
        )

    def pieces(self, size: int) -> Iterator[tuple[int, bytes]]:
        """
        Read all memory that is there.

        :param size: of each piece at most, in bytes
        :return: address and content of each piece
        """
        for first, last in self.ranges():
            for address in range(first, last + 1, size):
                try:
                    yield address, self.read(address, min(size, last + 1 - address))
                except Missing:
                    continue


def join_ranges(ranges: Ranges) -> list[tuple[int, int]]:
    """Sort ranges, and join those that touch or overlap."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    return joined
