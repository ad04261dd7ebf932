# SPDX-License-Identifier: GPL-2.0-or-later
"""``lkst counts``."""

import json
from pathlib import Path

from dumps import Run
import pytest
from synthetic import EventSpec, FieldSpec, Synthetic

from lkst.decode.catalogue import parse_catalogue
from lkst.decode.counts import read_counts
from lkst.errors import Usage
from lkst.replay.counts import chosen_counts, show_counts
from lkst.source.saved import save_image
from lkst.trace.facts import Facts

EVENTS = [
    EventSpec("wait", "delay", fields=(FieldSpec("u64", "delay", "ns"), FieldSpec("s32", "left"))),
    EventSpec("done", "sched"),
]


def shown(story: Synthetic, *patterns: str) -> tuple[str, dict[str, object]]:
    """Give both forms."""
    image = story.image()
    catalogue = parse_catalogue(image.catalogue)
    counts = chosen_counts(read_counts(image, catalogue), catalogue, patterns or None)
    text, told = (show_counts(counts, catalogue, form) for form in ("text", "json"))
    return text, json.loads(told)


def made() -> Synthetic:
    story = Synthetic(EVENTS)
    story.count(0, "done", 3)
    story.count(1, "done", 4)
    story.hist("wait", "delay", [700, 800, 900, 3000], [5_000_000])
    story.hist("wait", "left", [-5, 0, 1], [6])
    return story


def test_rows() -> None:
    image = made().image()
    catalogue = parse_catalogue(image.catalogue)
    counts = read_counts(image, catalogue)
    lines = show_counts(counts, catalogue, "jsonl").splitlines()
    rows = [tuple(json.loads(line).values()) for line in lines]
    assert rows[:3] == [
        ("wait", "delay", None, None, None, None, 9),
        ("done", "sched", None, None, None, None, 7),
        ("wait", "delay", "delay", "ns", 512, 1024, 3),
    ]
    assert ("wait", "delay", "left", "", None, 1, 2) in rows
    cells = show_counts(counts, catalogue, "csv").splitlines()
    assert cells[:2] == ["event,category,field,unit,low,high,count", "wait,delay,,,,,9"]
    assert len(cells) == 1 + len(rows)


def test_text() -> None:
    assert shown(made())[0].splitlines() == [
        "event    category      counted",
        "wait     delay               9",
        "done     sched               7",
        "",
        "wait delay: 5 values, mean 1ms",
        "  [512ns, 1.02us)   3 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|",
        "  [1.02us, 2.05us)  0 |                                        |",
        "  [2.05us, 4.1us)   1 |@@@@@@@@@@@@@                           |",
        "  [4.1us, 8.19us)   0 |                                        |",
        "  [8.19us, 16.4us)  0 |                                        |",
        "  [16.4us, 32.8us)  0 |                                        |",
        "  [32.8us, 65.5us)  0 |                                        |",
        "  [65.5us, 131us)   0 |                                        |",
        "  [131us, 262us)    0 |                                        |",
        "  [262us, 524us)    0 |                                        |",
        "  [524us, 1.05ms)   0 |                                        |",
        "  [1.05ms, 2.1ms)   0 |                                        |",
        "  [2.1ms, 4.19ms)   0 |                                        |",
        "  [4.19ms, 8.39ms)  1 |@@@@@@@@@@@@@                           |",
        "",
        "wait left: 4 values, mean 1.75",
        "  0 or less  2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|",
        "  [1, 2)     1 |@@@@@@@@@@@@@@@@@@@@                    |",
        "  [2, 4)     0 |                                        |",
        "  [4, 8)     1 |@@@@@@@@@@@@@@@@@@@@                    |",
    ]


def test_json() -> None:
    _, answer = shown(made())
    assert answer["events"] == [
        {"event": "wait", "category": "delay", "counted": 9},
        {"event": "done", "category": "sched", "counted": 7},
    ]
    delay, left = answer["histograms"]  # type: ignore[misc]
    assert (delay["event"], delay["field"], delay["unit"]) == ("wait", "delay", "ns")  # type: ignore[has-type]
    assert (delay["count"], delay["sum"], delay["mean"]) == (5, 5005400, 1001080)  # type: ignore[has-type]
    assert delay["buckets"][0] == {"low": 512, "high": 1024, "count": 3}  # type: ignore[has-type]
    assert left["buckets"][0] == {"low": None, "high": 1, "count": 2}  # type: ignore[has-type]


def test_some_events() -> None:
    text, answer = shown(made(), "sched")
    assert text.splitlines() == ["event    category      counted", "done     sched               7"]
    assert answer["histograms"] == []
    with pytest.raises(Usage, match="done"):
        shown(made(), "dome")


def test_the_last_bucket_has_no_end() -> None:
    story = Synthetic(EVENTS)
    story.hist("wait", "left", [1 << 62, 1])
    text, answer = shown(story)
    assert text.splitlines()[-1].startswith("  [4E, ...)     1 |")
    assert answer["histograms"][0]["buckets"][-1]["high"] is None  # type: ignore[index]


def test_damage_in_the_rings_is_not_looked_for(lkst: Run, tmp_path: Path) -> None:
    story = made()
    for ts in range(10):
        story.record(0, ts + 1, 7, "done")
    story.rings[5 * 64] ^= 1
    save_image(story.image(), Facts(), tmp_path / "a.lkst", {}, {})
    assert lkst("list", tmp_path / "a.lkst").status == 3
    result = lkst("counts", tmp_path / "a.lkst")
    assert (result.status, result.stderr) == (0, "")
    assert "7" in result.stdout.split()
