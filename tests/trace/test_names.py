# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of tasks over time."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from synthetic import EventSpec, FieldSpec, Synthetic

from lkst.trace.facts import Facts
from lkst.trace.names import index
from lkst.trace.trace import Trace


def names_of(trace: Trace) -> list[str]:
    names, codes = trace.comms()
    return [names[code] for code in codes.tolist()]


def test_a_task_is_called_what_was_recorded_last() -> None:
    made = Synthetic()
    made.record(0, 1, 7, "sys_enter")
    made.record(0, 2, 7, "task_rename", oldcomm="bash", newcomm="ls", pid=7)
    made.record(0, 3, 7, "sys_exit")
    made.record(0, 4, 7, "sched_process_exec", comm="cat", old_pid=7, filename="/bin/cat")
    made.record(0, 5, 7, "sys_exit")
    # Before the first name, that one; a record that brings names has the last of them.
    assert names_of(made.trace()) == ["bash", "ls", "ls", "cat", "cat"]


def test_names_come_from_records_of_other_tasks() -> None:
    made = Synthetic()
    made.record(0, 1, 9, "sys_enter")
    made.record(1, 2, 8, "sched_wakeup", comm="woken", pid=9)
    made.record(1, 3, 8, "sys_enter")
    trace = made.trace(Facts(task_name={8: "alive"}.get))  # type: ignore[arg-type]
    assert names_of(trace) == ["woken", "alive", "alive"]


def test_every_cpu_has_an_idle_task() -> None:
    made = Synthetic(nr_cpus=3)
    for cpu in range(3):
        made.record(cpu, 1 + cpu, 0, "softirq_entry")
    made.record(1, 9, 0, "sched_switch", prev_comm="idle/1", next_comm="a", next_pid=5)
    assert names_of(made.trace()) == ["swapper/0", "idle/1", "swapper/2", "idle/1"]


def test_a_name_ends_at_its_first_zero() -> None:
    made = Synthetic()
    made.record(0, 1, 5, "sched_process_exit", comm=b"sh\0junk")
    assert names_of(made.trace()) == ["sh"]


def test_a_name_that_is_not_known_is_no_empty_name() -> None:
    made = Synthetic()
    made.record(0, 1, 5, "sched_process_exit", comm="sh")
    made.record(0, 2, 0, "contention_begin", owner_comm=b"\0\x01", owner=5)
    made.record(0, 3, 5, "contention_begin", owner_comm=b"", owner=0)
    made.record(0, 4, 0, "sys_enter")
    made.record(0, 5, 5, "sys_enter")
    made.record(0, 6, 5, "task_rename", oldcomm="sh", newcomm=b"", pid=5)
    assert names_of(made.trace()) == ["sh", "swapper/0", "sh", "swapper/0", "sh", ""]


def test_a_pid_that_is_no_number_names_nobody_else() -> None:
    event = EventSpec("odd", fields=(FieldSpec("comm", "who", "other"), FieldSpec("name", "other")))
    made = Synthetic([event])
    made.record(0, 1, 5, "odd", who="sh", other="x")
    assert names_of(made.trace()) == ["sh"]


# cpu, pid, what the record says: of whom, names
Story = list[tuple[int, int, int, list[str]]]

stories: st.SearchStrategy[Story] = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 3),
        st.integers(0, 3),
        st.lists(st.sampled_from(["a", "b", "c"]), max_size=2),
    ),
    max_size=60,
)


def expected(story: Story) -> list[str]:
    """Find the names the slow way."""

    def task(cpu: int, pid: int) -> tuple[int, int]:
        return (cpu if pid == 0 else -1, pid)

    told = [
        (row, task(cpu, whom), name)
        for row, (cpu, _, whom, names) in enumerate(story)
        for name in names
    ]
    answer = []
    for row, (cpu, pid, _, _) in enumerate(story):
        own = [(when, name) for when, whom, name in told if whom == task(cpu, pid)]
        before = [name for when, name in own if when <= row]
        if own:
            answer.append(before[-1] if before else own[0][1])
        else:
            answer.append(f"swapper/{cpu}" if pid == 0 else f"alive-{pid}")
    return answer


@given(story=stories, rows=st.integers(1, 20))
def test_names_are_those_found_the_slow_way(story: Story, rows: int) -> None:
    pid = FieldSpec("pid", "whom")
    events = [
        EventSpec("none", fields=(pid,)),
        EventSpec("one", fields=(FieldSpec("comm", "x", "whom"), pid)),
        EventSpec(
            "two", fields=(FieldSpec("comm", "x", "whom"), FieldSpec("comm", "y", "whom"), pid)
        ),
    ]
    made = Synthetic(events)
    for ts, (cpu, current, whom, names) in enumerate(story, 1):
        values: dict[str, Any] = dict(zip("xy", names, strict=False))
        made.record(cpu, ts, current, events[len(names)].name, whom=whom, **values)
    trace = made.trace(Facts(task_name=lambda pid: f"alive-{pid}"))
    with pytest.MonkeyPatch.context() as patch:
        # So that there is more than one block.
        patch.setattr(index, "_FIRST_ROWS", rows)
        assert names_of(trace) == expected(story)
    chosen = trace.select(slice(None, None, 3))
    assert names_of(chosen) == expected(story)[::3]


@given(st.lists(st.sampled_from([b"a", b"b", b"ab", b"", b"sixteen letters!"]), min_size=1))
def test_factorize(names: list[bytes]) -> None:
    column = np.array(names, "S16")
    for bits in (15, 1):
        with pytest.MonkeyPatch.context() as patch:
            # So few places that names share them.
            patch.setattr(index, "_PLACE_BITS", bits)
            found, codes = index.factorize(column)
        assert found[codes].tolist() == names
        assert len(set(found.tolist())) == len(found)
