# SPDX-License-Identifier: GPL-2.0-or-later
"""Finding records in the bytes of rings: whole, wrapped, torn, in flight, damaged."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from synthetic import Synthetic

from lkst.abi import layout
from lkst.abi.layout import Place
from lkst.decode.catalogue import parse_catalogue
from lkst.decode.image import Image
from lkst.decode.records import Records, find_records
from lkst.decode.ring import IN_FLIGHT, TORN, TRUNCATED
from lkst.errors import Damaged
from lkst.trace.facts import Facts
from lkst.trace.trace import build_trace


def decode(image: Image) -> Records:
    return find_records(image, parse_catalogue(image.catalogue))


def numbers(records: Records) -> list[int]:
    """Give the arguments that the records of :func:`numbered` were numbered with."""
    found: list[int] = records.slots[records.first, 3].tolist()
    return found


def numbered(count: int, **kwargs: object) -> Synthetic:
    """Write records on CPU 0 that are numbered in their first argument."""
    made = Synthetic(**kwargs)  # type: ignore[arg-type]
    for number in range(count):
        made.record(0, 1000 + number, 7, "sys_enter", arg0=number)
    return made


def test_order_over_cpus() -> None:
    made = Synthetic(nr_cpus=3)
    for cpu, ts in ((2, 30), (0, 10), (1, 20), (0, 40), (2, 50), (1, 50), (0, 50)):
        made.record(cpu, ts, 1, "sys_enter", arg0=ts * 10 + cpu)
    trace = made.trace()
    assert trace.ts.tolist() == [10, 20, 30, 40, 50, 50, 50]
    assert trace.cpu.tolist() == [0, 1, 2, 0, 0, 1, 2]


def test_equal_stamps_keep_the_order_of_their_cpu() -> None:
    made = Synthetic()
    for number in range(40):
        made.record(number % 2, 5, 1, "sys_enter", arg0=number)
    records = decode(made.image())
    found = numbers(records)
    assert [n for n in found if n % 2 == 0] == list(range(0, 40, 2))
    assert [n for n in found if n % 2] == list(range(1, 40, 2))


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 700])
def test_overwritten(count: int) -> None:
    records = decode(numbered(count, nr_slots=256).image())
    kept = min(count, 256)
    assert numbers(records) == list(range(count - kept, count))
    assert records.losses[0].claimed == count
    assert records.losses[0].overwritten == count - kept
    assert records.losses[0].torn == records.losses[0].in_flight == 0
    assert not records.flags.any()


def test_long_text_over_the_end_of_the_ring() -> None:
    made = numbered(250, nr_slots=256)
    text = "".join(chr(ord("a") + i % 26) for i in range(1000))
    made.record(0, 5000, 7, "console", text=text)
    trace = made.trace()
    (event,) = [e for e in trace.catalogue.events.values() if e.name == "console"]
    assert trace.texts(event.fields[0], trace.rows(event)) == [text]
    # Its beginning overwrites what was oldest; none of what is left is taken for a record.
    assert trace.records.losses[0].torn == 0
    assert len(trace) == 256 - (len(text) - 38 + 47) // 48


def test_leftover_of_a_long_text_is_not_a_record() -> None:
    made = Synthetic(nr_slots=64)
    made.record(0, 1, 7, "console", text="x" * 400)
    for number in range(64 - 4):
        made.record(0, 10 + number, 7, "sys_enter", arg0=number)
    records = decode(made.image())
    assert numbers(records) == list(range(60))
    assert records.losses[0].torn == 0


def test_truncated() -> None:
    made = Synthetic()
    made.record(0, 1, 7, "console", truncated=True, text="x" * 1024)
    assert decode(made.image()).flags.tolist() == [TRUNCATED]


def test_in_flight() -> None:
    made = numbered(300, nr_slots=256)
    made.record(0, 9000, 7, "sys_exit", committed=False)
    made.record(0, 9001, 7, "sys_enter", arg0=300)
    records = decode(made.image())
    assert records.flags.tolist() == [0] * 254 + [IN_FLIGHT, 0]
    assert records.losses[0].in_flight == 1
    assert records.losses[0].torn == 0


def test_claimed_and_not_begun() -> None:
    made = numbered(300, nr_slots=256)
    made.heads[0] += 3
    records = decode(made.image())
    assert numbers(records) == list(range(47, 300))
    assert records.losses[0].in_flight == 3
    assert records.losses[0].torn == 0


def test_long_text_in_flight_counts_once_as_record() -> None:
    made = numbered(10)
    made.record(0, 9000, 7, "console", committed=False, text="x" * 200)
    records = decode(made.image())
    assert records.flags.tolist() == [0] * 10 + [IN_FLIGHT]
    assert records.losses[0].in_flight == 5


def test_long_text_with_a_part_missing_is_torn() -> None:
    made = numbered(10)
    seq = made.record(0, 9000, 7, "console", text="y" * 200)
    start = (seq + 2) * layout.SLOT_SIZE
    made.rings[start : start + 8] = b"\xaa" * 8
    trace = made.trace()
    assert trace.flags.tolist() == [0] * 10 + [TORN]
    (event,) = [e for e in trace.catalogue.events.values() if e.name == "console"]
    assert trace.texts(event.fields[0], trace.rows(event)) == ["y" * (38 + 48)]
    assert trace.records.losses[0].torn == 3


def test_unreadable_page_costs_its_records_only() -> None:
    made = numbered(256, nr_slots=256)
    image = made.image()
    (buffer,) = image.buffers
    buffer.rings = buffer.rings[:4096] + bytes(4096) + buffer.rings[8192:]
    buffer.unreadable = [(4096, 4096)]
    records = decode(image)
    assert numbers(records) == [*range(64), *range(128, 256)]
    assert records.losses[0].unreadable == 64
    assert records.losses[0].torn == 0


def test_head_is_worked_out_when_it_is_missing_or_wrong() -> None:
    image = numbered(1000, nr_slots=256).image()
    right = numbers(decode(image))
    for places in ([], [Place(5, layout.NO_LIMIT)], [Place((1 << 64) - 1, 0)]):
        image.buffers[0].places = places
        records = decode(image)
        assert numbers(records) == right
        assert records.losses[0].head_guessed
    assert any("head" in fault for fault in records.faults)


def test_copied_while_it_ran() -> None:
    made = numbered(256, nr_slots=256)
    before = list(made.heads)
    for number in range(256, 356):
        made.record(0, 1000 + number, 7, "sys_enter", arg0=number)
    image = made.image()
    image.buffers[0].heads_before = before
    # 0-99 were overwritten meanwhile, 256-355 came too late.
    assert numbers(decode(image)) == list(range(100, 256))


def test_other_recorders_slots_are_not_taken() -> None:
    made = numbered(20)
    other = numbered(256, tag=0x1234)
    start = 30 * layout.SLOT_SIZE
    made.rings[start : 100 * layout.SLOT_SIZE] = other.rings[start : 100 * layout.SLOT_SIZE]
    assert numbers(decode(made.image())) == list(range(20))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("abi_major", 3),
        ("nr_slots", 3),
        ("nr_cpus", 0),
        ("tag", 0),
        ("tag", 0x4B51),
        ("event_size", 8),
        ("control_size", 1 << 31),
        ("counts_size", 1 << 31),
    ],
)
def test_header_that_makes_no_sense(name: str, value: int) -> None:
    image = numbered(1).image()
    header = dict(zip(layout.HEADER_NAMES, layout.HEADER.unpack_from(image.catalogue), strict=True))
    header[name] = value
    image.catalogue = layout.HEADER.pack(*header.values()) + image.catalogue[layout.HEADER.size :]
    with pytest.raises(
        Damaged, match=f"version 3.{layout.ABI_MINOR}" if name == "abi_major" else name
    ):
        decode(image)


@pytest.mark.parametrize(
    ("nr_slots", "reason"), [(1 << 31, "smaller than"), (0, "0 slots"), (3, "3 slots")]
)
def test_buffer_that_makes_no_sense_costs_its_records_only(nr_slots: int, reason: str) -> None:
    made = numbered(5, more={"other": 64})
    made.record(1, 7000, 7, "sys_enter", buffer=1, arg0=99)
    image = made.image()
    image.buffers[0].nr_slots = nr_slots
    records = decode(image)
    assert numbers(records) == [99]
    assert [fault for fault in records.faults if "buffer main" in fault and reason in fault]


def test_damaged_entry_costs_its_event_only() -> None:
    made = numbered(5)
    made.record(0, 5000, 7, "sys_exit", ret=3)
    image = made.image()
    entry = layout.ENTRY_SIZE * made.id("sys_exit")
    image.catalogue = image.catalogue[:entry] + bytes(64) + image.catalogue[entry + 64 :]
    catalogue = parse_catalogue(image.catalogue)
    assert made.id("sys_exit") not in catalogue.events
    assert len(catalogue.faults) == 1
    assert numbers(decode(image)) == list(range(5))


@settings(max_examples=200)
@given(st.data())
def test_random_slots_cost_themselves_only(data: st.DataObject) -> None:
    made = numbered(200, nr_slots=256)
    hit = data.draw(st.sets(st.integers(0, 199), max_size=20))
    for place in hit:
        junk = data.draw(st.binary(min_size=64, max_size=64))
        made.rings[place * 64 : place * 64 + 64] = junk
    records = decode(made.image())
    assert set(range(200)) - hit <= set(numbers(records))


@settings(max_examples=100)
@given(st.binary(max_size=2048), st.integers(0, 60 * 1024))
def test_random_catalogue(junk: bytes, where: int) -> None:
    image = numbered(20).image()
    image.catalogue = image.catalogue[:where] + junk + image.catalogue[where + len(junk) :]
    try:
        trace = build_trace(image, Facts())
    except Damaged:
        return
    assert len(trace) <= 20


@settings(max_examples=100)
@given(
    st.binary(max_size=20000),
    st.binary(max_size=5000),
    st.binary(max_size=7000),
    st.binary(max_size=7000),
)
def test_random_memory(rings: bytes, cpus: bytes, control: bytes, counts: bytes) -> None:
    image = numbered(3).image()
    image.cpus, image.control, image.counts = cpus, control, counts
    image.buffers[0].rings = rings
    image.buffers[0].places = layout.places(cpus, layout.CPU_SIZE, 0)
    trace = build_trace(image, Facts())
    assert np.all(np.diff(trace.ts.astype(np.uint64)) >= 0)
