# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of ftrace's ring buffer and fields of its events, made by hand."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from lkst.decode.ftrace import EventFormat, FieldFormat, decode_fields, parse_page


def word(kind: int, delta: int) -> bytes:
    return struct.pack("<I", kind | delta << 5)


def page(ts: int, *parts: bytes, flags: int = 0) -> bytes:
    data = b"".join(parts)
    return (struct.pack("<QQ", ts, len(data) | flags) + data).ljust(4096, b"\xee")


def test_times_add_up() -> None:
    events, lost = parse_page(
        page(
            1000,
            word(1, 5) + b"aaaa",
            word(30, 3) + struct.pack("<I", 2),  # 2 << 27 and 3
            word(2, 7) + b"bbbbbbbb",
        )
    )
    assert [(event.ts, event.data) for event in events] == [
        (1005, b"aaaa"),
        (1005 + (2 << 27) + 3 + 7, b"bbbbbbbb"),
    ]
    assert [event.offset for event in events] == [0, 16]
    assert not lost


def test_an_absolute_time_has_the_page_s_upper_bits() -> None:
    high = 0x10 << 56
    (event,), _ = parse_page(
        page(high | 99, word(31, 1) + struct.pack("<I", 3), word(1, 2) + b"aaaa")
    )
    assert event.ts == high | 3 << 27 | 3


def test_long_and_discarded_ones() -> None:
    long = b"x" * 200
    events, _ = parse_page(
        page(
            0,
            word(0, 1) + struct.pack("<I", len(long) + 4) + long,
            word(29, 9) + struct.pack("<I", 8) + b"gonegone"[:4],
            word(1, 1) + b"last",
        )
    )
    assert [(event.ts, event.data) for event in events] == [(1, long), (2, b"last")]


def test_the_rest_of_a_page_is_nothing() -> None:
    events, _ = parse_page(page(0, word(1, 1) + b"aaaa", word(29, 0), b"\xff" * 64))
    assert len(events) == 1


def test_lost_ones_before_it_are_told() -> None:
    _, lost = parse_page(page(0, word(1, 1) + b"aaaa", flags=1 << 31))
    assert lost


@given(st.binary(max_size=200))
def test_damaged_pages_do_no_harm(data: bytes) -> None:
    for event in parse_page(data)[0]:
        assert len(event.data) <= len(data)


def test_fields() -> None:
    event = EventFormat(
        300,
        "sched",
        "made_up",
        (
            FieldFormat("comm", "char[16]", 8, 16, False),
            FieldFormat("state", "long", 24, 8, True),
            FieldFormat("where", "void *", 32, 8, False),
            FieldFormat("path", "__data_loc char[]", 40, 4, False),
            FieldFormat("near", "__rel_loc char[]", 44, 4, False),
            FieldFormat("words", "u32[2]", 48, 8, False),
            FieldFormat("rest", "char[]", 56, 0, False),
            FieldFormat("missing", "int", 400, 4, True),
        ),
    )
    data = struct.pack("<HBBi", 300, 0, 0, 7) + b"sh\0garbage".ljust(16, b"\0")
    data += struct.pack("<qQ", -2, 0xFFFF800000000000)
    data += struct.pack("<II", 6 << 16 | 56, 5 << 16 | 16)
    data += struct.pack("<II", 1, 2) + b"/path\0" + b"??" + b"near\0"
    assert decode_fields(event, data) == {
        "comm": "sh",
        "state": -2,
        "where": "0xffff800000000000",
        "path": "/path",
        "near": "near",
        "words": "0x0100000002000000",
        "rest": "/path",
    }
