# SPDX-License-Identifier: GPL-2.0-or-later
"""
Contents
--------

Read the bytes of a dump file, plain or flattened. A flattened file consists of chunks, each
with its offset and size in front (``struct makedumpfile_data_header`` of makedumpfile's
makedumpfile.h), as makedumpfile writes to a pipe.

Files are read by pread and never mapped: reading a mapped file that is truncated, or that
lies on a bad disk, raises SIGBUS.
"""

from bisect import bisect_left, bisect_right
import os
import struct
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ("Content", "Flattened", "Plain", "open_content")

FLAT_MAGIC = b"makedumpfile\0"
_FLAT_HEADER = 4096
_STRETCH = struct.Struct(">qq")
_MAX_STRETCHES = 1 << 24


class Content(Protocol):
    """The bytes of a dump file."""

    #: Where the last byte that is there ends.
    size: int
    #: How many bytes the file itself has.
    file_size: int
    #: Whether the file is known to end too early.
    cut: bool

    def read(self, offset: int, size: int) -> bytes:
        """Read from an offset up to the first byte that is missing."""

    def present(self, offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of several pieces are completely present."""


class Plain:
    """A plain file: file offsets are dump offsets."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read from a file, which must stay open."""
        self._file = file
        self._fd = file.fileno()
        self.size = self.file_size = os.lseek(self._fd, 0, os.SEEK_END)
        self.cut = False

    def read(self, offset: int, size: int) -> bytes:
        """Read; fewer bytes at the end of the file, and where the disk fails."""
        size = min(size, self.size - offset)
        if offset < 0 or size <= 0:
            return b""
        data = self._pread(offset, size)
        while 0 < len(data) < size:  # Linux reads 2 GiB at most.
            more = self._pread(offset + len(data), size - len(data))
            if not more:
                break
            data += more
        return data

    def _pread(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError:
            return b""

    def present(self, offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pieces lie within the file."""
        return (offsets >= 0) & (offsets <= self.size - sizes)


class Flattened:
    """A flattened file: chunks with their offsets, read like the original file."""

    def __init__(self, plain: Plain) -> None:
        """Index the chunks, up to the end of the file."""
        self._plain = plain
        self.file_size = plain.file_size
        self.cut = True
        #: Of the file that was flattened: start, end, and where in the file; in order.
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._places: list[int] = []
        place = _FLAT_HEADER
        for _ in range(_MAX_STRETCHES):
            head = plain.read(place, _STRETCH.size)
            if len(head) < _STRETCH.size:
                break
            offset, size = _STRETCH.unpack(head)
            if offset < 0 or size <= 0 or offset + size > 1 << 62:
                self.cut = (offset, size) != (-1, -1)
                break
            place += _STRETCH.size
            there = min(size, plain.size - place)
            if there > 0:
                self._add(offset, offset + there, place)
            place += size
        self.size = max(self._ends, default=0)
        self._joined: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def _add(self, start: int, end: int, place: int) -> None:
        """Add a chunk; it overwrites earlier ones."""
        low = bisect_right(self._ends, start)
        high = bisect_left(self._starts, end)
        new = [(start, end, place)]
        if low < high:
            first, last = self._starts[low], self._ends[high - 1]
            if first < start:
                new.insert(0, (first, start, self._places[low]))
            if last > end:
                place = self._places[high - 1] + end - self._starts[high - 1]
                new.append((end, last, place))
        self._starts[low:high] = [stretch[0] for stretch in new]
        self._ends[low:high] = [stretch[1] for stretch in new]
        self._places[low:high] = [stretch[2] for stretch in new]

    def read(self, offset: int, size: int) -> bytes:
        """Read up to the first byte that no chunk covers."""
        index = bisect_right(self._ends, offset)
        parts = []
        end = offset + size
        while offset < end and index < len(self._starts) and self._starts[index] <= offset:
            length = min(end, self._ends[index]) - offset
            where = self._places[index] + offset - self._starts[index]
            part = self._plain.read(where, length)
            parts.append(part)
            offset += len(part)
            if len(part) < length:
                break
            index += 1
        return b"".join(parts)

    def present(self, offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which pieces lie within ranges that touch each other."""
        if self._joined is None:
            starts = np.array(self._starts, np.int64)
            ends = np.array(self._ends, np.int64)
            gap = starts[1:] != ends[:-1]
            self._joined = (
                starts[np.concatenate(([True], gap))] if len(starts) else starts,
                ends[np.concatenate((gap, [True]))] if len(ends) else ends,
            )
        starts, ends = self._joined
        if not len(starts):
            return np.zeros(len(offsets), bool)
        index = np.searchsorted(starts, offsets, "right") - 1
        return (index >= 0) & (offsets <= ends[np.maximum(index, 0)] - sizes)


def open_content(file: IO[bytes]) -> Content:
    """Return a reader for a file, flattened or not."""
    plain = Plain(file)
    if plain.read(0, len(FLAT_MAGIC)) == FLAT_MAGIC:
        return Flattened(plain)
    return plain
