# SPDX-License-Identifier: GPL-2.0-or-later
"""
CPUs
----

A CPU that runs one thing only: a handler that does not end, a task that stays in the
kernel and never schedules, a CPU that takes no interrupts.
"""

from collections.abc import Iterator
import re

import numpy as np

from lkst.state.model import CPU, Context, State
from lkst.state.naming import function_of, seconds, who
from lkst.state.reports import message, read_report, troubles
from lkst.state.rules.base import LONG, Suspicion, rule
from lkst.state.rules.places import cpu_stack, running_function
from lkst.state.rules.ready import waiting_for
from lkst.trace.event_table import I64, table
from lkst.util.printable import clean

__all__ = ()

_HANDLERS = ("irq", "softirq", "tasklet", "timer", "hrtimer")

#: Functions in which a CPU spins for a lock that another one holds.
_SPINNING = re.compile(r"(?:native_|__pv_|kvm_)?queued_.*_slowpath|.*osq_lock|.*_spin_on_owner")

#: A tick comes at least this often to a CPU that is busy, in ns.
_SILENCE = 400_000_000

#: Events of a tick.
_TICKS = ("hrtimer_expire_entry", "local_timer_entry", "softirq_entry", "softirq_raise")

#: Categories that a stuck CPU may still record.
_ASIDE = {"console", "trouble"}

#: A system call that keeps nobody waiting may take this long, in ns: clearing or copying much
#: memory does. It is half of the timeout of the kernel's soft lockup watchdog.
_HARMLESS = 10_000_000_000

#: Events of a task that is not stuck in the kernel.
_GOES_ON = ("sys_enter", "sys_exit", "page_fault_user", "workqueue_execute_end")

_CPU = re.compile(r"CPU#(\d+) stuck|on cpu (\d+)|on CPU (\d+)")
_STALLED = re.compile(r"^rcu:\s+(\d+)-")
_BLOCKED = re.compile(r"\bP(\d+)\b")


def _is_spinning(state: State, cpu: CPU) -> bool:
    # Check whether a CPU spins for a lock that another one holds.
    if any(context.kind == "lock" for context in cpu.contexts):
        return True
    return any(_SPINNING.match(frame) for frame in cpu_stack(state, cpu)) or _says_so(state, cpu)


def _says_so(state: State, cpu: CPU) -> bool:
    for row in troubles(state.trace, "soft_lockup", "hard_lockup"):
        if int(state.trace.cpu[row]) == cpu.cpu and _SPINNING.match(
            read_report(state.trace, row).rip
        ):
            return True
    return False


@rule("handler")
def find_handlers(state: State) -> Iterator[Suspicion]:
    """Name an interrupt handler, softirq or timer function that does not end."""
    for cpu in state.cpus:
        handlers = [context for context in cpu.contexts if context.kind in _HANDLERS]
        old = [c for c in handlers if state.when - c.since >= LONG]
        if not old or not _certainly_runs(state, cpu, old[-1]):
            continue
        inner = old[-1]
        age = state.when - inner.since
        yield Suspicion(
            "handler",
            "holder",
            function_of(inner.name),
            f"CPU {cpu.cpu} has been in {inner.kind} {inner.name} for {seconds(age)}",
            inner.since,
            (inner.row,),
            float(age),
        )


def _certainly_runs(state: State, cpu: CPU, handler: Context) -> bool:
    # Check that a handler still runs: its end may be among the missing records.
    if not any(loss.cpu == cpu.cpu and loss.torn for loss in state.trace.records.losses):
        return True
    name = function_of(handler.name)
    return name in {function_of(frame) for frame in cpu_stack(state, cpu)}


@rule("stuck-cpu")
def find_stuck(state: State) -> Iterator[Suspicion]:
    """Name a task that a CPU runs in the kernel without ever switching to another one."""
    for cpu in state.cpus:
        if not cpu.task or not cpu.last or cpu.is_idle:
            continue
        rows = np.flatnonzero(state.trace.cpu == cpu.cpu)
        begin = int(state.trace.ts[rows[0]]) if cpu.since is None else cpu.since
        age = state.when - begin
        inside = _kernel(cpu)
        lasting = inside is not None and _keeps_on(state, cpu, min(age, state.when - inside.since))
        silence = None if _needs_no_tick(state, cpu) else _silence(state, rows, begin)
        reports = _reports(state, cpu, rows, begin)
        if not (silence or lasting or reports):
            continue
        spinning = _is_spinning(state, cpu)
        shown = {*([inside.row] if inside else []), *([silence[0]] if silence else []), *reports}
        yield Suspicion(
            "stuck-cpu",
            "waiter" if spinning else "holder",
            who(cpu.task.comm, cpu.task.pid),
            "; ".join(_describe(state, cpu, age, inside, silence, spinning, reports)),
            int(state.trace.ts[silence[0]]) if silence else begin,
            tuple(sorted({*shown, cpu.last[-1]})),
            # With interrupts off, nothing else on this CPU could have recorded anything.
            float(age) * (10 if silence else 1),
        )


