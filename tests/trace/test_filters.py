# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters: which records pass, and what a user is told."""

import pytest
from synthetic import Synthetic

from lkst.errors import Usage
from lkst.trace.filters import (
    Filters,
    apply,
    match_events,
    parse_cpus,
    parse_last,
    parse_patterns,
    parse_pids,
    parse_time,
)
from lkst.trace.trace import Trace

SECOND = 1_000_000_000


@pytest.fixture
def trace() -> Trace:
    """Give records whose times in seconds say which is which; the panic is at 10 s."""
    made = Synthetic(nr_cpus=4)
    made.record(0, 1 * SECOND, 12, "sched_switch", prev_comm="sh", next_comm="make", next_pid=30)
    made.record(1, 2 * SECOND, 0, "sched_wakeup", comm="sh", pid=12)
    made.record(1, 3 * SECOND, 0, "softirq_entry", vec=1)
    made.record(2, 4 * SECOND, 40, "sys_enter", nr=1)
    made.record(3, 5 * SECOND, 40, "task_rename", oldcomm="cc", newcomm="ld", pid=40)
    made.record(0, 6 * SECOND, 30, "irq_handler_entry", name="eth0", irq=3)
    made.record(2, 7 * SECOND, 40, "sys_exit", nr=1)
    made.record(0, 10 * SECOND, 30, "panic", message="that was it")
    made.record(0, 11 * SECOND, 30, "console", text="after")
    return made.trace()


def passed(trace: Trace, **filters: object) -> list[float]:
    return [ts / SECOND for ts in apply(trace, Filters(**filters)).ts.tolist()]  # type: ignore[arg-type]


def test_nothing_is_filtered_unless_asked(trace: Trace) -> None:
    assert passed(trace) == [1, 2, 3, 4, 5, 6, 7, 10, 11]


