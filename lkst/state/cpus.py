# SPDX-License-Identifier: GPL-2.0-or-later
"""
CPUs
----

What each CPU was in the middle of: what its current task has begun, and the interrupts,
softirqs and timers that have begun since the last switch and not ended.
"""

import numpy as np

from lkst.decode.catalogue import Event
from lkst.state.model import CPU, Context, Task
from lkst.state.naming import Naming
from lkst.state.online import find_offline
from lkst.trace.event_table import I64, ends_are_recorded, last_by, table
from lkst.trace.facts import End
from lkst.trace.trace import Trace

__all__ = ("contexts_at", "find_cpus")

#: Events that begin a context on a CPU: event -> kind, key field, field with its name.
_BEGINS = {
    "irq_handler_entry": ("irq", "irq", "handler"),
    "softirq_entry": ("softirq", "vec", "vec"),
    "tasklet_entry": ("tasklet", "tasklet", "func"),
    "timer_expire_entry": ("timer", "timer", "function"),
    "hrtimer_expire_entry": ("hrtimer", "hrtimer", "function"),
}
_ENDS = {
    "irq_handler_exit": ("irq", "irq"),
    "softirq_exit": ("softirq", "vec"),
    "tasklet_exit": ("tasklet", "tasklet"),
    "timer_expire_exit": ("timer", "timer"),
    "hrtimer_expire_exit": ("hrtimer", "hrtimer"),
}
_END_OF = {kind: name for name, (kind, _) in _ENDS.items()}
#: Events that only tasks cause: no interrupt context is open then.
_IN_TASK = {
    "sched_switch",
    "sys_enter",
    "sys_exit",
    "page_fault_user",
    "workqueue_execute_start",
    "workqueue_execute_end",
    "sched_process_exit",
}

#: Categories of records that do not show whether an earlier exception has ended.
_ASIDE = {"console", "trouble", "signal", "rcu", "recorder", "irq", "softirq", "timer", "lock"}

_FAULTS = ("page_fault_kernel", "page_fault_user")

#: Number of last records to show for each CPU.
_SHOWN = 5


def find_cpus(
    trace: Trace, tasks: dict[int, Task], naming: Naming, end: End | None = None
) -> list[CPU]:
    """
    Find what every CPU was in the middle of when the trace ends.

    :param end: what the dump says
    """
    offline = find_offline(trace, end)
    finder = _Finder(trace, naming)
    switches = table(trace, "sched_switch", "next_pid")
    last = last_by(trace.cpu[switches.rows], np.arange(len(switches)))
    found = []
    order = np.argsort(trace.cpu, kind="stable")
    bounds = np.searchsorted(trace.cpu[order], np.arange(trace.header.nr_cpus + 1))
    for number in range(trace.header.nr_cpus):
        cpu = CPU(number)
        found.append(cpu)
        rows = order[bounds[number] : bounds[number + 1]]
        if number in offline:
            cpu.offline, cpu.since = True, offline[number]
            cpu.last = _last(trace, rows)
            continue
        _warn(cpu, trace, rows)
        if not len(rows):
            continue
        cpu.last = _last(trace, rows)
        index = last.get(number)
        start = -1 if index is None else int(switches.rows[index])
        pid = int(trace.pid[rows[-1]])
        if index is not None and rows[-1] == start:
            pid = int(switches["next_pid"][index])
        elif index is not None and pid != switches["next_pid"][index]:
            cpu.notes.append("the switch to its task was not recorded")
            start = -1
        _fill(cpu, trace, tasks, pid, start)
        cpu.contexts += finder.find(cpu, rows[rows > start])
    return found


def contexts_at(trace: Trace, naming: Naming, row: int, tasks: dict[int, Task]) -> list[Context]:
    """Return the open contexts of a CPU when it wrote a record."""
    before = trace.select(slice(0, row + 1))
    cpus = find_cpus(before, tasks, naming)
    return cpus[int(trace.cpu[row])].contexts


def _fill(cpu: CPU, trace: Trace, tasks: dict[int, Task], pid: int, start: int) -> None:
    task = tasks.get(pid) if pid else Task(0, f"swapper/{cpu.cpu}", "running", cpu=cpu.cpu)
    cpu.task = task or Task(pid, trace.task_names.last(pid), "running", cpu=cpu.cpu)
    if start >= 0:
        cpu.since = int(trace.ts[start])
        cpu.contexts.append(Context("task", start, cpu.since, f"{cpu.task.comm}:{cpu.task.pid}"))
    cpu.contexts += cpu.task.contexts


def _last(trace: Trace, rows: I64) -> list[int]:
    # Skip console records, unless there are no others.
    console = [e.id for e in trace.catalogue.events.values() if e.category == "console"]
    silent = rows[~np.isin(trace.event[rows], console)]
    found: list[int] = (silent if len(silent) else rows)[-_SHOWN:].tolist()
    return found


