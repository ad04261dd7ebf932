# SPDX-License-Identifier: GPL-2.0-or-later
"""What handlers have counted."""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import COUNTS_SIZE, EventSpec, FieldSpec, Synthetic

from lkst.abi import layout
from lkst.abi.control import Control
from lkst.decode.catalogue import parse_catalogue
from lkst.decode.counts import Counts, read_counts
from lkst.decode.image import Image

EVENTS = [
    EventSpec("wait", fields=(FieldSpec("u64", "delay", "ns"), FieldSpec("s32", "left", "ms"))),
    EventSpec("done"),
]


def read(image: Image) -> Counts:
    return read_counts(image, parse_catalogue(image.catalogue))


def made() -> Synthetic:
    story = Synthetic(EVENTS)
    story.count(0, "done", 3)
    story.count(1, "done", 4)
    story.hist("wait", "delay", [0, 1, 1000], [1023, 1024, 1 << 62])
    story.hist("wait", "left", [-5], [7])
    return story


def test_sums_over_cpus() -> None:
    counts = read(made().image())
    assert counts.events == {1: 8, 2: 7}
    assert counts.faults == []
    delay, left = counts.histograms
    assert (delay.event.name, delay.field and delay.field.name) == ("wait", "delay")
    filled = {number: count for number, count in enumerate(delay.buckets) if count}
    assert filled == {0: 1, 1: 1, 10: 2, 11: 1, 63: 1}
    assert delay.total == 1 + 1000 + 1023 + 1024 + (1 << 62)
    assert (left.field and left.field.name, left.count) == ("left", 2)
    assert {number: count for number, count in enumerate(left.buckets) if count} == {0: 1, 3: 1}


def test_nothing_there() -> None:
    image = made().image()
    image.counts = b""
    assert read(image) == Counts({}, [], [])
    assert read(Synthetic(EVENTS).image()) == Counts({}, [], [])


def test_damaged_cpu_costs_its_own_counts() -> None:
    image = made().image()
    for bad in (
        image.counts[:COUNTS_SIZE] + b"?" + image.counts[COUNTS_SIZE + 1 :],
        image.counts[:COUNTS_SIZE] + image.counts[:COUNTS_SIZE],
        image.counts[: COUNTS_SIZE + 100],
    ):
        image.counts = bad
        counts = read(image)
        assert counts.events == {1: 4, 2: 3}
        assert counts.faults == ["CPU 1: the counts are damaged"]


def test_control_is_damaged() -> None:
    image = made().image()
    image.control = image.control[:-1]
    counts = read(image)
    assert counts.events == {1: 8, 2: 7}
    assert counts.histograms == []
    assert len(counts.faults) == 1


def test_histogram_of_what_is_not_there() -> None:
    image = made().image()
    control = Control.from_buffer_copy(image.control)
    control.hist[0].event = 77
    control.hist[1].offset = 9
    image.control = bytes(control)
    counts = read(image)
    assert [hist.field for hist in counts.histograms] == [None]
    assert counts.faults == ["histogram 0: its event is not in the catalogue"]


def test_count_of_an_event_that_is_not_there() -> None:
    image = made().image()
    at = layout.COUNTED_OFFSET + 8 * 200
    image.counts = image.counts[:at] + struct.pack("<Q", 5) + image.counts[at + 8 :]
    counts = read(image)
    assert counts.events == {1: 8, 2: 7}
    assert counts.faults == ["event 200 was counted but is not in the catalogue"]


@settings(max_examples=50)
@given(st.binary(max_size=COUNTS_SIZE), st.integers(0, COUNTS_SIZE), st.binary(max_size=3000))
def test_random_bytes(junk: bytes, at: int, control: bytes) -> None:
    image = made().image()
    image.counts = image.counts[:at] + junk + image.counts[at + len(junk) :]
    where = Control.hist.offset
    image.control = image.control[:where] + control + image.control[where + len(control) :]
    counts = read(image)
    assert set(counts.events) <= {1, 2}
    assert all(hist.count >= 0 for hist in counts.histograms)
