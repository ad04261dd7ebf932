# SPDX-License-Identifier: GPL-2.0-or-later
"""
State as text
-------------

Suspicions first, then CPUs, tasks, locks and what is in flight, each with what the dump
says about it.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from lkst.replay.header import identity, ranges, wrap
from lkst.replay.text import text_lines
from lkst.replay.times import relative
from lkst.state.model import CPU, Lock, State, Task
from lkst.state.naming import seconds, who
from lkst.state.rules import Suspicion
from lkst.util.printable import clean
from lkst.util.tables import plain_table

__all__ = ("LOCK_COLUMNS", "lock_cells", "state_text", "waiting_tasks")

LOCK_COLUMNS = ("lock", "kind", "waiters", "longest", "owner")

#: Maximum number of entries of each kind; JSON has all.
_SHOWN = 12
_FRAMES = 8
_INDENT = 4


def state_text(state: State, suspicions: list[Suspicion]) -> Iterator[str]:
    """Yield a state and its suspicions as text, in pieces that end with a newline."""
    yield identity(state.trace)
    yield "\n" + _suspicions(state, suspicions)
    # Virtual machines may have many CPUs that were never brought up.
    never = [cpu.cpu for cpu in state.cpus if cpu.offline and cpu.since is None]
    for cpu in state.cpus:
        if cpu.cpu not in never:
            yield "\n" + _cpu(state, cpu)
    if never:
        yield f"\nCPU {ranges(never)}  offline\n"
    yield from _tasks(state)
    yield from _locks(state)
    yield from _pending(state)
    if state.differences:
        yield "\ntrace and dump differ\n" + _lines(state.differences)
    if state.notes:
        yield "\nwhat is not known\n" + _lines(state.notes)


def _lines(texts: Iterable[str]) -> str:
    return "".join(f"  {clean(text)}\n" for text in texts)


def _suspicions(state: State, suspicions: list[Suspicion]) -> str:
    if not suspicions:
        return "nothing stands out\n"
    lines = ["what looks wrong\n"]
    for number, suspicion in enumerate(suspicions, 1):
        head = f"{number:>3}. {clean(suspicion.culprit)}  ({suspicion.rule})"
        times = " ".join(relative(state.trace, int(state.trace.ts[r])) for r in suspicion.rows)
        lines.append(f"{head}\n     {wrap(clean(suspicion.text), 5)}\n")
        lines.append(f"     {wrap(f'evidence {times}', 5)}\n")
    return "".join(lines)


def _cpu(state: State, cpu: CPU) -> str:
    if cpu.offline:
        assert cpu.since is not None
        return f"CPU {cpu.cpu}  offline since {relative(state.trace, cpu.since)}\n"
    if not cpu.task:
        return f"CPU {cpu.cpu}  state not known: {', '.join(cpu.notes)}\n"
    since = (
        f"since {relative(state.trace, cpu.since)}"
        if cpu.since is not None
        else "since before the trace began"
    )
    lines = [f"CPU {cpu.cpu}  {clean(who(cpu.task.comm, cpu.task.pid))}  {since}\n"]
    for context in cpu.contexts:
        if context.kind == "task":
            continue
        doubt = "" if context.certain else "  (it may have ended)"
        about = clean(context.text or context.name)
        since = relative(state.trace, context.since)
        lines.append(f"  {since:>14}  {context.kind:<9} {about}{doubt}\n")
    lines += [f"  note: {clean(note)}\n" for note in cpu.notes]
    lines.append(_dumped(state, cpu))
    if cpu.last:
        lines.append("  last records\n")
        lines.append("".join(f"  {line}\n" for line in _records(state, cpu.last)))
    return "".join(lines)


def _records(state: State, rows: list[int]) -> list[str]:
    chosen = state.trace.select(np.array(rows, np.int64))
    return "".join(text_lines(chosen)).splitlines()


def _dumped(state: State, cpu: CPU) -> str:
    task = state.end.current.get(cpu.cpu) if state.end else None
    if not state.end or cpu.cpu not in state.end.cpus:
        return ""
    panicked = "  (panicked)" if state.end.panic_cpu == cpu.cpu else ""
    frames = state.end.cpu_stack(cpu.cpu)
    name = clean(who(task.comm, task.pid)) if task else "a task that is not readable"
    missing = "no stack: the task was in user space, or its registers are not known"
    stack = _stack(frames) or f"{'':17}{missing}\n"
    return f"  in the dump    {name}{panicked}\n{stack}"


def _stack(frames: tuple[str, ...]) -> str:
    return f"{'':17}{wrap(' < '.join(map(clean, frames)), 17)}\n" if frames else ""


def _tasks(state: State) -> Iterator[str]:
    for title, chosen in waiting_tasks(state):
        if chosen:
            yield f"\n{title}\n" + "".join(_task(state, task) for task in chosen[:_SHOWN])
            yield from _more(len(chosen))
    if state.end:
        unseen = [t for t in state.end.waiting if t.pid not in state.tasks]
        if unseen:
            yield "\nblocked (D) in the dump, no record in the trace\n" + "".join(
                f"  {clean(who(t.comm, t.pid))}\n{_stack(state.end.task_stack(t.pid)[:_FRAMES])}"
                for t in unseen[:_SHOWN]
            )
            yield from _more(len(unseen))
    asleep = [t for t in _in_state(state, "blocked") if t.letter != "D"]
    if asleep:
        yield f"\n{len(asleep)} other tasks slept: --format json lists them\n"


def waiting_tasks(state: State) -> Iterator[tuple[str, list[Task]]]:
    """Yield titles and tasks that could not run, the longest wait first."""
    for title, tasks in (
        ("blocked (D)", [t for t in state.tasks.values() if t.letter == "D"]),
        ("runnable, waiting for a CPU", _in_state(state, "runnable")),
    ):
        # A task that became runnable before records were lost may have run since.
        chosen = [t for t in tasks if t.state == "blocked" or (t.state == "runnable" and t.certain)]
        yield title, sorted(chosen, key=lambda task: task.since or 0)


def _in_state(state: State, name: str) -> list[Task]:
    return [task for task in state.tasks.values() if task.state == name]


def _more(count: int) -> Iterator[str]:
    if count > _SHOWN:
        yield f"  and {count - _SHOWN} more\n"


def _task(state: State, task: Task) -> str:
    inside = "".join(f"  {c.kind} {c.text or c.name}" for c in task.contexts)
    since = relative(state.trace, task.since) if task.since is not None else "?"
    doubt = "" if task.certain else "  (records of that time are overwritten)"
    line = f"  {since:>14}  {who(task.comm, task.pid)}{inside}{doubt}"
    frames = state.end.task_stack(task.pid)[:_FRAMES] if state.end and task.letter == "D" else ()
    return clean(line) + "\n" + _stack(frames)


def _locks(state: State) -> Iterator[str]:
    if not state.locks:
        return
    rows = [lock_cells(state, lock) for lock in state.locks[:_SHOWN]]
    table = plain_table(rows, LOCK_COLUMNS)
    yield "\ncontended locks\n" + "".join(f"  {line}\n" for line in table.splitlines())
    yield from _more(len(state.locks))


def lock_cells(state: State, lock: Lock) -> tuple[str, ...]:
    """Return the waiters and the owner of a lock: a text for each of LOCK_COLUMNS."""
    pids = list(lock.waiters)
    names = ", ".join(who(state.task(pid).comm, pid) for pid in pids[:3])
    names += f" and {len(pids) - 3} more" if len(pids) > 3 else ""
    longest = max(state.when - int(state.trace.ts[row]) for row in lock.waiters.values())
    owner = "not recorded"
    if lock.owner is not None:
        name = state.task(lock.owner).comm or state.trace.task_names.last(lock.owner)
        owner = who(name, lock.owner) + ("" if lock.named else " (last taken)")
    return tuple(map(clean, (lock.name, lock.kind, names, seconds(longest), owner)))


def _pending(state: State) -> Iterator[str]:
    pending = [p for p in state.pending if p.certain]
    lines = [
        f"  {relative(state.trace, p.since):>14}  {p.kind:<8} {clean(p.text)}\n"
        for p in pending[:_SHOWN]
    ]
    if lines:
        yield "\nin flight\n" + "".join(lines)
        yield from _more(len(pending))
    if old := len(state.pending) - len(pending):
        yield f"  {old} older ones may have completed without a record: --format json lists them\n"
