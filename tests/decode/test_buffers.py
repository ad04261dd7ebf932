# SPDX-License-Identifier: GPL-2.0-or-later
"""Several buffers in one trace: merged by time, each with its own rings."""

from itertools import count

import pytest
from synthetic import Synthetic

from lkst.abi import layout
from lkst.decode.image import Image
from lkst.decode.ring import IN_FLIGHT
from lkst.replay.summary import sum_buffers, sum_cpus
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace


def built(image: Image) -> Trace:
    return build_trace(image, Facts())


def numbers(trace: Trace) -> list[int]:
    """Give what the records were numbered with."""
    found: list[int] = trace.records.slots[trace.records.first, 3].tolist()
    return found


def made() -> Synthetic:
    """Write to two buffers in turn, as a trigger that switches does."""
    story = Synthetic(nr_slots=8, more={"kept": 64, "idle": 16})
    story.into = 1
    clock = count(1000)
    for number in range(40):
        buffer = 1 if number >= 20 else 0
        story.record(number % 2, next(clock), 7, "sys_enter", buffer=buffer, arg0=number)
    return story


def test_merged_by_time() -> None:
    trace = made().trace()
    # Of the first 20 the last 8 of each CPU are left.
    assert numbers(trace) == list(range(4, 40))
    assert trace.buffer.tolist() == [0] * 16 + [1] * 20
    assert trace.cpu.tolist() == [n % 2 for n in range(4, 40)]
    assert trace.buffer_names == {0: "main", 1: "kept", 2: "idle"}
    assert trace.records.faults == []


def test_equal_times_keep_the_order_of_their_ring() -> None:
    story = Synthetic(more={"other": 64})
    for number in range(40):
        story.record(0, 5, 7, "sys_enter", buffer=number % 2, arg0=number)
    found = numbers(story.trace())
    assert sorted(found) == list(range(40))
    for buffer in (0, 1):
        assert [n for n in found if n % 2 == buffer] == list(range(buffer, 40, 2))


def test_losses_are_summed_by_cpu() -> None:
    trace = made().trace()
    assert [loss.claimed for loss in trace.records.losses] == [20, 20]
    assert [loss.overwritten for loss in trace.records.losses] == [2, 2]
    assert [(b.number, b.cpus[0].overwritten) for b in trace.records.buffers] == [(0, 2), (1, 0)]
    assert [cpu.records for cpu in sum_cpus(trace)] == [18, 18]


def test_states() -> None:
    story = made()
    story.buffers[0].limits = [10, layout.NO_LIMIT]
    states = {b.name: (b.state, b.nr_slots, b.records) for b in sum_buffers(story.trace())}
    assert states == {
        "main": ("frozen", 8, 16),
        "kept": ("written to", 64, 20),
        "idle": ("spare", 16, 0),
    }
    # It will freeze, and has not yet.
    story.buffers[0].limits = [11, 11]
    assert sum_buffers(story.trace())[0].state == "kept"
    image = story.image()
    image.control = b""
    assert [b.state for b in sum_buffers(built(image))] == ["unknown", "unknown", "spare"]


def test_spare_buffer_is_no_fault_whatever_its_heads_are() -> None:
    story = made()
    image = story.image()
    image.buffers[2].places = [layout.Place(5, layout.NO_LIMIT)] * 2
    trace = built(image)
    assert numbers(trace) == list(range(4, 40))
    assert all(loss.torn == loss.in_flight == 0 for loss in trace.records.losses)
    # One that was just switched to has records.
    story.record(0, 5000, 7, "sys_enter", buffer=2, arg0=40)
    image = story.image()
    image.buffers[2].state = "spare"
    assert numbers(built(image)) == list(range(4, 41))


def test_buffer_that_is_missing_costs_its_records_only() -> None:
    image = made().image()
    del image.buffers[0]
    assert numbers(built(image)) == list(range(20, 40))
    image.buffers.clear()
    trace = built(image)
    assert len(trace) == 0
    assert [loss.cpu for loss in trace.records.losses] == [0, 1]


def test_buffer_that_cannot_be_read_costs_its_records_only() -> None:
    image = made().image()
    image.buffers[1].rings = bytes(len(image.buffers[1].rings))
    image.buffers[1].unreadable = [(0, len(image.buffers[1].rings))]
    trace = built(image)
    assert numbers(trace) == list(range(4, 20))
    assert [loss.unreadable for loss in trace.records.losses] == [10, 10]
    assert [loss.torn for loss in trace.records.losses] == [0, 0]


def test_slots_of_another_buffer_are_not_taken() -> None:
    image = made().image()
    one, other = image.buffers[:2]
    one.rings, other.rings = other.rings[: len(one.rings)], one.rings.ljust(len(other.rings), b"\0")
    trace = built(image)
    assert len(trace) == 0
    assert all(loss.torn for loss in trace.records.losses)


def test_long_texts_over_the_ends_of_rings() -> None:
    story = Synthetic(nr_slots=16, more={"other": 64})
    texts = []
    for number in range(40):
        text = f"{number:03}" * 40
        story.record(number % 2, 1000 + number, 7, "console", buffer=number % 2, text=text)
        texts.append(text)
    trace = story.trace()
    (event,) = [e for e in trace.catalogue.events.values() if e.name == "console"]
    found = trace.texts(event.fields[0], trace.rows(event))
    assert set(found) <= set(texts)
    assert found == [text for text in texts if text in found]
    assert set(trace.buffer.tolist()) == {0, 1}
    chosen = trace.select(trace.buffer == 1)
    assert {int(slot) // 32 for part in chosen.records.parts() for slot in part} == {3, 4}


def test_in_flight_record_tells_its_buffer() -> None:
    story = made()
    story.record(0, 9000, 7, "sys_exit", buffer=1, committed=False)
    trace = story.trace()
    assert trace.flags[-1] == IN_FLIGHT
    assert trace.buffer[-1] == 1


def test_head_of_one_buffer_is_damaged() -> None:
    image = made().image()
    image.buffers[1].places = [layout.Place((1 << 40) + 5, layout.NO_LIMIT)] * 2
    trace = built(image)
    assert numbers(trace) == list(range(4, 40))
    assert ["buffer kept" in fault for fault in trace.records.faults] == [True, True]


@pytest.mark.parametrize("number", [-1, 16, 1 << 40])
def test_number_that_makes_no_sense(number: int) -> None:
    image = made().image()
    image.buffers[0].number = number
    trace = built(image)
    assert numbers(trace) == list(range(20, 40))
    assert len(trace.records.faults) == 1
    assert [buffer.name for buffer in sum_buffers(trace)] != []
