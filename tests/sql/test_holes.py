# SPDX-License-Identifier: GPL-2.0-or-later
"""No interval is paired over records that are lost."""

from typing import Any

import pytest
from synthetic import Synthetic

from lkst.sql.connect import connect
from lkst.trace.filters import Filters, apply

SYSCALLS = "SELECT start_ns, end_ns, duration_ns, open FROM syscalls ORDER BY start_ns, end_ns"
CUT = [(100, None, None, "end"), (None, 300, None, "start")]
WHOLE = [(100, 300, 200, None)]


def rows(made: Synthetic, query: str) -> list[tuple[Any, ...]]:
    return connect(made.trace()).execute(query).fetchall()


def lose(made: Synthetic, cpu: int) -> None:
    """Have a record lost: its slot is claimed, and holds nothing."""
    made.heads[cpu] += 1


def call(made: Synthetic, lost: int | None, *, away: bool = False, switches: bool = True) -> None:
    """
    Have a task call on CPU 0.

    :param lost: CPU that loses a record meanwhile
    :param away: whether the task leaves its CPU meanwhile
    """
    if switches:
        made.record(0, 50, 9, "sched_switch", next_pid=7)
    made.record(1, 60, 8, "mark")
    made.record(0, 100, 7, "sys_enter", nr=1)
    if lost is not None:
        lose(made, lost)
    if away:
        made.record(0, 200, 7, "sched_switch", prev_state=1, next_pid=9)
        made.record(0, 250, 9, "sched_switch", next_pid=7)
    made.record(0, 300, 7, "sys_exit", nr=1)
    made.record(1, 310, 8, "mark")


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({"lost": None}, WHOLE),
        ({"lost": None, "away": True}, WHOLE),
        ({"lost": 0}, CUT),
        # It has been on its own CPU, of which all is known.
        ({"lost": 1}, WHOLE),
        # It may have come back from its call, and have made another one, on CPU 1.
        ({"lost": 1, "away": True}, CUT),
        # Whether it was away is not known.
        ({"lost": 1, "switches": False}, CUT),
    ],
)
def test_record_is_lost(how: dict[str, Any], found: list[tuple[Any, ...]]) -> None:
    made = Synthetic()
    call(made, **how)
    assert rows(made, SYSCALLS) == found


def test_ring_is_overwritten() -> None:
    """CPU 1 tells nothing of the time before 500: what was on it then is not known."""
    made = Synthetic(nr_slots=4)
    made.record(0, 100, 0, "block_rq_issue", rq=1)
    made.record(0, 300, 0, "block_rq_complete", rq=1)
    made.record(0, 600, 0, "block_rq_issue", rq=1)
    made.record(0, 700, 0, "block_rq_complete", rq=1)
    for number in range(5):
        made.record(1, 400 + 100 * number, 0, "mark")
    query = "SELECT start_ns, end_ns, open FROM block_requests ORDER BY start_ns"
    expected = [(100, None, "end"), (600, 700, None), (None, 300, "start")]
    assert rows(made, query) == expected
    assert rows(made, "FROM holes") == [(1, None, 500)]
    assert rows(made, "SELECT complete_ns FROM trace") == [(500,)]


def test_interrupts_are_their_cpus_own() -> None:
    made = Synthetic()
    for cpu in (0, 1):
        made.record(cpu, 100 + cpu, 0, "irq_handler_entry", irq=5)
    lose(made, 1)
    for cpu in (0, 1):
        made.record(cpu, 200 + cpu, 0, "irq_handler_exit", irq=5)
    query = "SELECT cpu, duration_ns, open FROM irqs ORDER BY cpu, start_ns"
    assert rows(made, query) == [(0, 100, None), (1, None, "end"), (1, None, "start")]


def test_another_maskset_may_record_less() -> None:
    made = Synthetic()
    made.record(0, 100, 7, "sys_enter", nr=1)
    made.record(1, 200, 8, "maskset_use", name="off")
    made.record(0, 300, 7, "sys_exit", nr=1)
    assert rows(made, SYSCALLS) == CUT


def test_switches_that_contradict_each_other_are_no_run() -> None:
    made = Synthetic()
    made.record(0, 100, 7, "sched_switch", next_pid=8)
    made.record(0, 200, 9, "sched_switch", next_pid=7)
    query = "SELECT pid, start_ns, end_ns FROM running ORDER BY ALL NULLS FIRST"
    assert rows(made, query) == [(7, None, 100), (7, 200, None), (8, 100, None), (9, None, 200)]


def test_selection_is_paired_as_the_whole() -> None:
    made = Synthetic()
    call(made, None)
    chosen = apply(made.trace(), Filters(events=("sys_enter", "mark")))
    assert connect(chosen).execute(SYSCALLS).fetchall() == WHOLE


def test_time_that_an_interrupt_has_overtaken_is_no_hole() -> None:
    """A record claims its slot, is interrupted, and then has a later time than the next slot's."""
    made = Synthetic()
    made.record(0, 100, 7, "sys_enter", nr=1)
    made.record(0, 210, 7, "sched_wakeup", pid=9)
    made.record(0, 200, 7, "softirq_raise", vec=1)
    made.record(0, 300, 7, "sys_exit", nr=1)
    assert rows(made, "FROM holes") == []
    assert rows(made, SYSCALLS) == WHOLE


@pytest.mark.parametrize("missing", [False, True])
def test_a_switch_without_a_record(missing: bool) -> None:
    """Whose time it was until another thread shows up is not known; all else is."""
    made = Synthetic()
    made.record(0, 100, 9, "sched_switch", next_pid=7)
    made.record(0, 150, 7, "block_rq_issue", rq=1)
    if not missing:
        made.record(0, 200, 7, "sched_switch", next_pid=8)
    made.record(0, 300, 8, "block_rq_complete", rq=1)
    made.record(0, 400, 8, "sched_switch", next_pid=9)
    made.record(0, 500, 9, "sched_switch", next_pid=7)
    query = "SELECT start_ns, duration_ns, pid FROM contexts ORDER BY start_ns"
    spans = [(100, None, 7)] if missing else [(100, 100, 7), (200, 200, 8)]
    assert rows(made, query) == [*spans, (400, 100, 9), (500, None, 7)]
    assert rows(made, "SELECT duration_ns FROM block_requests") == [(150,)]