def test_around(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkst.trace.filters.AROUND", 2)
    assert passed(trace, around=-5 * SECOND) == [3, 4, 5, 6]
    assert passed(trace, around=-5 * SECOND, cpus=frozenset({0})) == [1, 6, 10]
    assert passed(trace, around=-4_500_000_000) == [4, 5, 6, 7]
    assert passed(trace, around=-60 * SECOND) == [1, 2]
    assert passed(trace, around=60 * SECOND) == [10, 11]
    assert passed(trace, around=-5 * SECOND, last=1) == [6]


def test_cpus(trace: Trace) -> None:
    assert passed(trace, cpus=frozenset({1, 3, 9})) == [2, 3, 5]


def test_pids_that_write_or_are_named(trace: Trace) -> None:
    # 12 is switched away from at 1 and woken by another task at 2.
    assert passed(trace, pids=frozenset({12})) == [1, 2]
    # 30 is switched to at 1.
    assert passed(trace, pids=frozenset({30})) == [1, 6, 10, 11]
    assert passed(trace, pids=frozenset({999})) == []


def test_comms_that_write_or_are_named(trace: Trace) -> None:
    assert passed(trace, comms=("sh",)) == [1, 2]
    assert passed(trace, comms=("ma*",)) == [1, 6, 10, 11]
    # Task 40 is "cc" up to 5, and "ld" from then on.
    assert passed(trace, comms=("cc",)) == [4, 5]
    assert passed(trace, comms=("ld",)) == [5, 7]
    assert passed(trace, comms=("sh", "ld")) == [1, 2, 5, 7]


def test_events_by_name_category_and_old_name(trace: Trace) -> None:
    assert passed(trace, events=("sched_w*",)) == [2]
    assert passed(trace, events=("irq",)) == [6]
    assert passed(trace, events=("*irq",)) == [3, 6]
    assert passed(trace, events=("process_contextswitch", "SYSCALL_E*")) == [1, 4, 7]


def test_times_count_from_the_panic(trace: Trace) -> None:
    assert passed(trace, since=-5 * SECOND) == [5, 6, 7, 10, 11]
    assert passed(trace, until=-5 * SECOND) == [1, 2, 3, 4, 5]
    assert passed(trace, since=-4 * SECOND, until=0) == [6, 7, 10]


def test_last_is_taken_of_what_passed(trace: Trace) -> None:
    assert passed(trace, last=2) == [10, 11]
    assert passed(trace, last=2, cpus=frozenset({2})) == [4, 7]
    assert passed(trace, last=100) == [1, 2, 3, 4, 5, 6, 7, 10, 11]


def test_filters_narrow_each_other(trace: Trace) -> None:
    assert passed(trace, cpus=frozenset({0}), pids=frozenset({30}), events=("sched",)) == [1]


def test_a_selection_keeps_names_and_end_of_the_whole(trace: Trace) -> None:
    chosen = apply(trace, Filters(last=1, until=-SECOND))
    names, codes = chosen.comms()
    assert [names[code] for code in codes] == ["ld"]
    assert chosen.end == 10 * SECOND


def test_unknown_event_is_told_with_the_nearest(trace: Trace) -> None:
    with pytest.raises(Usage, match=r"no event.* matches 'sched_swich': did you mean sched_switch"):
        apply(trace, Filters(events=("irq", "sched_swich")))
    with pytest.raises(Usage, match=r"matches 'PROCESS_WAKUP': did you mean PROCESS_WAKEUP"):
        match_events(trace.catalogue, ["PROCESS_WAKUP"])
    with pytest.raises(Usage, match=r"matches '%%%'$"):
        match_events(trace.catalogue, ["%%%"])


def test_matched_events_come_once_and_in_order(trace: Trace) -> None:
    found = match_events(trace.catalogue, ["softirq_*", "irq", "softirq"])
    assert [event.name for event in found] == [
        "irq_handler_entry",
        "irq_handler_exit",
        "local_timer_entry",
        "reschedule_entry",
        "call_function_entry",
        "call_function_single_entry",
        "ipi_send_cpu",
        "softirq_raise",
        "softirq_entry",
        "softirq_exit",
        "tasklet_hi_action",
        "tasklet_entry",
        "tasklet_exit",
        "nmi_handler",
        "softirq_time",
    ]


def test_lists() -> None:
    assert parse_cpus("0,2-3") == {0, 2, 3}
    assert parse_cpus(" 1 , 1 ") == {1}
    assert parse_pids("12,34") == {12, 34}
    assert parse_patterns("sched_*, irq") == ("sched_*", "irq")
    assert parse_last("100") == 100


@pytest.mark.parametrize("text", ["", "a", "1,", "3-1", "-1", "1-2-3", "99999999999", "0x1", "²"])
def test_no_cpus(text: str) -> None:
    with pytest.raises(Usage):
        parse_cpus(text)


@pytest.mark.parametrize("text", ["", "sh", "1,,2", "-1", "99999999"])
def test_no_pids(text: str) -> None:
    with pytest.raises(Usage):
        parse_pids(text)


@pytest.mark.parametrize("text", ["", "0", "-5", "1.5", "all"])
def test_no_number(text: str) -> None:
    with pytest.raises(Usage):
        parse_last(text)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("-2s", -2_000_000_000),
        ("-0.5s", -500_000_000),
        ("-.5", -500_000_000),
        ("-3", -3_000_000_000),
        ("-300ms", -300_000_000),
        ("-20us", -20_000),
        ("-5ns", -5),
        ("+1.000000001s", 1_000_000_001),
        ("0", 0),
    ],
)
def test_times(text: str, ns: int) -> None:
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    "text", ["", "s", "-", "1h", "1e9", "nan", "--1", "1 s", "9" * 30, "9999999999s"]
)
def test_no_times(text: str) -> None:
    with pytest.raises(Usage):
        parse_time(text)


def test_buffers() -> None:
    made = Synthetic(more={"spare-1": 64, "spare-2": 64})
    for second, buffer in enumerate((0, 1, 2, 0, 1), 1):
        made.record(0, second * SECOND, 7, "sys_enter", buffer=buffer)
    trace = made.trace()
    assert passed(trace, buffers=("main",)) == [1, 4]
    assert passed(trace, buffers=("spare-*",)) == [2, 3, 5]
    assert passed(trace, buffers=("main", "spare-2")) == [1, 3, 4]
    with pytest.raises(Usage, match="no buffer matches 'man': did you mean main"):
        passed(trace, buffers=("man",))
    with pytest.raises(Usage, match="'x': there are main, spare-1, spare-2"):
        passed(trace, buffers=("x",))
