# SPDX-License-Identifier: GPL-2.0-or-later
"""What each CPU was doing when, of made-up traces."""

from typing import Any

import numpy as np
import pytest
from synthetic import Synthetic

from lkst.report.intervals import BEGAN_BEFORE, GOES_ON
from lkst.report.lanes import LANES, find_lanes, find_tasks, find_wakeups, states_left
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace

#: Times of begin and end, CPU, name, how it is cut off.
Stretch = tuple[int, int, int, str, int]


def _trace(made: Synthetic) -> Trace:
    names = Names(syscalls={0: "read", 1: "write"}, symbol={0x10: "disk_irq", 0x20: "tick"}.get)
    return made.trace(Facts(names=names))


def _lanes(made: Synthetic) -> dict[str, list[Stretch]]:
    trace = _trace(made)
    tasks = find_tasks(trace)
    found = {}
    for lane in find_lanes(trace, tasks):
        names = (
            [f"{name}:{pid}" for pid, name in tasks.tasks] if lane.kind == "task" else lane.names
        )
        found[lane.kind] = [
            (begin, end, cpu, names[name], cut)
            for begin, end, cpu, name, cut in zip(
                trace.ts[lane.begin].tolist(),
                trace.ts[lane.end].tolist(),
                lane.cpu.tolist(),
                lane.name.tolist(),
                lane.cut.tolist(),
                strict=True,
            )
        ]
    assert tuple(found) == LANES
    return found


def _switch(made: Synthetic, cpu: int, ts: int, pid: int, next_pid: int) -> None:
    prev, following = (f"t{task}" if task else f"swapper/{cpu}" for task in (pid, next_pid))
    made.record(
        cpu, ts, pid, "sched_switch", prev_comm=prev, next_comm=following, next_pid=next_pid
    )


def test_tasks_run_between_switches() -> None:
    made = Synthetic(nr_cpus=2)
    made.record(0, 100, 7, "sys_enter")
    _switch(made, 0, 200, 7, 8)
    made.record(0, 250, 8, "sys_exit")
    _switch(made, 0, 300, 8, 0)
    _switch(made, 0, 400, 0, 7)
    made.record(1, 500, 9, "sys_enter")
    assert _lanes(made)["task"] == [
        (100, 200, 0, "t7:7", BEGAN_BEFORE),
        (200, 300, 0, "t8:8", 0),
        (300, 400, 0, "swapper/0:0", 0),
        # Nothing is recorded of it any more.
        (400, 400, 0, "t7:7", GOES_ON),
        (500, 500, 1, ":9", BEGAN_BEFORE | GOES_ON),
    ]


def test_a_switch_is_lost() -> None:
    made = Synthetic(nr_cpus=1)
    made.record(0, 100, 7, "sys_enter")
    made.record(0, 200, 8, "sys_enter")
    made.record(0, 300, 8, "sys_exit")
    assert [stretch[:2] for stretch in _lanes(made)["task"]] == [(100, 200), (200, 300)]


def test_a_system_call_goes_on_elsewhere() -> None:
    made = Synthetic(nr_cpus=2)
    made.record(0, 100, 7, "sys_enter", nr=1)
    _switch(made, 0, 200, 7, 8)
    made.record(0, 220, 8, "sys_enter", nr=0)
    made.record(0, 240, 8, "sys_exit", nr=0)
    _switch(made, 1, 300, 9, 7)
    made.record(1, 350, 7, "sys_exit", nr=1)
    made.record(1, 360, 7, "sys_enter", nr=0)
    assert _lanes(made)["syscall"] == [
        (100, 200, 0, "write", GOES_ON),
        (220, 240, 0, "read", 0),
        (300, 350, 1, "write", BEGAN_BEFORE),
        (360, 360, 1, "read", GOES_ON),
    ]


def test_a_system_call_that_began_before_the_trace() -> None:
    made = Synthetic(nr_cpus=1)
    made.record(0, 100, 7, "page_fault_kernel")
    made.record(0, 200, 7, "sys_exit", nr=1)
    made.record(0, 300, 7, "page_fault_user")
    # Of one that says nothing of a system call there is none.
    made.record(0, 400, 8, "page_fault_user")
    assert _lanes(made)["syscall"] == [(100, 200, 0, "write", BEGAN_BEFORE)]


@pytest.mark.parametrize("state", ["attached", "unattached"])
def test_ends_that_are_not_recorded(state: str) -> None:
    made = Synthetic(nr_cpus=1, states={"sys_exit": state})
    made.record(0, 100, 7, "sys_enter", nr=1)
    made.record(0, 200, 7, "sys_enter", nr=1)
    trace = _trace(made)
    lane = next(one for one in find_lanes(trace, find_tasks(trace)) if one.kind == "syscall")
    assert (len(lane), lane.note) == (0, "sys_exit was not recorded")


