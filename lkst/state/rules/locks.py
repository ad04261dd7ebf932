# SPDX-License-Identifier: GPL-2.0-or-later
"""
Locks
-----

Owners of locks that others wait for: followed from waiter to owner, until an owner that
does not wait for a lock, or until the chain closes.
"""

from collections.abc import Iterator

from lkst.state.model import Lock, State, Task
from lkst.state.naming import seconds, who
from lkst.state.rules.base import HUNG, LONG, Suspicion, rule
from lkst.state.rules.places import waiting_function

__all__ = ()


def _name(state: State, pid: int) -> str:
    task = state.task(pid)
    return who(task.comm or state.trace.task_names.last(pid), pid)


def _age(state: State, row: int) -> int:
    return state.when - int(state.trace.ts[row])


def _waiters(state: State, lock: Lock) -> dict[int, int]:
    # pid -> row where the wait began, of tasks that certainly wait. The end of a wait that began
    # before all CPUs have records may be lost, unless the dump has the task in D state.
    waiting = {task.pid for task in state.end.waiting} if state.end else set()
    return {
        pid: row
        for pid, row in lock.waiters.items()
        if pid in waiting or int(state.trace.ts[row]) >= state.begin
    }


def _follow(state: State, pid: int) -> list[tuple[int, Lock]]:
    # Follow waiter -> lock -> owner -> ...: (waiter, lock), each task once.
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
    seen: set[frozenset[int]] = set()
    for lock in state.locks:
        for waiter in lock.waiters:
            chain = _follow(state, waiter)
            last = chain[-1][1].owner
            pids = [pid for pid, _ in chain]
            if last not in pids:
                continue
            cycle = chain[pids.index(last) :]
            members = frozenset(pid for pid, _ in cycle)
            if members in seen:
                continue
            seen.add(members)
            # An owner is known as of the last wait for its lock: a short wait may be no deadlock.
            if any(pid not in _waiters(state, lock) for pid, lock in cycle):
                continue
            rows = [lock.waiters[pid] for pid, lock in cycle]
            if min(_age(state, row) for row in rows) < LONG:
                continue
            since = min(int(state.trace.ts[row]) for row in rows)
            text = "; ".join(
                f"{_name(state, pid)} waits for {lock.name},"
                f" {'held' if lock.named else 'last taken'} by {_name(state, lock.owner or 0)}"
                for pid, lock in cycle
            )
            yield Suspicion(
                "deadlock",
                "holder",
                _name(state, cycle[0][0]),
                f"circular wait: {text}",
                since,
                tuple(sorted(rows)),
                float("inf"),
            )


@rule("lock-holder")
def find_holders(state: State) -> Iterator[Suspicion]:
    """Name the owner of a contended lock that does not wait for a lock itself."""
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
            continue  # reported for the lock that this owner waits for
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
