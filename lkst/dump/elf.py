# SPDX-License-Identifier: GPL-2.0-or-later
"""
ELF dumps
---------

Read elf(5) cores: /proc/vmcore, QEMU's and makedumpfile's dumps, grabs.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
import struct
from typing import NamedTuple

from lkst.dump.content import Content, Plain
from lkst.dump.dump import Dump, Missing, join_ranges
from lkst.dump.notes import ByteOrder, elf_notes

__all__ = (
    "PT_LOAD",
    "PT_NOTE",
    "ElfDump",
    "Read",
    "Segment",
    "core_header",
    "elf_segments",
)

PT_LOAD = 1
PT_NOTE = 4

#: Reads a number of bytes at an offset in the dump; fewer at its end.
Read = Callable[[int, int], bytes]

_MAX_NOTES = 1 << 27
_MAX_SEGMENTS = 1 << 20
_PN_XNUM = 0xFFFF
_HEADER_SIZE = 64
_ET_CORE = 4
#: DUMP_ELF_INCOMPLETE of makedumpfile's makedumpfile.h, in e_flags
_INCOMPLETE = 1
#: uname's machine, by e_machine and byte order.
_MACHINES = {
    (62, "<"): "x86_64",
    (183, "<"): "aarch64",
    (183, ">"): "aarch64_be",
    (21, "<"): "ppc64le",
    (21, ">"): "ppc64",
    (243, "<"): "riscv64",
    (22, ">"): "s390x",
}


class Segment(NamedTuple):
    """A program header of an ELF dump."""

    #: PT_LOAD, PT_NOTE, ...
    kind: int
    #: In the file, in bytes.
    offset: int
    physical: int
    #: In the file, in bytes.
    size: int


def elf_segments(read: Read, byte_order: ByteOrder = "<") -> Iterator[Segment]:
    """
    Read the program headers of a 64-bit ELF dump.

    :raises ValueError: if it is not such a file
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


def core_header(machine: str, byte_order: ByteOrder, notes: bytes) -> bytes:
    """
    Build an ELF core with notes and no memory.

    :param machine: machine name of uname(2), with a known ELF machine
    """
    number = next(number for (number, _), name in _MACHINES.items() if name == machine)
    ident = b"\x7fELF\2" + (b"\1" if byte_order == "<" else b"\2") + b"\1"
    numbers = (_ET_CORE, number, 1, 0, _HEADER_SIZE, 0, 0, _HEADER_SIZE, 56, 1, 0, 0, 0)
    start = _HEADER_SIZE + 56
    return b"".join(
        (
            struct.pack(byte_order + "16sHHIQQQIHHHHHH", ident, *numbers),
            struct.pack(byte_order + "IIQQQQQQ", PT_NOTE, 0, start, 0, 0, len(notes), 0, 4),
            notes,
        )
    )


class ElfDump(Dump):
    """A dump in an ELF file."""

    kind = "elf"

    def __init__(self, path: Path, content: Content) -> None:
        """
        Read the headers.

        :raises ValueError: if it is not a 64-bit core file
        :raises struct.error: if not even the headers are there
        """
        self.path = path
        self._content = content
        self.faults = []
        header = content.read(0, _HEADER_SIZE)
        self.byte_order = ">" if header[5:6] == b"\2" else "<"
        kind, machine = struct.unpack_from(self.byte_order + "HH", header, 16)
        (flags,) = struct.unpack_from(self.byte_order + "I", header, 48)
        if kind != _ET_CORE:
            raise ValueError("is an ELF file, but not a dump")
        self.machine = _MACHINES.get((machine, self.byte_order), "")
        # drgn does not open a flattened ELF file.
        self.plain = isinstance(content, Plain)
        segments = list(elf_segments(content.read, self.byte_order))
        loads = [s for s in segments if s.kind == PT_LOAD and s.size and _sane(s)]
        self._set_segments(loads)
        sections = [
            content.read(s.offset, s.size)
            for s in segments
            if s.kind == PT_NOTE and s.size <= _MAX_NOTES
        ]
        self.notes = b"".join(sections)
        for name, _, data in elf_notes(self.notes, self.byte_order):
            if name == b"VMCOREINFO":
                self.vmcoreinfo = data
        if flags & _INCOMPLETE:
            self.faults.append("is marked incomplete: makedumpfile could not write all of it")
        there = sum(last + 1 - first for first, last in self.ranges())
        meant = sum(
            last + 1 - first
            for first, last in join_ranges([(s.physical, s.physical + s.size - 1) for s in loads])
        )
        if there < meant:
            self.plain = False
            self.faults.append(
                f"is cut off: it has {there >> 20} of {-(-meant >> 20)} MiB of memory"
            )
        elif content.cut:
            self.faults.append("is cut off: its end mark is missing")

    def _set_segments(self, loads: list[Segment]) -> None:
        """Keep the present parts of the segments, sorted: start, end, offset in the file."""
        self._stretches: list[tuple[int, int, int]] = []
        end = 0
        for segment in sorted(loads, key=lambda s: s.physical):
            there = self._there(segment.offset, segment.size)
            start = max(segment.physical, end)  # Segments may overlap, as virtual memory does.
            if start < segment.physical + there:
                where = segment.offset + start - segment.physical
                end = segment.physical + there
                self._stretches.append((start, end, where))
        self._starts = [start for start, _, _ in self._stretches]

    def _there(self, offset: int, size: int) -> int:
        """Return how many bytes of a segment are in the file."""
        return max(0, min(size, self._content.size - offset))

    def ranges(self) -> list[tuple[int, int]]:
        return join_ranges([(start, end - 1) for start, end, _ in self._stretches])

    def read(self, address: int, size: int) -> bytes:
        parts = []
        end = address + size
        index = bisect_right(self._starts, address) - 1
        while address < end:
            if not 0 <= index < len(self._stretches):
                raise Missing(address)
            start, stop, where = self._stretches[index]
            if not start <= address < stop:
                raise Missing(address)
            length = min(end, stop) - address
            part = self._content.read(where + address - start, length)
            if len(part) < length:
                raise Missing(address + len(part))
            if length == size:
                return part
            parts.append(part)
            address += length
            index += 1
        return b"".join(parts)


def _sane(segment: Segment) -> bool:
    return segment.physical + segment.size <= 1 << 64 and segment.offset < 1 << 62
