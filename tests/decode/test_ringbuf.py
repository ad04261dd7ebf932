# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF ring buffers made by hand."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from lkst.decode.ringbuf import parse_ring

BUSY, DISCARDED = 1 << 31, 1 << 30


class Ring:
    def __init__(self, size: int, at: int = 0) -> None:
        self.data = bytearray(size)
        self.begin = self.end = at

    def put(self, data: bytes, flags: int = 0) -> None:
        raw = struct.pack("<II", len(data) | flags, 0) + data
        for place, byte in enumerate(raw):
            self.data[(self.end + place) % len(self.data)] = byte
        self.end += len(raw) + 7 & ~7

    def parse(self) -> tuple[list[tuple[bytes, bool]], bool]:
        records, damaged = parse_ring(bytes(self.data), self.begin, self.end)
        return [(record.data, record.busy) for record in records], damaged


def test_records_in_order() -> None:
    ring = Ring(64)
    ring.put(b"one")
    ring.put(b"not this", DISCARDED)
    ring.put(b"two", BUSY)
    assert ring.parse() == ([(b"one", False), (b"two", True)], False)


def test_one_that_goes_over_the_end() -> None:
    ring = Ring(64, at=128 + 48)
    ring.put(b"0123456789abcdef")
    ring.put(b"next")
    assert ring.parse() == ([(b"0123456789abcdef", False), (b"next", False)], False)


def test_damage_ends_it() -> None:
    ring = Ring(64)
    ring.put(b"one")
    ring.put(b"two")
    ring.data[16:20] = struct.pack("<I", 4000)
    assert ring.parse() == ([(b"one", False)], True)
    ring.end = 1 << 40
    assert ring.parse() == ([], True)


def test_nothing() -> None:
    assert parse_ring(bytes(64), 128, 128) == ([], False)
    assert parse_ring(b"", 0, 0) == ([], False)


@given(st.binary(min_size=64, max_size=64), st.integers(0, 200), st.integers(0, 300))
def test_anything(data: bytes, begin: int, end: int) -> None:
    records, _ = parse_ring(data, begin, end)
    assert sum(len(record.data) + 8 for record in records) <= 64
