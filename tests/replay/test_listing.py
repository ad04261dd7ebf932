# SPDX-License-Identifier: GPL-2.0-or-later
"""``lkst list`` and ``lkst events``."""

import json

import pytest
from synthetic import Synthetic

from lkst.abi import layout
from lkst.decode.catalogue import parse_catalogue
from lkst.errors import Usage
from lkst.replay.events import show_events
from lkst.replay.listing import list_json, list_text
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace

T = 100_000_000_000


def made() -> Trace:
    story = Synthetic(nr_cpus=3, nr_slots=8, states={"tasklet_entry": "absent"})
    for ts in range(10):
        story.record(0, T - 1_250_000_000 + ts, 7, "sched_process_exit", comm="sh")
    story.record(0, T, 7, "panic", message="Fatal\x1bexception")
    story.record(1, T - 5, 0, "softirq_exit", committed=False)
    image = story.image()
    image.suppressed = {story.id("sched_switch"): 3}
    return build_trace(image, Facts(source="vmcore", kind="vmcore"))


def rows(text: str, heading: str) -> list[list[str]]:
    """Give the rows of the table whose first line starts so."""
    lines = text.splitlines()
    (start,) = (at for at, line in enumerate(lines) if line.split()[:1] == [heading])
    end = next((at for at, line in enumerate(lines) if at > start and not line), len(lines))
    return [line.split() for line in lines[start + 1 : end]]


def test_list_by_cpu() -> None:
    text = list_text(made())
    assert rows(text, "CPU") == [
        ["0", "8", "-1.249999997", "0.000000000", "1.250", "11", "3", "0", "0", "0"],
        ["1", "1", "-0.000000005", "-0.000000005", "0.000", "1", "0", "1", "0", "0"],
        ["never", "recorded", "anything:", "CPU", "2"],
    ]


def test_list_by_event() -> None:
    text = list_text(made())
    assert rows(text, "event") == [
        ["sched_switch", "sched", "0", "0", "0", "3", "attached"],
        ["sched_process_exit", "sched", "7", "10", "3", "0", "attached"],
        ["softirq_exit", "softirq", "1", "1", "0", "0", "attached"],
        ["panic", "trouble", "1", "1", "0", "0", "attached"],
    ]
    assert "absent, never recorded:\n  tasklet_entry\n" in text
    assert max(map(len, text.splitlines())) <= 120


def test_list_starts_with_whose_it_is() -> None:
    assert list_text(made()).startswith("source     vmcore (vmcore)\nkernel ")
    assert "panic      Fatal\\x1bexception  CPU 0  sh:7\n" in list_text(made())


def test_counts_that_are_not_known() -> None:
    trace = made()
    trace.image.cpus = trace.image.cpus[:-1]
    assert rows(list_text(trace), "event")[1][2:5] == ["7", "-", "-"]
    trace = made()
    trace.image.control = b""
    assert rows(list_text(trace), "event")[1][-1] == "unknown"


def test_counts_that_cannot_be_are_not_known() -> None:
    trace = made()
    trace.image.cpus = bytes(len(trace.image.cpus))
    assert json.loads(list_json(trace))["events"][trace.event[0] - 1]["ever"] is None


def test_what_was_suppressed_is_not_known() -> None:
    trace = made()
    trace.image.suppressed = None
    assert {row[-2] for row in rows(list_text(trace), "event")} == {"-"}
    assert {entry["suppressed"] for entry in json.loads(list_json(trace))["events"]} == {None}


def test_list_json() -> None:
    answer = json.loads(list_json(made()))
    assert answer["panic"] == {"message": "Fatal\\x1bexception", "cpu": 0, "task": "sh:7"}
    assert answer["end"] == T
    assert answer["recorder"]["rings"] == 3
    assert answer["cpus"][0] == {
        "cpu": 0,
        "records": 8,
        "first": T - 1_249_999_997,
        "last": T,
        "claimed": 11,
        "overwritten": 3,
        "in_flight": 0,
        "torn": 0,
        "unreadable": 0,
        "unsaved": 0,
        "head_guessed": False,
        # No record of a switch is there.
        "unrecorded_switches": None,
    }
    assert answer["cpus"][2]["first"] is None
    by_name = {entry["event"]: entry for entry in answer["events"]}
    assert by_name["sched_process_exit"]["overwritten"] == 3
    assert by_name["sched_switch"]["suppressed"] == 3
    assert by_name["tasklet_entry"]["state"] == "absent"


def test_an_empty_trace() -> None:
    trace = Synthetic().trace()
    assert "never recorded anything: CPU 0-1\n" in list_text(trace)
    assert json.loads(list_json(trace))["panic"] is None


def test_events() -> None:
    catalogue = parse_catalogue(Synthetic().catalogue())
    text = show_events(catalogue, "sys_enter,PROCESS_W*", "text")
    assert text.startswith("event ")
    assert [line.split()[:4] for line in text.splitlines()[1:]] == [
        ["sched_wakeup", "sched", "PROCESS_WAKEUP", "comm"],
        ["sys_enter", "syscall", "SYSCALL_ENTRY", "arg0"],
    ]
    assert text.splitlines()[1].endswith("comm pid prio target_cpu       a task becomes runnable")
    assert len(show_events(catalogue, None, "text").splitlines()) == 1 + len(catalogue.events)


def test_events_json() -> None:
    catalogue = parse_catalogue(Synthetic().catalogue())
    (event,) = json.loads(show_events(catalogue, "timer_start", "json"))
    assert event["old_name"] == "TIMER_ADD"
    assert event["by_default"] is False
    assert event["fields"][2] == {"name": "expires", "type": "u64", "unit": "jiffies"}


def test_events_that_are_not_there() -> None:
    with pytest.raises(Usage, match="did you mean sched_switch"):
        show_events(parse_catalogue(Synthetic().catalogue()), "shed_switch", "text")


def test_list_by_buffer() -> None:
    story = Synthetic(nr_slots=8, more={"second": 64, "idle": 16})
    story.into = 1
    story.record(0, T - 2_000_000_000, 7, "softirq_exit")
    story.record(1, T - 1_500_000_000, 7, "softirq_exit")
    story.record(1, T, 7, "softirq_exit", buffer=1)
    story.buffers[0].limits = [1, layout.NO_LIMIT]
    assert rows(list_text(story.trace()), "buffer") == [
        ["main", "frozen", "8", "2", "-2.000000000", "-1.500000000", "0.500"],
        ["second", "written", "to", "64", "1", "0.000000000", "0.000000000", "0.000"],
        ["idle", "spare", "16", "0", "-", "-", "-"],
    ]
    assert json.loads(list_json(story.trace()))["buffers"][0] == {
        "buffer": "main",
        "number": 0,
        "state": "frozen",
        "slots": 8,
        "records": 2,
        "first": T - 2_000_000_000,
        "last": T - 1_500_000_000,
    }


def test_the_only_buffer_is_told_when_it_is_frozen() -> None:
    story = Synthetic(nr_slots=8)
    story.record(0, T, 7, "softirq_exit")
    assert "buffer" not in list_text(story.trace())
    story.buffers[0].limits = [1, 1]
    assert rows(list_text(story.trace()), "buffer")[0][:2] == ["main", "frozen"]
