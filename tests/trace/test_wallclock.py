# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall clock of records, before and after the clock was set."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from synthetic import Synthetic

from lkst.abi import layout
from lkst.decode.catalogue import parse_header
from lkst.locate.merge import merge_images
from lkst.replay.header import header
from lkst.replay.text import text_lines
from lkst.source import open_source
from lkst.source.saved import save_trace
from lkst.trace.facts import ClockReading, Facts

S = 10**9
START = 1_700_000_000 * S
DAY = 86400 * S
#: Forward by a day at 20 s, asleep for 100 s at 40 s.
STEPS = (
    (20 * S, 20 * S, START + DAY, 7 * S),
    (40 * S, 40 * S, START + DAY + 100 * S, 107 * S),
)
END = START + DAY + 100 * S


def made(**options: object) -> Synthetic:
    story = Synthetic(steps=STEPS, **options)  # type: ignore[arg-type]
    for second in range(10, 61, 10):
        story.record(0, second * S - 1, 1, "mark", text=f"before {second}")
        story.record(0, second * S, 1, "mark", text=f"at {second}")
    return story


def reading(real_offset: int, ts: int = 60 * S) -> Facts:
    return Facts(clock=ClockReading(ts, real_offset, 0, "the kernel's timekeeper"))


def walls(story: Synthetic, facts: Facts | None = None) -> list[str]:
    lines = "".join(text_lines(story.trace(facts), time="wall")).splitlines()
    return [line.split(" [")[0].strip() for line in lines if " mark " in line]


def at(ns: int) -> str:
    return f"{np.datetime64(ns // S, 's')}.{ns % S:09}Z"


TRUE = [
    at(ts + (START if ts < 20 * S else START + DAY if ts < 40 * S else END))
    for second in range(10, 61, 10)
    for ts in (second * S - 1, second * S)
]


@pytest.mark.parametrize("facts", [Facts(), reading(END), Facts(crash_time=END // S + 61)])
def test_times_before_and_after_each_step_are_right(facts: Facts) -> None:
    assert walls(made(), facts) == TRUE


def test_steps_are_in_the_header() -> None:
    text = header(made().trace(reading(END)))
    assert f"end        {at(END + 60 * S)}, by the kernel's timekeeper\n" in text
    assert "clock      stepped by +86400.000000000 s, after 7.000 s asleep, at -40" in text
    assert "clock      stepped by +100.000000000 s, after 100.000 s asleep, at -20" in text


def test_what_a_missed_step_makes_wrong_is_not_known() -> None:
    story = made()
    story.record(0, 60 * S, 1, "panic", message="x")
    # It was missed after the recorder had last looked, at 40 s.
    shown = walls(story, reading(END + 5 * S))
    assert shown[:7] == TRUE[:7]
    assert shown[7] == at(40 * S + END)
    assert shown[8:11] == ["not known"] * 3
    assert shown[11] == at(60 * S + END + 5 * S)
    text = header(story.trace(reading(END + 5 * S)))
    assert "stepped by +5.000000000 s between -20.000000000 and 0.000000000 s: wall-clock" in text


def test_crashtime_tells_of_a_missed_step() -> None:
    shown = walls(made(), Facts(crash_time=(END + 3600 * S) // S))
    assert shown[:8] == TRUE[:8] and shown[8:11] == ["not known"] * 3
    assert shown[11] == at(END + 3600 * S)


def test_without_the_table_only_the_end_is_known() -> None:
    shown = walls(made(clock=False), reading(END))
    assert shown == ["not known"] * 11 + [TRUE[11]]
    # Nobody knows better, and it is said.
    story = made(clock=False)
    assert walls(story)[0] == at(10 * S - 1 + START)
    assert "Z, by the clock as of the recorder's start\n" in header(story.trace())


def test_times_before_the_oldest_step_that_is_kept_are_not_known() -> None:
    count = layout.MAX_STEPS + 3
    story = made()
    story.steps = [(10 * S + n, 10 * S + n, START + (n + 1) * DAY, 0) for n in range(count)]
    shown = walls(story)
    assert shown[:2] == ["not known"] * 2
    assert shown[2] == at(20 * S - 1 + START + count * DAY)


def test_a_table_that_goes_back_in_time_is_not_believed() -> None:
    story = made()
    story.steps = STEPS[::-1]
    assert walls(story, reading(END))[:11] == ["not known"] * 11


def test_it_is_kept_in_files(tmp_path: Path) -> None:
    path = tmp_path / "x.lkst"
    facts = dataclasses.replace(reading(END + 5 * S), crash_time=12)
    trace = made().trace(facts)
    save_trace(trace, path)
    (saved,) = open_source(str(path))
    assert saved.facts.clock == facts.clock and saved.facts.crash_time == 12
    assert list(text_lines(saved, time="wall")) == list(text_lines(trace, time="wall"))


@pytest.mark.parametrize("late", [0, 90 * DAY])
def test_the_newest_boot_is_that_of_the_latest_wall_clock(tmp_path: Path, late: int) -> None:
    """
    The older boot's recorder has started later after its boot.

    :param late: by how much the newer boot's clock was wrong until it was set
    """
    for number, (start, real, steps) in enumerate(
        [(900 * S, START, ()), (5 * S, START + DAY - late, ((9 * S, 9 * S, START + DAY, 0),))]
    ):
        story = Synthetic(
            start=start,
            real_offset=real,
            steps=steps,
            tag=0x9000 + 16 * number,
            boot_id=bytes([number]) * 16,
        )
        story.record(0, start + 5 * S, 1, "mark", text=f"boot {number}")
        save_trace(story.trace(), tmp_path / f"{number}.lkst")
    traces = open_source(str(tmp_path))
    assert [trace.header.tag for trace in traces] == [0x9010, 0x9000]


def test_a_recorder_of_an_earlier_boot_comes_behind_the_last_one() -> None:
    images = []
    for number, (start, real) in enumerate([(900 * S, START), (5 * S, START + DAY)]):
        story = Synthetic(start=start, real_offset=real, boot_id=bytes([number]) * 16)
        story.record(0, start, 1, "mark", text="x")
        images.append(story.image())
    merged = merge_images(images, [])
    assert [parse_header(image.catalogue).start for image in merged] == [5 * S, 900 * S]
