# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kdump-compressed dumps
----------------------

Writes the format of makedumpfile, header version 6, with zlib: see
``diskdump_mod.h`` and ``IMPLEMENTATION`` in makedumpfile, ``diskdump.h`` in crash.
In units of a page ("block") a file is

* ``struct disk_dump_header``,
* ``struct kdump_sub_header``, then ELF notes, VMCOREINFO among them,
* two bitmaps over all page numbers, lowest bit first: pages that exist, and
  pages that are here; holes of the file where they are empty,

and then, without gaps, a ``struct page_desc`` for each page that is here, and
the pages' data. Pages of the same contents share theirs.

The library kdumpling (0.4) writes this format for tests of libraries. It is not
used because it marks every page as compressed with snappy, says one bitmap
where there are two, makes up host and kernel in the header, and writes bitmaps
of empty address space in full.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
import struct
from typing import IO
import zlib

from lkst.dump.notes import ByteOrder, elf_note

__all__ = ("Dump", "Uts", "write_dump")


#: struct disk_dump_header up to nr_cpus
_HEADER = "8si65s65s65s65s65s65s6xqqIiiIIIIIIi"
#: struct kdump_sub_header
_SUB_HEADER = "qiiQQqQqQqQQQQ"
#: struct page_desc
_DESCRIPTOR = "qIIQ"

_SIGNATURE = b"KDUMP   "
_VERSION = 6
_ZLIB = 1  # DUMP_DH_COMPRESSED_ZLIB
_LEVEL = 6  # 9 saves another 0.3 %
# Everything that makedumpfile can leave out is left out, save pages of zeros.
_DUMP_LEVEL = 30
_MAX_32 = (1 << 32) - 1


@dataclass(frozen=True)
class Uts:
    """struct new_utsname."""

    sysname: str = "Linux"
    nodename: str = ""
    release: str = ""
    version: str = ""
    machine: str = ""
    domainname: str = ""


@dataclass(frozen=True)
class Dump:
    """What a dump holds."""

    #: Contents by page number; all of one size, a power of two.
    pages: Mapping[int, bytes]
    page_size: int
    byte_order: ByteOrder
    uts: Uts
    #: The text of VMCOREINFO.
    vmcoreinfo: bytes
    #: ELF notes other than VMCOREINFO.
    notes: bytes = b""
    #: Registers that the notes hold, by CPUs; crash(8) wants at least one.
    nr_cpus: int = 1
    #: Physical address of the kernel minus its link address (x86).
    phys_base: int = 0
    #: Time of the crash, in s since 1970.
    time: int = 0


def write_dump(file: IO[bytes], dump: Dump) -> int:
    """
    Write a dump to an empty file.

    :return: its size in bytes
    """
    block = dump.page_size
    notes, vmcoreinfo_offset = _notes(dump)
    sub_header_size = struct.calcsize("=" + _SUB_HEADER)
    sub_header_blocks = _blocks(sub_header_size + len(notes), block)
    note_offset = block + sub_header_size
    max_pfn = max(dump.pages, default=-1) + 1
    bitmap_blocks = _blocks(_blocks(max_pfn, 8), block)

    file.write(_header(dump, sub_header_blocks, bitmap_blocks * 2, max_pfn))
    file.seek(block)
    file.write(
        struct.pack(
            dump.byte_order + _SUB_HEADER,
            dump.phys_base,
            _DUMP_LEVEL,
            0,  # split
            0,  # start_pfn
            min(max_pfn, _MAX_32),
            note_offset + vmcoreinfo_offset,
            len(dump.vmcoreinfo),
            note_offset,
            len(notes),
            0,  # offset_eraseinfo
            0,  # size_eraseinfo
            0,  # start_pfn_64
            max_pfn,
            max_pfn,
        )
    )
    file.write(notes)
    first = (1 + sub_header_blocks) * block
    for bitmap in range(2):
        for number, bits in _bitmap(dump.pages, block):
            file.seek(first + (bitmap * bitmap_blocks + number) * block)
            file.write(bits)
    descriptors = first + 2 * bitmap_blocks * block
    file.seek(descriptors)
    for part in _pages(dump, descriptors):
        file.write(part)
    return file.tell()


def _blocks(size: int, block: int) -> int:
    return -(-size // block)


def _notes(dump: Dump) -> tuple[bytes, int]:
    """Concatenate the notes; also return the offset of VMCOREINFO's text in them."""
    note = elf_note(b"VMCOREINFO", 0, dump.vmcoreinfo, dump.byte_order)
    text = note.rindex(dump.vmcoreinfo)
    return dump.notes + note, len(dump.notes) + text


def _header(dump: Dump, sub_header_blocks: int, bitmap_blocks: int, max_pfn: int) -> bytes:
    uts = dump.uts
    names = (uts.sysname, uts.nodename, uts.release, uts.version, uts.machine, uts.domainname)
    return struct.pack(
        dump.byte_order + _HEADER,
        _SIGNATURE,
        _VERSION,
        # The last byte of each is zero.
        *(name.encode("utf-8", "replace")[:64] for name in names),
        dump.time,
        0,  # microseconds
        _ZLIB,
        dump.page_size,
        sub_header_blocks,
        bitmap_blocks,
        min(max_pfn, _MAX_32),
        len(dump.pages),  # total_ram_blocks
        0,  # device_blocks
        len(dump.pages),  # written_blocks
        0,  # current_cpu
        dump.nr_cpus,
    )


def _bitmap(numbers: Iterable[int], block: int) -> Iterator[tuple[int, bytes]]:
    """Yield the blocks of a bitmap that are not empty, with their numbers."""
    blocks: dict[int, bytearray] = {}
    for number in numbers:
        index, bit = divmod(number, block * 8)
        blocks.setdefault(index, bytearray(block))[bit // 8] |= 1 << bit % 8
    for index in sorted(blocks):
        yield index, bytes(blocks[index])


def _pages(dump: Dump, start: int) -> Iterator[bytes]:
    """
    Yield the descriptors, then the data.

    :param start: where in the file they begin
    """
    pack = struct.Struct(dump.byte_order + _DESCRIPTOR).pack
    descriptors = []
    parts = []
    offset = start + struct.calcsize("=" + _DESCRIPTOR) * len(dump.pages)
    written: dict[bytes, bytes] = {}
    for number in sorted(dump.pages):
        page = dump.pages[number]
        descriptor = written.get(page)
        if descriptor is None:
            data = zlib.compress(page, _LEVEL)
            flags = _ZLIB
            if len(data) >= len(page):
                data, flags = page, 0
            descriptor = written[page] = pack(offset, len(data), flags, 0)
            parts.append(data)
            offset += len(data)
        descriptors.append(descriptor)
    yield b"".join(descriptors)
    yield from parts
