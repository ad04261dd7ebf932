# SPDX-License-Identifier: GPL-2.0-or-later
"""
State as JSON and CSV
---------------------

One JSON object. Times named ``since`` are seconds before the end, those named ``ts``
ns of CLOCK_MONOTONIC; null means not known. ``suspicions`` is a list in
the order of rank; each has ``rule``, ``kind``, ``culprit``, ``text``, ``since`` and
``evidence`` (times of records, in ns of CLOCK_MONOTONIC).
"""

from typing import Any

from lkst.replay.formats import objects_text
from lkst.replay.summary import find_panic
from lkst.state.model import CPU, Context, Lock, Pending, State, Task
from lkst.state.rules import Suspicion
from lkst.trace.facts import End, EndTask
from lkst.util.printable import as_json

__all__ = ("state_json", "suspicions_text")

_SUSPICION = ("rule", "kind", "culprit", "text", "since", "evidence")


def state_json(state: State, suspicions: list[Suspicion]) -> str:
    """Return a state and its suspicions as JSON, with a final newline."""
    facts = state.trace.facts
    answer = {
        "source": facts.source,
        "release": facts.release or state.trace.header.release,
        "machine": facts.machine or state.trace.header.machine,
        "end": state.when,
        "begin": state.begin,
        "panic": _panic(state),
        "suspicions": [_suspicion(state, s) for s in suspicions],
        "cpus": [_cpu(state, cpu) for cpu in state.cpus],
        "tasks": [_task(state, task) for task in state.tasks.values()],
        "locks": [_lock(state, lock) for lock in state.locks],
        "in_flight": [_pending(state, pending) for pending in state.pending],
        "dump": _dump(state.end) if state.end else None,
        "differences": state.differences,
        "notes": state.notes,
    }
    return as_json(answer, indent=1) + "\n"


def _since(state: State, ts: int | None) -> float | None:
    return None if ts is None else (state.when - ts) / 1e9


def _panic(state: State) -> dict[str, Any] | None:
    panic = find_panic(state.trace)
    if panic is None:
        return None
    return {"message": panic.message, "cpu": panic.cpu, "task": panic.task or None}


def suspicions_text(state: State, suspicions: list[Suspicion], form: str) -> str:
    """Return suspicions as jsonl or csv, in the order of rank."""
    return objects_text([_suspicion(state, each) for each in suspicions], form, _SUSPICION)


def _suspicion(state: State, suspicion: Suspicion) -> dict[str, Any]:
    return {
        "rule": suspicion.rule,
        "kind": suspicion.kind,
        "culprit": suspicion.culprit,
        "text": suspicion.text,
        "since": _since(state, suspicion.since),
        "evidence": [int(state.trace.ts[row]) for row in suspicion.rows],
    }


def _context(state: State, context: Context) -> dict[str, Any]:
    return {
        "kind": context.kind,
        "name": context.name,
        "text": context.text,
        "since": _since(state, context.since),
        "ts": context.since,
        "certain": context.certain,
    }


def _cpu(state: State, cpu: CPU) -> dict[str, Any]:
    return {
        "cpu": cpu.cpu,
        "pid": cpu.task.pid if cpu.task else None,
        "comm": cpu.task.comm if cpu.task else None,
        "since": _since(state, cpu.since),
        "online": not cpu.offline,
        "idle": cpu.is_idle,
        "contexts": [_context(state, context) for context in cpu.contexts],
        "last": [int(state.trace.ts[row]) for row in cpu.last],
        "notes": cpu.notes,
    }


def _task(state: State, task: Task) -> dict[str, Any]:
    return {
        "pid": task.pid,
        "comm": task.comm,
        "state": task.state,
        "letter": task.letter or None,
        "since": _since(state, task.since),
        "certain": task.certain,
        "cpu": task.cpu,
        "contexts": [_context(state, context) for context in task.contexts],
        "last": None if task.last is None else int(state.trace.ts[task.last]),
    }


def _lock(state: State, lock: Lock) -> dict[str, Any]:
    return {
        "address": hex(lock.address & (1 << 64) - 1),
        "name": lock.name,
        "kind": lock.kind,
        "waiters": [
            {"pid": pid, "since": _since(state, int(state.trace.ts[row]))}
            for pid, row in lock.waiters.items()
        ],
        "owner": lock.owner,
        "owner_is": None if lock.owner is None else "named" if lock.named else "last taker",
    }


def _pending(state: State, pending: Pending) -> dict[str, Any]:
    return {
        "kind": pending.kind,
        "name": pending.name,
        "text": pending.text,
        "since": _since(state, pending.since),
        "ts": pending.since,
        "certain": pending.certain,
    }


def _dump(end: End) -> dict[str, Any]:
    def task(task: EndTask | None, stack: tuple[str, ...]) -> dict[str, Any]:
        known = {"pid": task.pid, "comm": task.comm} if task else {"pid": None, "comm": ""}
        return {**known, "stack": list(stack)}

    return {
        "panic_cpu": end.panic_cpu,
        "current": {str(cpu): task(end.current.get(cpu), end.cpu_stack(cpu)) for cpu in end.cpus},
        "blocked": [task(own, end.task_stack(own.pid)) for own in end.waiting],
    }
