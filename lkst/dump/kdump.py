# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kdump-compressed dumps
----------------------

The format of makedumpfile and of QEMU: ``struct disk_dump_header``, ``struct
kdump_sub_header`` and ``struct page_desc`` of makedumpfile's diskdump_mod.h, and
IMPLEMENTATION there. In units of a page ("block"): the header; the sub header and what
it points to; two bitmaps over all page numbers, of which the second says which pages
are here; a descriptor for each page that is here, in their order; the pages' data.

A collector with little memory writes the second bitmap piece by piece behind the
pages that it describes. If it did not get that far, pages are there whose numbers are
not known. They are given numbers above all others: carving finds a recorder in them.
"""

from bisect import bisect_right
from pathlib import Path
import struct

import numpy as np
from numpy.typing import NDArray

from lkst.dump.codecs import KNOWN_FLAGS, unpack_page
from lkst.dump.content import Content, Plain
from lkst.dump.dump import Dump, Missing

__all__ = ("SIGNATURE", "KdumpDump")

SIGNATURE = b"KDUMP   "

_HEADER_SIZE = 464
_MAX_BLOCK = 1 << 20
_MAX_SUB_BLOCKS = 1 << 16
_MAX_FRAMES = 1 << 36
_MAX_NOTES = 1 << 27
_MAX_TEXT = 1 << 20
_INCOMPLETE = 8  # DUMP_DH_COMPRESSED_INCOMPLETE, in the header's status
_MAX_PAGES_KEPT = 1 << 14


class KdumpDump(Dump):
    """A kdump-compressed file, whole or not, or a part of a split one."""

    kind = "kdump"

    def __init__(self, path: Path, content: Content) -> None:
        """
        Read the headers and the index of the pages.

        :raises ValueError: if it is not such a file, or its headers are damaged
        :raises struct.error: if not even the headers are there
        """
        self.path = path
        self._content = content
        self._pages: dict[int, bytes] = {}
        self.faults = []
        self._read_headers()
        placed = self._read_bitmap()
        self._read_descriptors(placed)
        self.plain = self.plain and self.whole

    def _unpack(self, form: str, offset: int) -> tuple[int, ...]:
        size = struct.calcsize("=" + form)
        return struct.unpack(self.byte_order + form, self._content.read(offset, size))

    def _read_headers(self) -> None:
        header = self._content.read(0, _HEADER_SIZE)
        if len(header) < _HEADER_SIZE:
            raise struct.error("the header is cut off")
        (version,) = struct.unpack_from("<i", header, 8)
        self.byte_order = "<" if 0 < version < 1 << 16 else ">"
        (version,) = struct.unpack_from(self.byte_order + "i", header, 8)
        self.machine = header[272:337].split(b"\0")[0].decode("ascii", "replace")
        status, block, sub_blocks, bitmap_blocks, frames = struct.unpack_from(
            self.byte_order + "IiiII", header, 424
        )
        if (
            not 512 <= block <= _MAX_BLOCK
            or block & (block - 1)
            or not 0 <= sub_blocks <= _MAX_SUB_BLOCKS
        ):
            raise ValueError("the kdump header is damaged")
        self._block = block
        #: The same in all parts of a dump: names of the kernel and time.
        self.identity = header[12:402] + header[408:424] + self._content.read(block, 8)
        #: First page of a part of a split dump, and the one after the last.
        self.span: tuple[int, int] | None = None
        if version >= 2:
            self.span = self._read_span(version)
        if version >= 6:
            # The first number of frames has 32 bits only.
            (frames,) = self._unpack("Q", block + 96)
        self.frames = frames
        self._bitmaps = (1 + sub_blocks) * block
        self._bitmap_size = bitmap_blocks * block
        if not 0 < frames <= min(self._bitmap_size * 8, _MAX_FRAMES):
            raise ValueError("the kdump header is damaged")
        if version >= 3:
            offset, size = self._unpack("QQ", block + 32)
            self.vmcoreinfo = self._content.read(offset, min(size, _MAX_TEXT)).rstrip(b"\0")
            if len(self.vmcoreinfo) < size:
                self.vmcoreinfo = b""
        if version >= 4:
            offset, size = self._unpack("QQ", block + 48)
            if size <= _MAX_NOTES:
                self.notes = self._content.read(offset, size)
        if status & _INCOMPLETE:
            self.faults.append("is marked incomplete: makedumpfile could not write all of it")

    def _read_span(self, version: int) -> tuple[int, int] | None:
        block = self._block
        (split,) = self._unpack("i", block + 12)
        if not split:
            return None
        first, end = self._unpack("QQ", block + (80 if version >= 6 else 16))
        return first, end

    def _read_bitmap(self) -> NDArray[np.int64]:
        """Read which pages the file says that it has: their numbers."""
        half = self._bitmap_size // 2 // self._block * self._block
        size = -(-self.frames // 8)
        # There is one bitmap only if two of that size have no room.
        where = self._bitmaps + (half if size <= half else 0)
        data = self._content.read(where, size)
        bits = np.unpackbits(
            np.frombuffer(data, np.uint8),
            count=min(self.frames, 8 * len(data)),
            bitorder="little",
        )
        #: Pages of the whole dump before this part, and in all.
        self.before, self.total = 0, int(np.count_nonzero(bits))
        numbers: NDArray[np.int64] = np.flatnonzero(bits)
        if self.span is not None:
            self.before = int(np.searchsorted(numbers, self.span[0]))
            numbers = numbers[self.before : int(np.searchsorted(numbers, self.span[1]))]
        return numbers

    def _read_descriptors(self, placed: NDArray[np.int64]) -> None:
        start = self._bitmaps + self._bitmap_size
        kind = np.dtype(
            [
                (name, self.byte_order + code)
                for name, code in (("offset", "i8"), ("size", "u4"), ("flags", "u4"), ("x", "u8"))
            ]
        )
        count = max(len(placed), self._count_descriptors(start, kind))
        data = self._content.read(start, count * kind.itemsize)
        found = np.frombuffer(data, kind, len(data) // kind.itemsize)
        offset, size = found["offset"].astype(np.int64), found["size"].astype(np.int64)
        good = (size > 0) & (size <= self._block) & np.isin(found["flags"], KNOWN_FLAGS)
        good &= offset >= start
        there = good & self._content.present(offset, size)
        numbers = placed[: len(found)]
        if len(found) > len(numbers):
            above = max(self.frames, self.total) + np.arange(len(found) - len(numbers))
            numbers = np.concatenate((numbers, above))
            unplaced = int(np.count_nonzero(there[len(placed) :]))
            if unplaced:
                self.faults.append(
                    f"its index of pages is incomplete: the addresses of {unplaced} pages are not"
                    " known"
                )
        self._numbers = numbers[there]
        self._offsets, self._sizes = offset[there], size[there]
        self._flags = found["flags"][there]
        #: How many pages this file should have, and has.
        self.meant, self.there = len(placed), int(np.count_nonzero(there[: len(placed)]))
        if self.there < self.meant:
            cut = self._content.cut or isinstance(self._content, Plain)
            self.faults.append(
                f"{'is cut off' if cut else 'has holes'}: {self.there} of {self.meant}"
                " pages of memory are there"
            )
        elif self._content.cut:
            self.faults.append("is cut off: its end mark is missing")
        self._index_runs()

    def _count_descriptors(self, start: int, kind: np.dtype[np.void]) -> int:
        """Count the descriptors by where the data of the first page begins, 0: not known."""
        first = self._content.read(start, kind.itemsize)
        if len(first) < kind.itemsize:
            return 0
        offset = int(np.frombuffer(first, kind)["offset"][0])
        count = (offset - start) // kind.itemsize
        return count if 0 < count <= self.frames else 0

    def _index_runs(self) -> None:
        """Note runs of pages that follow each other: first number, one after the last, index."""
        numbers = self._numbers
        breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
        firsts = np.concatenate(([0], breaks)) if len(numbers) else breaks
        ends = np.concatenate((breaks, [len(numbers)])) if len(numbers) else breaks
        self._first = numbers[firsts].tolist()
        self._end = (numbers[ends - 1] + 1).tolist() if len(numbers) else []
        self._index = firsts.tolist()

    def has(self, number: int) -> int:
        """Return the index of a page; -1 if the page is missing."""
        run = bisect_right(self._first, number) - 1
        if run < 0 or number >= self._end[run]:
            return -1
        index: int = self._index[run] + number - self._first[run]
        return index

    def page(self, number: int) -> bytes | None:
        """Read a page by its number; None if it is not there."""
        page = self._pages.get(number)
        if page is None:
            index = self.has(number)
            if index < 0:
                return None
            size = int(self._sizes[index])
            data = self._content.read(int(self._offsets[index]), size)
            page = unpack_page(int(self._flags[index]), data, self._block)
            if page is None:
                return None
            if len(self._pages) >= _MAX_PAGES_KEPT:
                self._pages.clear()
            self._pages[number] = page
        return page

    def ranges(self) -> list[tuple[int, int]]:
        block = self._block
        return [
            (first * block, end * block - 1)
            for first, end in zip(self._first, self._end, strict=True)
        ]

    def read(self, address: int, size: int) -> bytes:
        number, start = divmod(address, self._block)
        page = self._pages.get(number) or self.page(number)
        if page is None:
            raise Missing(address)
        if start + size <= self._block:
            return page[start : start + size]
        parts = [page]
        for further in range(number + 1, (address + size - 1) // self._block + 1):
            page = self._pages.get(further) or self.page(further)
            if page is None:
                raise Missing(further * self._block)
            parts.append(page)
        return b"".join(parts)[start : start + size]
