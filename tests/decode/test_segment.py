# SPDX-License-Identifier: GPL-2.0-or-later
"""Stretches of a log: cut out of buffers while they are written, and put together again."""

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st
import pytest
from synthetic import Synthetic

from lkst.decode.catalogue import parse_catalogue
from lkst.decode.image import BufferImage, Image
from lkst.decode.records import Records, find_records
from lkst.decode.segment import cut_segment

EVENTS = ("sys_enter", "console")


def decode(image: Image) -> Records:
    return find_records(image, parse_catalogue(image.catalogue))


def numbers(records: Records) -> list[int]:
    found: list[int] = records.slots[records.first, 2].tolist()
    return found


def write(story: Synthetic, number: int, cpu: int = 0, buffer: int = 0, size: int = 0) -> None:
    """Write a record whose time is its number; with a text of some size where it is not 0."""
    ts = 1000 + number
    if size:
        story.record(cpu, ts, 7, "console", buffer=buffer, text=f"{number} " * size)
    else:
        story.record(cpu, ts, 7, "sys_enter", buffer=buffer, arg0=number)


class Log:
    """What a daemon keeps."""

    def __init__(self, story: Synthetic) -> None:
        self.story = story
        self.buffers: list[BufferImage] = []
        self.lows: dict[int, list[int]] = {}

    def save(self) -> list[BufferImage]:
        new = []
        for buffer in self.story.image().buffers:
            lows = self.lows.get(buffer.number, [0] * self.story.nr_cpus)
            segment = cut_segment(buffer, lows)
            if segment:
                self.lows[buffer.number] = [place.head for place in segment.places]
                new.append(segment)
        self.buffers += new
        return new

    def image(self) -> Image:
        return dataclasses.replace(self.story.image(), buffers=self.buffers)


@pytest.mark.slow
@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 60)), max_size=80))
def test_nothing_is_lost_between_saves_that_come_in_time(
    steps: list[tuple[int, int, int]],
) -> None:
    story = Synthetic(nr_slots=128, more={"other": 64})
    whole = Synthetic(nr_slots=4096, more={"other": 4096})
    log = Log(story)
    for number, (cpu, buffer, size) in enumerate(steps):
        write(story, number, cpu, buffer, size)
        write(whole, number, cpu, buffer, size)
        if number % 5 == 0:
            log.save()
    log.save()
    found, meant = decode(log.image()), decode(whole.image())
    assert numbers(found) == numbers(meant)
    assert [loss.claimed for loss in found.losses] == [loss.claimed for loss in meant.losses]
    assert all(loss.unsaved == loss.overwritten == loss.torn == 0 for loss in found.losses)
    for part, other in zip(found.parts(), meant.parts(), strict=True):
        assert (found.slots[part] == meant.slots[other]).all()


def test_a_gap_is_counted() -> None:
    story = Synthetic(nr_slots=64)
    log = Log(story)
    for number in range(300):
        write(story, number, number % 2)
        if number in (9, 29, 289):
            log.save()
    records = decode(log.image())
    # Of the third segment, what was overwritten before: 64 slots are left of 130.
    assert numbers(records) == [*range(1000, 1030), *range(1162, 1290)]
    assert [loss.unsaved for loss in records.losses] == [66, 66]
    assert [loss.claimed for loss in records.losses] == [145, 145]
    assert [loss.torn for loss in records.losses] == [0, 0]


def test_a_log_that_begins_late() -> None:
    story = Synthetic(nr_slots=64)
    for number in range(100):
        write(story, number)
    log = Log(story)
    log.save()
    records = decode(log.image())
    assert numbers(records) == list(range(1036, 1100))
    assert (records.losses[0].overwritten, records.losses[0].unsaved) == (36, 0)


def test_nothing_new_is_no_segment() -> None:
    story = Synthetic(nr_slots=64)
    write(story, 0)
    log = Log(story)
    assert len(log.save()) == 1
    assert log.save() == []


def test_a_segment_is_no_larger_than_it_must_be() -> None:
    story = Synthetic(nr_slots=256)
    log = Log(story)
    for number in range(250):
        write(story, number)
        if number == 200:
            log.save()
    (segment,) = log.save()
    assert segment.nr_slots == 64
    assert segment.lows == [201, 0]


def test_what_is_there_twice_is_shown_once() -> None:
    story = Synthetic(nr_slots=64)
    images = []
    for number in range(40):
        write(story, number)
        if number in (20, 39):
            images.append(story.image())
    both = dataclasses.replace(
        images[1], buffers=[buffer for image in images for buffer in image.buffers]
    )
    records = decode(both)
    assert numbers(records) == list(range(1000, 1040))
    assert records.losses[0].unsaved == 0


def test_of_two_the_whole_one_is_shown() -> None:
    story = Synthetic(nr_slots=64)
    write(story, 0)
    story.record(0, 1001, 7, "sys_exit", committed=False, ret=5)
    early = story.image()
    story.heads[0] = 1
    story.record(0, 1001, 7, "sys_exit", ret=5)
    late = story.image()
    for buffers in (early.buffers + late.buffers, late.buffers + early.buffers):
        records = decode(dataclasses.replace(late, buffers=buffers))
        assert numbers(records) == [1000, 1001]
        assert not records.flags.any()


def test_a_number_that_was_given_again() -> None:
    old, new = Synthetic(nr_slots=64), Synthetic(nr_slots=64)
    for number in range(5):
        write(old, number)
        write(new, 100 + number)
    buffers = old.image().buffers + new.image().buffers
    records = decode(dataclasses.replace(new.image(), buffers=buffers))
    assert numbers(records) == [*range(1000, 1005), *range(1100, 1105)]


def test_copied_while_it_ran() -> None:
    story = Synthetic(nr_slots=64)
    for number in range(64):
        write(story, number)
    before = [list(rings.heads) for rings in story.buffers]
    for number in range(64, 74):
        write(story, number)
    image = story.image()
    image.buffers[0].heads_before = before[0]
    segment = cut_segment(image.buffers[0], [5, 0])
    assert segment is not None
    # 0-9 were overwritten meanwhile, 64-73 came too late.
    assert segment.lows == [10, 0]
    assert [place.head for place in segment.places] == [64, 0]
    image.buffers = [segment]
    assert numbers(decode(image)) == list(range(1010, 1064))


def test_unreadable_slots_stay_so() -> None:
    story = Synthetic(nr_slots=64)
    for number in range(40):
        write(story, number)
    image = story.image()
    rings = bytearray(image.buffers[0].rings)
    rings[32 * 64 : 36 * 64] = bytes(4 * 64)
    image.buffers[0].rings = bytes(rings)
    image.buffers[0].unreadable = [(32 * 64, 4 * 64)]
    segment = cut_segment(image.buffers[0], [30, 0])
    assert segment is not None
    image.buffers = [segment]
    records = decode(image)
    assert numbers(records) == [1030, 1031, *range(1036, 1040)]
    assert (records.losses[0].unreadable, records.losses[0].torn) == (4, 0)