def _describe(
    state: State,
    cpu: CPU,
    age: int,
    inside: Context | None,
    silence: tuple[int, int] | None,
    spinning: bool,
    reports: list[int],
) -> Iterator[str]:
    assert cpu.task
    least = "at least " if cpu.since is None else ""
    yield f"CPU {cpu.cpu} has run {who(cpu.task.comm, cpu.task.pid)} for {least}{seconds(age)}"
    if inside:
        yield f"in {inside.kind} {inside.name}"
    if function := running_function(cpu_stack(state, cpu)):
        yield f"in {function} according to the dump"
    if silence:
        yield (
            f"it recorded nothing for {seconds(silence[1])} of that, not even a tick, while others"
            " did: interrupts were off, or the CPU did not run"
        )
    if spinning:
        yield "it waits for a lock that another task holds"
    if waiting := len(waiting_for(state, cpu)):
        yield f"{waiting} {'task waits' if waiting == 1 else 'tasks wait'} for the CPU"
    if reports:
        yield clean(message(state.trace, reports[0]))


def _keeps_on(state: State, cpu: CPU, age: int) -> bool:
    # Check whether a task has been in the kernel for so long that others suffer.
    if age < LONG:
        return False
    return (
        age >= _HARMLESS
        or bool(waiting_for(state, cpu, LONG))
        or any(_spins_on(state, other) for other in state.cpus)
    )


def _spins_on(state: State, cpu: CPU) -> bool:
    inside = _kernel(cpu)
    return inside is not None and state.when - inside.since >= LONG and _is_spinning(state, cpu)


def _needs_no_tick(state: State, cpu: CPU) -> bool:
    # Check whether the kernel may have stopped the tick of a CPU that runs a task (nohz_full).
    # Without a dump that is not known, but a task in the kernel gets a tick.
    if state.end is None:
        return all(context.kind == "task" for context in cpu.contexts)
    return bool(cpu.task and cpu.task.pid and cpu.cpu in state.end.tickless)


def _silence(state: State, rows: I64, begin: int) -> tuple[int, int] | None:
    # Find the longest time in which a CPU that runs a task had no records and others had some.
    # rows: the CPU's. Return the row before that time, and its length in ns.
    trace = state.trace
    ts = trace.ts
    own = rows[ts[rows] >= begin]
    if not len(own) or not any(len(table(trace, name)) for name in _TICKS):
        return None
    gaps = np.diff(np.append(ts[own], state.when))
    place = int(np.argmax(gaps))
    length = int(gaps[place])
    aside = [e.id for e in trace.catalogue.events.values() if e.category in _ASIDE]
    lively = own[place + 1 :][~np.isin(trace.event[own[place + 1 :]], aside)]
    if len(lively) and int(ts[lively[-1]]) - int(ts[own[place]]) - length >= LONG:
        return None  # It ended long ago.
    low, high = int(own[place]) + 1, int(np.searchsorted(ts, int(ts[own[place]]) + length))
    others = ts[low:high]
    if length < _SILENCE or not len(others):
        return None
    # Another CPU must have run for most of that time: a paused virtual machine stops all.
    return (int(own[place]), length) if int(others[-1]) - int(others[0]) > length / 2 else None


def _kernel(cpu: CPU) -> Context | None:
    # Return the context that shows that the task is in the kernel.
    kinds = ("syscall", "work", "reclaim", "exception")
    inside = [c for c in cpu.contexts if c.kind in kinds and c.certain]
    return inside[-1] if inside else None


def _reports(state: State, cpu: CPU, rows: I64, begin: int) -> list[int]:
    # Return the rows of the kernel's own reports about a CPU and the task that it runs.
    # rows: the CPU's; begin: when it switched to that task.
    found = []
    trace = state.trace
    on = rows[np.isin(rows, table(trace, _GOES_ON).rows)]
    over = int(on[-1]) if len(on) else -1
    for row in troubles(trace, "soft_lockup", "hard_lockup", "rcu_stall"):
        text = message(trace, row)
        numbers = {int(n) for match in _CPU.findall(text) for n in match if n}
        blocked: set[int] = set()
        if "rcu" in text.lower():
            # The message names the CPU that detects the stall, the next lines the stalled ones.
            lines = read_report(trace, row).lines[:12]
            numbers = {int(m[1]) for line in lines if (m := _STALLED.match(line))}
            if "self-detected" in text:
                numbers.add(int(trace.cpu[row]))
            blocked = {int(pid) for line in lines for pid in _BLOCKED.findall(line)}
        current = cpu.task.pid if cpu.task else None
        # A report counts only while the CPU still does what it did then.
        still = row > over and int(trace.ts[row]) >= begin
        if (cpu.cpu in numbers and still) or current in blocked:
            found.append(row)
    return found
