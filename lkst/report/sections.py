# SPDX-License-Identifier: GPL-2.0-or-later
"""
Sections
--------

Text sections of a page: machine, suspicions, state of CPUs and tasks, the kernel's log.
Texts come from the dump, without control characters; the template escapes them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lkst.replay.header import event_lines, identity_lines, loss_text, remark_lines
from lkst.replay.summary import find_panic, sum_cpus
from lkst.replay.times import relative
from lkst.state.model import CPU, State, Task
from lkst.state.naming import who
from lkst.state.rules import Suspicion
from lkst.state.text import LOCK_COLUMNS, lock_cells, waiting_tasks
from lkst.trace.filters import Filters
from lkst.trace.timeline import build_timeline
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = ("Log", "describe_machine", "describe_state", "describe_suspicions", "read_log")

#: Maximum number of entries of each kind; ``lkst state --format json`` has all.
_SHOWN = 12
_FRAMES = 8


@dataclass
class Log:
    """The kernel's log."""

    #: Seconds from the end ("" if not known), and text.
    lines: list[tuple[str, str]]
    #: Its source, or why there is none.
    notes: list[str]


def describe_machine(trace: Trace) -> dict[str, Any]:
    """Return the machine, how it ended, and what was recorded and lost."""
    panic = find_panic(trace)
    cpus = [cpu for cpu in sum_cpus(trace) if not cpu.silent]
    times = [
        tuple(relative(trace, ts) if ts is not None else "" for ts in (cpu.first, cpu.last))
        for cpu in cpus
    ]
    return {
        "panicked": panic is not None,
        "message": panic.message if panic else "",
        "where": f"CPU {panic.cpu}, {panic.task}" if panic and panic.cpu is not None else "",
        "facts": [(name, text) for name, text in identity_lines(trace) if name != "panic"],
        "cpus": [
            (cpu.cpu, f"{cpu.records:,}", *time, loss_text(cpu))
            for cpu, time in zip(cpus, times, strict=True)
        ],
        "silent": len(sum_cpus(trace)) - len(cpus),
        "remarks": [*event_lines(trace), *remark_lines(trace)],
    }


def describe_suspicions(state: State, suspicions: list[Suspicion]) -> list[dict[str, Any]]:
    """Return suspicions for the template."""
    return [
        {
            "culprit": clean(suspicion.culprit),
            "rule": suspicion.rule,
            "kind": suspicion.kind,
            "text": clean(suspicion.text),
            "evidence": [_time(state, int(state.trace.ts[row])) for row in suspicion.rows],
        }
        for suspicion in suspicions
    ]


def describe_state(state: State) -> dict[str, Any]:
    """Return the state for the template."""
    pending = [p for p in state.pending if p.certain]
    unseen = [t for t in state.end.waiting if t.pid not in state.tasks] if state.end else []
    return {
        "cpus": [_cpu(state, cpu) for cpu in state.cpus],
        "tasks": [
            (title, [_task(state, task) for task in tasks[:_SHOWN]], max(0, len(tasks) - _SHOWN))
            for title, tasks in waiting_tasks(state)
            if tasks
        ],
        "unseen": [clean(who(task.comm, task.pid)) for task in unseen],
        "lock_columns": LOCK_COLUMNS,
        "locks": [lock_cells(state, lock) for lock in state.locks[:_SHOWN]],
        "more_locks": max(0, len(state.locks) - _SHOWN),
        "pending": [(_time(state, p.since), p.kind, clean(p.text)) for p in pending[:_SHOWN]],
        "more_pending": max(0, len(pending) - _SHOWN),
        "differences": [clean(text) for text in state.differences],
        "notes": [clean(text) for text in state.notes],
        "has_end": state.end is not None,
    }


def _time(state: State, ts: int) -> str:
    return relative(state.trace, ts)


def _cpu(state: State, cpu: CPU) -> dict[str, Any]:
    dumped = state.end.current.get(cpu.cpu) if state.end else None
    frames = state.end.cpu_stack(cpu.cpu) if state.end and cpu.cpu in state.end.cpus else ()
    return {
        "cpu": cpu.cpu,
        "task": clean(who(cpu.task.comm, cpu.task.pid)) if cpu.task else "",
        "since": _time(state, cpu.since) if cpu.since is not None else "",
        "idle": cpu.is_idle,
        "panicked": bool(state.end) and state.end.panic_cpu == cpu.cpu if state.end else False,
        "contexts": [
            (_time(state, c.since), c.kind, clean(c.text or c.name), c.certain)
            for c in cpu.contexts
            if c.kind != "task"
        ],
        "dumped": clean(who(dumped.comm, dumped.pid)) if dumped else "",
        "stack": [clean(frame) for frame in frames],
        "notes": [clean(note) for note in cpu.notes],
    }


def _task(state: State, task: Task) -> dict[str, Any]:
    blocked = state.end and task.letter == "D"
    frames = state.end.task_stack(task.pid)[:_FRAMES] if state.end and blocked else ()
    return {
        "name": clean(who(task.comm, task.pid)),
        "since": _time(state, task.since) if task.since is not None else "",
        "contexts": [(c.kind, clean(c.text or c.name)) for c in task.contexts],
        "certain": task.certain,
        "stack": [clean(frame) for frame in frames],
    }


def read_log(trace: Trace) -> Log:
    """Read the kernel's log; if the source has none, return the recorded console lines."""
    if trace.facts.foreign is not None:
        line = build_timeline(trace, ("dmesg",), Filters(cpus=None))
        lines = [
            ("" if placed.ts is None else relative(trace, placed.ts), _said(placed.entry.text))
            for placed in line.entries
        ]
        notes = [f"{source.entries} lines, placed {source.how}" for source in line.sources]
        if lines:
            return Log(lines, [clean(note) for note in (*notes, *line.notes)])
    event = next((e for e in trace.catalogue.events.values() if e.name == "console"), None)
    field = event.field("text") if event else None
    rows = trace.rows(event) if event and field and field.is_number else np.zeros(0, np.int64)
    if field is None or not len(rows):
        return Log([], ["The source has no kernel log, and no console line was recorded."])
    return Log(
        [
            (relative(trace, ts), _said(text))
            for ts, text in zip(trace.ts[rows].tolist(), trace.texts(field, rows), strict=True)
        ],
        ["The source has no kernel log: these are the recorded console lines."],
    )


def _said(text: str) -> str:
    return clean(text.rstrip("\n"))
