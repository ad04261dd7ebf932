# SPDX-License-Identifier: GPL-2.0-or-later
"""
Locks
-----

Who has what others wait for: followed from waiter to owner, until one that does not
wait for a lock, or round in a circle.
"""

from collections.abc import Iterator

from lkst.state.model import Lock, State, Task
from lkst.state.rules.base import HUNG, LONG, Suspicion, rule
from lkst.state.rules.places import waiting_function
from lkst.state.words import seconds, who

__all__ = ()


def _name(state: State, pid: int) -> str:
    task = state.task(pid)
    return who(task.comm or state.trace.task_names.last(pid), pid)


def _age(state: State, row: int) -> int:
    return state.when - int(state.trace.ts[row])


def _waiters(state: State, lock: Lock) -> dict[int, int]:
    """
    Give those that certainly wait for a lock, with the rows where it began.

    The end of a wait that began before all CPUs have records may be lost, unless the dump
    has the task in D state.
    """
    waiting = {task.pid for task in state.end.waiting} if state.end else set()
    return {
        pid: row
        for pid, row in lock.waiters.items()
        if pid in waiting or int(state.trace.ts[row]) >= state.begin
    }


def _follow(state: State, pid: int) -> list[tuple[int, Lock]]:
    """Go from a waiter to who has its lock, and on: (waiter, lock), each task once."""
    chain: list[tuple[int, Lock]] = []
    seen: set[int] = set()
    while pid not in seen and (lock := state.waits_for(pid)):
        seen.add(pid)
        chain.append((pid, lock))
        if lock.owner is None:
            break
        pid = lock.owner
    return chain


@rule("deadlock")
def find_deadlocks(state: State) -> Iterator[Suspicion]:
    """Name tasks that wait for each other's locks."""
    told: set[frozenset[int]] = set()
    for lock in state.locks:
        for waiter in lock.waiters:
            chain = _follow(state, waiter)
            last = chain[-1][1].owner
            pids = [pid for pid, _ in chain]
            if last not in pids:
                continue
            circle = chain[pids.index(last) :]
            members = frozenset(pid for pid, _ in circle)
            if members in told:
                continue
            told.add(members)
            # Who has a lock is known as of the last wait for it: a moment may be none.
            if any(pid not in _waiters(state, lock) for pid, lock in circle):
                continue
            rows = [lock.waiters[pid] for pid, lock in circle]
            if min(_age(state, row) for row in rows) < LONG:
                continue
            since = min(int(state.trace.ts[row]) for row in rows)
            text = "; ".join(
                f"{_name(state, pid)} waits for {lock.name},"
                f" {'held' if lock.named else 'last taken'} by {_name(state, lock.owner or 0)}"
                for pid, lock in circle
            )
            yield Suspicion(
                "deadlock",
                "holder",
                _name(state, circle[0][0]),
                f"circular wait: {text}",
                since,
                tuple(sorted(rows)),
                float("inf"),
            )


@rule("lock-holder")
def find_holders(state: State) -> Iterator[Suspicion]:
    """Name who has a lock that others wait for, and does not wait for one itself."""
    for lock in state.locks:
        waiters = _waiters(state, lock)
        waited = max((_age(state, row) for row in waiters.values()), default=0)
        if waited < (LONG if lock.is_spin else HUNG):
            continue
        rows = tuple(sorted(waiters.values()))
        names = ", ".join(_name(state, pid) for pid in list(waiters)[:3])
        more = f" and {len(waiters) - 3} more" if len(waiters) > 3 else ""
        waiting = (
            f"{names}{more} wait{'s' * (len(waiters) == 1)} for {lock.kind} {lock.name}"
            f" for up to {seconds(waited)}"
        )
        since = int(state.trace.ts[rows[0]])
        weight = float(waited) * len(waiters)
        if lock.owner is None:
            yield Suspicion(
                "lock-holder",
                "holder",
                lock.name,
                f"{waiting}; its owner was not recorded",
                since,
                rows,
                weight,
            )
            continue
        if state.waits_for(lock.owner):
            continue  # told of the lock that this one waits for
        has = "holds it" if lock.named else "is the last waiter that took it"
        evidence = rows if lock.row is None else (lock.row, *rows)
        yield Suspicion(
            "lock-holder",
            "holder",
            _name(state, lock.owner),
            f"{waiting}; {_name(state, lock.owner)} {has} and is {_doing(state, lock.owner)}",
            since,
            tuple(sorted(set(evidence))),
            weight,
        )


def _doing(state: State, pid: int) -> str:
    task = state.task(pid)
    place = waiting_function(state, pid)
    return f"{_state(task)}{_for(state, task)}{_inside(task)}" + (
        f", in {place} according to the dump" if place else ""
    )


def _state(task: Task) -> str:
    names = {"S": "asleep", "D": "blocked (D)", "I": "asleep", "T": "stopped"}
    if task.state == "blocked":
        return names.get(task.letter, f"blocked ({task.letter})")
    return "gone" if task.state == "dead" else task.state.replace("unknown", "not in the trace")


def _for(state: State, task: Task) -> str:
    return "" if task.since is None else f" for {seconds(state.when - task.since)}"


def _inside(task: Task) -> str:
    return f" in {task.contexts[-1].kind} {task.contexts[-1].name}" if task.contexts else ""
