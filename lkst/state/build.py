# SPDX-License-Identifier: GPL-2.0-or-later
"""
Building the state
------------------

Compute from a trace what every CPU and task was doing when it ends, and compare that
with the dump.
"""

from dataclasses import replace

from lkst.state.cpus import find_cpus
from lkst.state.model import CPU, State
from lkst.state.naming import Naming, who
from lkst.state.pending import find_pending
from lkst.state.tasks import find_locks, find_tasks
from lkst.state.timers import find_overdue
from lkst.trace.facts import End
from lkst.trace.trace import Trace

__all__ = ("build_state",)


def build_state(trace: Trace, end: End | None = None) -> State:
    """
    Return the state when a trace ends: at the panic, if there was one.

    :param trace: a whole trace
    :param end: what the dump says about the same moment
    """
    row = trace.panic_row
    until = trace if row is None else trace.select(slice(0, row + 1))
    naming = Naming(until)
    tasks = find_tasks(until, naming)
    pending, notes = find_pending(until, naming)
    overdue, more = find_overdue(until, naming)
    state = State(
        until,
        find_cpus(until, tasks, naming, end),
        tasks,
        find_locks(until, naming),
        pending + overdue,
        end,
        notes=notes + more,
    )
    _run(state)
    _note(state)
    if end:
        state.differences = [*_panics(state, end), *_currents(state, end), *_waits(state, end)]
    return state


def _run(state: State) -> None:
    # A task does not run on a CPU that has switched to another task, even if that record is lost.
    current = {cpu.task.pid: cpu.cpu for cpu in state.cpus if cpu.task}
    for task in state.tasks.values():
        if task.state == "running" and task.pid not in current:
            task.state = "unknown"
        elif task.pid in current and task.state != "dead":
            task.state, task.letter, task.cpu = "running", "", current[task.pid]


def _note(state: State) -> None:
    trace = state.trace
    if not len(trace):
        state.notes.append("no records: nothing is known")
        return
    # A CPU without losses had no records before its first one.
    lost = {loss.cpu for loss in trace.records.losses if loss.overwritten or loss.unreadable}
    starts = [int(trace.ts[trace.cpu == cpu][0]) for cpu in lost & set(trace.cpu.tolist())]
    state.begin = max(starts, default=int(trace.ts[0]))
    for task in state.tasks.values():
        task.certain = task.since is None or task.since >= state.begin
    state.pending = [replace(p, certain=p.since >= state.begin) for p in state.pending]
    seconds = (trace.end - state.begin) / 1e9
    state.notes.append(
        f"all CPUs have records for the last {seconds:.3f} s only: a task that has waited for"
        " longer than the trace is not listed"
    )


def _panics(state: State, end: End) -> list[str]:
    row = state.trace.panic_row
    if row is None:
        return []
    cpu = int(state.trace.cpu[row])
    if end.panic_cpu is not None and end.panic_cpu != cpu:
        return [f"the panic was recorded on CPU {cpu}; the dump says CPU {end.panic_cpu}"]
    return []


def _currents(state: State, end: End) -> list[str]:
    differences = []
    for cpu in state.cpus:
        task = end.current.get(cpu.cpu)
        if task and cpu.task and task.pid != cpu.task.pid:
            own = who(cpu.task.comm, cpu.task.pid)
            differences.append(
                f"CPU {cpu.cpu}: the trace ends in {own}, the dump in {who(task.comm, task.pid)}"
                + _silence(state, cpu)
            )
    return differences


def _silence(state: State, cpu: CPU) -> str:
    if not cpu.last:
        return ""
    age = (state.when - int(state.trace.ts[cpu.last[-1]])) / 1e9
    return f" (its last record is {age:.6f} s before the end)" if age > 0 else ""


def _waits(state: State, end: End) -> list[str]:
    differences = []
    waiting = {task.pid for task in end.waiting}
    for task in state.tasks.values():
        if task.state == "blocked" and task.letter == "D" and task.pid not in waiting:
            differences.append(
                f"{who(task.comm, task.pid)}: blocked (D) in the trace, not in the dump"
            )
    for waiting_task in end.waiting:
        pid = waiting_task.pid
        own = state.tasks.get(pid)
        if own and own.state not in ("blocked", "unknown", "dead"):
            differences.append(
                f"{who(waiting_task.comm, pid)}: {own.state} in the trace, D in the dump"
            )
    return differences
