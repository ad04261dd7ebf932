# SPDX-License-Identifier: GPL-2.0-or-later
"""Switches that have no record show up as threads that nobody switched to."""

import json

import pytest
from synthetic import Synthetic

from lkst.abi.control import read_control
from lkst.replay.listing import list_json, list_text
from lkst.trace.facts import Facts
from lkst.trace.gaps import unrecorded_switches
from lkst.trace.trace import Trace, build_trace


def switch(made: Synthetic, ts: int, old: int, new: int, cpu: int = 0) -> None:
    made.record(cpu, ts, old, "sched_switch", prev_comm="a", next_comm="b", next_pid=new)


def call(made: Synthetic, ts: int, pid: int, cpu: int = 0) -> None:
    made.record(cpu, ts, pid, "sys_enter", nr=39)


def built(made: Synthetic) -> Trace:
    return build_trace(made.image(), Facts())


def found(made: Synthetic) -> list[int] | None:
    """Give the times at which gaps show."""
    trace = built(made)
    gaps = unrecorded_switches(trace)
    return None if gaps is None else trace.ts[gaps.rows].tolist()


def test_nothing_is_missing() -> None:
    made = Synthetic(nr_cpus=2)
    for cpu in (0, 1):
        # Two CPUs at the same time, whose threads differ.
        switch(made, 10, 1, 2 + cpu, cpu)
        call(made, 20, 2 + cpu, cpu)
        switch(made, 30, 2 + cpu, 0, cpu)
        switch(made, 40, 0, 1, cpu)
    assert found(made) == []
    assert "without a record" not in list_text(built(made))


def test_a_thread_that_nobody_switched_to() -> None:
    made = Synthetic(nr_cpus=2)
    switch(made, 10, 1, 2)
    call(made, 20, 2)
    call(made, 30, 3)
    call(made, 40, 3)
    switch(made, 50, 3, 4)
    switch(made, 60, 5, 6)
    switch(made, 10, 1, 2, 1)
    switch(made, 20, 2, 1, 1)
    assert found(made) == [30, 60]
    trace = built(made)
    gaps = unrecorded_switches(trace)
    assert gaps is not None
    assert trace.ts[gaps.before].tolist() == [20, 50]
    assert gaps.left.tolist() == [2, 4]
    assert [cpu["unrecorded_switches"] for cpu in json.loads(list_json(trace))["cpus"]] == [2, 0]
    assert "switches without a record: CPU 0: 2 at least" in list_text(trace)


def test_the_previous_thread_runs_until_the_switch() -> None:
    """An NMI between the tracepoint and the switch is still the previous thread's."""
    made = Synthetic()
    switch(made, 10, 1, 2)
    made.record(0, 11, 1, "nmi_handler")
    call(made, 20, 2)
    switch(made, 30, 2, 1)
    assert found(made) == []


def test_outside_of_switches_nothing_is_known() -> None:
    """After the last record of a switch, they may be recorded no more."""
    made = Synthetic()
    call(made, 5, 9)
    switch(made, 10, 1, 2)
    switch(made, 20, 2, 1)
    call(made, 30, 7)
    assert found(made) == []


def test_a_change_of_the_maskset() -> None:
    """Meanwhile, switches need not have been recorded."""
    made = Synthetic()
    switch(made, 10, 1, 2)
    made.record(0, 20, 2, "maskset_use", name="other")
    switch(made, 30, 3, 4)
    switch(made, 40, 5, 6)
    assert found(made) == [40]


def test_exec_by_another_thread() -> None:
    """It gets the id of its process's first thread, perhaps before it is switched from."""
    made = Synthetic()
    switch(made, 10, 1, 101)
    switch(made, 20, 100, 1)
    switch(made, 30, 1, 100)
    made.record(0, 40, 100, "sched_process_exec", comm="sh", old_pid=101, filename="/bin/sh")
    switch(made, 50, 100, 1)
    assert found(made) == []


def test_a_record_in_flight() -> None:
    """Its fields need not have been written."""
    made = Synthetic()
    switch(made, 10, 1, 2)
    made.record(0, 20, 2, "sched_switch", committed=False)
    switch(made, 30, 7, 8)
    assert found(made) == []


@pytest.mark.parametrize("recorded", [False, True])
def test_what_is_not_known(recorded: bool) -> None:
    """Switches are not recorded, or only those of some tasks."""
    made = Synthetic()
    if recorded:
        switch(made, 10, 1, 2)
        switch(made, 20, 3, 4)
    call(made, 30, 5)
    trace = built(made)
    if recorded:
        assert trace.control and read_control(trace.image.control)
        trace.control.filter[1].flags = 2
    assert unrecorded_switches(trace) is None
    assert {cpu["unrecorded_switches"] for cpu in json.loads(list_json(trace))["cpus"]} == {None}
