# SPDX-License-Identifier: GPL-2.0-or-later
"""
BPF ring buffers
----------------

Parse the records of a BPF_MAP_TYPE_RINGBUF (kernel/bpf/ringbuf.c): a header of 8 bytes
and the data of a program, aligned to 8 bytes.
"""

from dataclasses import dataclass
import struct

__all__ = ("RingRecord", "parse_ring")

_HEADER = struct.Struct("<II")
_BUSY, _DISCARDED = 1 << 31, 1 << 30


@dataclass(frozen=True)
class RingRecord:
    """A record that a program has reserved."""

    data: bytes
    #: Whether it was being written when the machine died.
    busy: bool


def parse_ring(data: bytes, begin: int, end: int) -> tuple[list[RingRecord], bool]:
    """
    Return the unread records of a ring.

    :param data: the ring; its size is a power of two
    :param begin: position from which it is readable: the consumer's
    :param end: the producer's
    :return: records, the oldest first, without those that were discarded; and whether it was
        damaged, so that the rest is missing
    """
    size = len(data)
    if not size or size & size - 1 or not 0 <= end - begin <= size:
        return [], begin != end
    found: list[RingRecord] = []
    at = begin
    while at < end:
        start = at % size
        if start + _HEADER.size > size:
            return found, True
        length, _ = _HEADER.unpack_from(data, start)
        flags, length = length & (_BUSY | _DISCARDED), length & ~(_BUSY | _DISCARDED)
        if at + _HEADER.size + length > end:
            return found, True
        if not flags & _DISCARDED:
            first = start + _HEADER.size
            # A record that crosses the end continues at the start.
            raw = data[first : first + length]
            raw += data[: length - len(raw)]
            found.append(RingRecord(raw, bool(flags & _BUSY)))
        at += _HEADER.size + length + 7 & ~7
    return found, False
