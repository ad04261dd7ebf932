# SPDX-License-Identifier: GPL-2.0-or-later
"""What predicates let through, by what the slots' bytes say."""

from collections.abc import Iterable

import numpy as np
import pytest
from synthetic import EventSpec, FieldSpec, Synthetic, recorder_events

from lkst.decode import predicate as module
from lkst.decode.predicate import (
    Predicate,
    all_of,
    any_of,
    by_cpu,
    by_event,
    by_pid,
    by_task_named,
    pid_table,
)
from lkst.trace.trace import Trace

# A probe's fields lie anywhere and have any size.
ODD = EventSpec(
    "odd",
    "probe",
    fields=(
        FieldSpec("s8", "first", size=1),
        FieldSpec("pid", "unaligned", size=4),
        FieldSpec("pid", "short", size=2),
        FieldSpec("pid", "long", size=8),
        FieldSpec("comm", "comm", size=16),
    ),
)


@pytest.fixture(name="trace", scope="module")
def _trace() -> Trace:
    made = Synthetic(events=(*recorder_events(), ODD), nr_cpus=2, nr_slots=64)
    made.record(0, 10, 7, "sys_enter")
    made.record(1, 20, 0, "sched_switch", prev_comm="swapper/1", next_comm="x", next_pid=9)
    made.record(0, 30, 8, "sched_wakeup", comm="seven", pid=7)
    made.record(1, 40, 9, "odd", unaligned=70_000, short=300, long=1 << 40, comm="nine")
    made.record(1, 50, 4_000_000, "console", text="y" * 100)
    return made.trace()


def passing(trace: Trace, predicate: Predicate) -> list[int]:
    """Give the times of what a predicate lets through."""
    passed: list[int] = trace.ts[trace.records.matching(predicate)].tolist()
    return passed


def ids(trace: Trace, *names: str) -> list[int]:
    return [event.id for event in trace.catalogue.events.values() if event.name in names]


def test_by_cpu(trace: Trace) -> None:
    assert passing(trace, by_cpu([1])) == [20, 40, 50]
    assert passing(trace, by_cpu([1, 0])) == [10, 20, 30, 40, 50]
    assert passing(trace, by_cpu([70_000, -1])) == []


def test_by_event(trace: Trace) -> None:
    assert passing(trace, by_event(ids(trace, "console", "odd"))) == [40, 50]


@pytest.mark.parametrize("few", [module._MAX_PIDS_COMPARED, 0])
@pytest.mark.parametrize(
    ("pids", "times"),
    [
        ([7], [10, 30]),
        ([0], [20]),
        ([9], [20, 40]),
        ([70_000], [40]),
        ([300], [40]),
        ([4_000_000], [50]),
        ([7, 8, 9, 10, 11, 12], [10, 20, 30, 40]),
        ([1 << 22], []),
        ([1 << 40], []),
        ([], []),
    ],
)
def test_by_pid(
    trace: Trace, monkeypatch: pytest.MonkeyPatch, few: int, pids: Iterable[int], times: list[int]
) -> None:
    """The current task's, or in a field wherever that lies; not in what is no pid."""
    monkeypatch.setattr(module, "_MAX_PIDS_COMPARED", few)
    assert passing(trace, by_pid(trace.catalogue, pids)) == times


@pytest.mark.parametrize(("pid", "times"), [(7, [30]), (8, []), (9, [20, 40]), (0, [20])])
def test_by_task_named(trace: Trace, pid: int, times: list[int]) -> None:
    """A name without a pid is the current task's."""
    pids = np.zeros_like(pid_table(trace.records.what))
    pids[pid] = True
    assert passing(trace, by_task_named(trace.catalogue, pids)) == times


def test_a_name_goes_to_the_same_task_as_when_all_is_decoded() -> None:
    """A pid that cannot be is damage, and cut off where names are assigned."""
    made = Synthetic(nr_cpus=1, nr_slots=64)
    made.record(0, 10, 3, "sched_wakeup", comm="seven", pid=(1 << 22) + 7)
    made.record(0, 20, 7, "sys_enter")
    trace = made.trace()
    names, codes = trace.comms()
    assert names[codes[1]] == "seven"
    pids = pid_table(trace.records.what[1:])
    assert passing(trace, by_task_named(trace.catalogue, pids)) == [10]
    assert passing(trace, by_pid(trace.catalogue, [7])) == [20]


def test_table_of_pids(trace: Trace) -> None:
    assert np.flatnonzero(pid_table(trace.records.what)).tolist() == [0, 7, 8, 9, 4_000_000]


def test_together(trace: Trace) -> None:
    cpu, event = by_cpu([1]), by_event(ids(trace, "sys_enter", "console"))
    assert passing(trace, all_of([cpu, event])) == [50]
    assert passing(trace, any_of(cpu, event)) == [10, 20, 40, 50]