def test_handlers() -> None:
    made = Synthetic(nr_cpus=2)
    made.record(0, 100, 7, "irq_handler_entry", irq=5, handler=0x10)
    # Another CPU handles the same interrupt.
    made.record(1, 110, 9, "irq_handler_entry", irq=5, handler=0x10)
    made.record(0, 120, 7, "irq_handler_exit", irq=5)
    made.record(0, 130, 7, "softirq_entry", vec=1)
    made.record(0, 140, 7, "hrtimer_expire_entry", hrtimer=0x99, function=0x20)
    made.record(0, 150, 7, "hrtimer_expire_exit", hrtimer=0x99)
    made.record(0, 160, 7, "softirq_exit", vec=1)
    made.record(1, 170, 9, "irq_handler_exit", irq=5)
    lanes = _lanes(made)
    assert lanes["irq"] == [
        (100, 120, 0, "disk_irq", 0),
        (140, 150, 0, "hrtimer tick", 0),
        (110, 170, 1, "disk_irq", 0),
    ]
    assert lanes["softirq"] == [(130, 160, 0, "TIMER", 0)]


def test_handlers_whose_ends_are_lost() -> None:
    made = Synthetic(nr_cpus=1)
    made.record(0, 100, 7, "sys_enter")
    made.record(0, 200, 7, "softirq_exit", vec=3)
    made.record(0, 300, 7, "softirq_entry", vec=1)
    made.record(0, 400, 7, "sys_enter")
    made.record(0, 500, 7, "softirq_entry", vec=1)
    made.record(0, 600, 7, "softirq_entry", vec=1)
    made.record(0, 700, 7, "page_fault_kernel")
    assert _lanes(made)["softirq"] == [
        # Not longer than since the task was last seen to do something itself.
        (100, 200, 0, "NET_RX", BEGAN_BEFORE),
        (300, 400, 0, "TIMER", GOES_ON),
        (500, 600, 0, "TIMER", GOES_ON),
        (600, 700, 0, "TIMER", GOES_ON),
    ]


def test_what_follows_for_a_task() -> None:
    made = Synthetic(nr_cpus=2)
    states = {1: 0x2, 2: 0x1, 3: 0x0}  # include/linux/sched.h: D, S, R
    made.record(0, 50, 9, "sys_enter")
    for number, state in states.items():
        made.record(0, 100 * number, 9, "sched_switch", prev_state=state, next_pid=8)
        made.record(1, 100 * number + 10, 3, "sched_wakeup", pid=9)
        _switch(made, 0, 100 * number + 50, 8, 9)
    made.record(1, 900, 3, "sched_wakeup_new", pid=11)
    trace = _trace(made)
    tasks = find_tasks(trace)
    lane = find_lanes(trace, tasks)[0]
    names, left = states_left(trace, lane)
    own = [tasks.tasks[code][0] == 9 for code in lane.name.tolist()]
    # Of the last one nobody knows, since it goes on.
    assert [names[code] for code in left[own].tolist()] == ["D", "S", "R", ""]
    rows, pids = find_wakeups(trace)
    assert trace.ts[rows].tolist() == [110, 210, 310, 900]
    assert pids.tolist() == [9, 9, 9, 11]


def test_nothing() -> None:
    made = Synthetic()
    trace = made.trace()
    tasks = find_tasks(trace)
    assert not tasks.tasks
    assert [(lane.kind, len(lane)) for lane in find_lanes(trace, tasks)] == [
        (kind, 0) for kind in LANES
    ]


def test_random_records_never_lead_out_of_a_cpu() -> None:
    random = np.random.default_rng(7)
    names = (
        "sched_switch sys_enter sys_exit softirq_entry softirq_exit irq_handler_entry"
        " irq_handler_exit page_fault_user"
    ).split()
    for _ in range(30):
        made = Synthetic(nr_cpus=3)
        for ts in range(1, 1 + int(random.integers(0, 60))):
            name = str(random.choice(names))
            number = int(random.integers(0, 3))
            key = {"sched_switch": "next_pid", "softirq_entry": "vec", "softirq_exit": "vec"}
            fields: dict[str, Any] = {key[name]: number} if name in key else {}
            made.record(int(random.integers(0, 3)), ts, int(random.integers(0, 3)), name, **fields)
        trace = made.trace()
        for lane in find_lanes(trace, find_tasks(trace)):
            assert (trace.cpu[lane.begin] == lane.cpu).all()
            assert (trace.cpu[lane.end] == lane.cpu).all()
            assert (lane.begin <= lane.end).all()
            ordered = np.lexsort((lane.begin, lane.cpu))
            assert (ordered == np.arange(len(lane))).all()