def _warn(cpu: CPU, trace: Trace, rows: I64) -> None:
    # Note what cannot be known about a CPU.
    loss = next((loss for loss in trace.records.losses if loss.cpu == cpu.cpu), None)
    if not len(rows):
        claimed = loss and loss.claimed
        cpu.notes.append("its records are lost" if claimed else "it has no records")
        return
    if loss and (loss.torn or loss.unreadable):
        cpu.notes.append("records are missing: what looks unfinished may have ended")
    frozen = {buffer.number for buffer in trace.records.buffers if buffer.frozen}
    if frozen & set(trace.buffer[rows[-1:]].tolist()):
        cpu.notes.append("its ring was frozen: later events were not recorded")


class _Finder:
    # Finds interrupts that have begun and not ended.

    def __init__(self, trace: Trace, naming: Naming) -> None:
        self._trace = trace
        self._naming = naming
        self._events: dict[int, Event] = {}
        for event in trace.catalogue.events.values():
            name = event.name
            needed = _BEGINS.get(name, ())[1:] + _ENDS.get(name, ())[1:]
            known = name in _IN_TASK or name in _ENDS
            # Without records of ends, every context would look open.
            known |= name in _BEGINS and ends_are_recorded(trace, _END_OF[_BEGINS[name][0]])
            if (known or name == "cpu_idle") and all(
                (field := event.field(part)) and field.is_number for part in needed
            ):
                self._events[event.id] = event

    def find(self, cpu: CPU, rows: I64) -> list[Context]:
        """
        Return the open contexts of a CPU, the outermost first.

        :param rows: the CPU's records since the last switch
        """
        stack: list[tuple[str, int, int]] = []  # kind, which, row
        trace = self._trace
        chosen = rows[np.isin(trace.event[rows], list(self._events))]
        columns = chosen, trace.event[chosen], self._keys(chosen)
        for row, id_, value in zip(*(column.tolist() for column in columns), strict=True):
            event = self._events[id_]
            if event.name in _BEGINS:
                key = _BEGINS[event.name][0], value
                _end(stack, key)  # the end of the previous one was lost
                stack.append((*key, row))
            elif event.name in _ENDS:
                _end(stack, (_ENDS[event.name][0], value))
            elif event.name == "cpu_idle":
                stack = [("idle", value, row)] if value >= 0 else []
            else:
                stack = []
        contexts = [self._context(kind, row) for kind, _, row in stack]
        return self._with_fault(cpu, rows, contexts)

    def _keys(self, rows: I64) -> I64:
        # Return the key field of each record.
        keys = np.zeros(len(rows), np.int64)
        ids = self._trace.event[rows]
        for id_, event in self._events.items():
            names = _BEGINS.get(event.name) or _ENDS.get(event.name) or ("idle", "state")
            field = event.field(names[1])
            own = np.flatnonzero(ids == id_)
            if field and field.is_number and len(own):
                keys[own] = self._trace.column(field, rows[own]).astype(np.int64)
        return keys

    def _value(self, event: Event, name: str, row: int) -> int:
        field = event.field(name)
        if field is None:
            return 0
        value: int = self._trace.column(field, np.array([row])).astype(np.int64)[0]
        return int(value)

    def _context(self, kind: str, row: int) -> Context:
        trace = self._trace
        event = self._events[int(trace.event[row])]
        naming = _BEGINS[event.name][2] if event.name in _BEGINS else ""
        value = self._value(event, naming, row) if naming else 0
        name = (
            self._naming.named("softirq", value)
            if kind == "softirq"
            else self._naming.address(value)
            if naming
            else ""
        )
        return Context(kind, row, int(trace.ts[row]), name, self._naming.fields([row])[0])

    def _with_fault(self, cpu: CPU, rows: I64, contexts: list[Context]) -> list[Context]:
        # Insert the last page fault, unless a later record shows that it has ended.
        trace = self._trace
        events = trace.catalogue.events
        found, certain = None, False
        for row in rows[::-1].tolist():
            event = events.get(int(trace.event[row]))
            if event and event.name in ("oops", "panic"):
                # Printing the report may fault as well.
                found, certain = None, True
            elif event and event.name in _FAULTS:
                found = found or (row, event)
            elif event and event.category not in _ASIDE:
                break
        if not found:
            return contexts
        row, event = found
        name = self._naming.address(self._value(event, "ip", row))
        text = f"{event.name} {self._naming.fields([row])[0]}"
        fault = Context("exception", row, int(trace.ts[row]), name, text, certain)
        return sorted([*contexts, fault], key=lambda c: c.row)


def _end(stack: list[tuple[str, int, int]], key: tuple[str, int]) -> None:
    # End a context and all contexts nested in it.
    for place in range(len(stack) - 1, -1, -1):
        if stack[place][:2] == key:
            del stack[place:]
            return
