# SPDX-License-Identifier: GPL-2.0-or-later
"""
Storms
------

What happens so often that there is time or room for nothing else: forks,
interrupts, signals.
"""

from collections.abc import Iterator

import numpy as np

from lkst.state.model import State
from lkst.state.rules.base import Suspicion, rule
from lkst.state.tables import I64, last_by, table
from lkst.state.words import Words, function_of, seconds, who

__all__ = ()

#: Forks of one name of tasks in a trace, and the part of their children that lives on.
_MANY_FORKS = 20
_ALIVE = 0.8

#: A second.
_INTERRUPTS = 20_000
_SIGNALS = 2_000

#: Part of a CPU's time that handlers of one interrupt take.
_SHARE = 0.5

_SECOND = 10**9

#: kind; events that begin and end it; field that tells which, field that names it and its type.
_HANDLERS = (
    ("irq", "irq_handler_entry", "irq_handler_exit", "irq", "handler", "ksym"),
    ("softirq", "softirq_entry", "softirq_exit", "vec", "vec", "softirq"),
    ("timer", "timer_expire_entry", "timer_expire_exit", "timer", "function", "ksym"),
    ("hrtimer", "hrtimer_expire_entry", "hrtimer_expire_exit", "hrtimer", "function", "ksym"),
)


@rule("fork-storm")
def find_forks(state: State) -> Iterator[Suspicion]:
    """Name tasks whose children come fast and stay."""
    trace = state.trace
    words = Words(trace)
    forks = table(trace, "sched_process_fork", "child_pid", "child_tgid")
    # Threads are not what fills a machine.
    forks = forks.select(forks["child_pid"] == forks["child_tgid"])
    exits = table(trace, "sched_process_exit")
    gone = last_by(trace.pid[exits.rows], exits.rows)
    comms = words.comms(forks.rows)
    by_comm: dict[str, list[int]] = {}
    for index, comm in enumerate(comms):
        by_comm.setdefault(comm, []).append(index)
    for indices in by_comm.values():
        rows = forks.rows[indices]
        children = forks["child_pid"][indices].tolist()
        alive = sum(
            gone.get(child, -1) < row for child, row in zip(children, rows.tolist(), strict=True)
        )
        if len(rows) < _MANY_FORKS or alive < _ALIVE * len(rows):
            continue
        pids, counts = np.unique(trace.pid[rows], return_counts=True)
        top = int(pids[np.argmax(counts)])
        first = int(trace.ts[rows[0]])
        span = max(int(trace.ts[rows[-1]]) - first, 1)
        name = who(words.comms([int(rows[-1])])[0], top)
        others = f" and {len(pids) - 1} more of that name" if len(pids) > 1 else ""
        yield Suspicion(
            "fork-storm",
            "hog",
            name,
            f"{name}{others} forked {len(rows)} times within {seconds(span)}, and {alive} of the"
            " children are still there",
            first,
            (int(rows[0]), int(rows[-1])),
            # More than any share of memory.
            1 + float(alive),
        )


@rule("irq-storm")
def find_interrupts(state: State) -> Iterator[Suspicion]:
    """Name interrupts, softirqs and timers that come too often, or take most of a CPU's time."""
    for kind, begin, end, key, name, type_ in _HANDLERS:
        yield from _find_storms(state, kind, (begin, key, name), (end, key), type_)


def _find_storms(
    state: State, kind: str, begins: tuple[str, str, str], ends: tuple[str, str], type_: str
) -> Iterator[Suspicion]:
    trace = state.trace
    words = Words(trace)
    _, key, naming = begins
    entries, exits = table(trace, *begins), table(trace, *ends)
    recent = entries.select(trace.ts[entries.rows] > state.when - _SECOND)
    # A trace of less than this is too short to tell.
    span = min(_SECOND, max(state.when - int(trace.ts[0]), _SECOND // 2)) if len(trace) else 1
    for which in np.unique(recent[key]).tolist():
        own = recent.select(recent[key] == which)
        rows = own.rows
        first = int(trace.ts[rows[0]])
        busy = _time_between(trace.ts, trace.cpu, rows, exits.rows[exits[key] == which])
        rate, share = len(rows) * _SECOND / span, busy / span
        if rate < _INTERRUPTS and share < _SHARE:
            continue
        value = int(own[naming][-1])
        name = words.named(type_, value) if type_ != "ksym" else function_of(words.address(value))
        yield Suspicion(
            "irq-storm",
            "hog",
            name,
            f"{kind} {name} came {rate:.0f} times a second, and took {100 * share:.0f}% of a CPU",
            first,
            (int(rows[0]), int(rows[-1])),
            share,
        )


def _time_between(ts: I64, cpu: I64, begins: I64, ends: I64) -> int:
    """Sum up the time from each beginning to the next end on the same CPU."""
    total = 0
    for number in np.unique(cpu[begins]).tolist():
        own, stop = begins[cpu[begins] == number], ends[cpu[ends] == number]
        place = np.searchsorted(stop, own)
        there = place < len(stop)
        total += int((ts[stop[place[there]]] - ts[own[there]]).sum())
    return total


@rule("signal-storm")
def find_signals(state: State) -> Iterator[Suspicion]:
    """Name tasks that send signals without end."""
    trace = state.trace
    words = Words(trace)
    sent = table(trace, "signal_generate", "sig", "pid")
    sent = sent.select(trace.ts[sent.rows] > state.when - _SECOND)
    for pid in np.unique(trace.pid[sent.rows]).tolist():
        rows = sent.rows[trace.pid[sent.rows] == pid]
        if len(rows) < _SIGNALS:
            continue
        name = who(words.comms([int(rows[-1])])[0], pid)
        yield Suspicion(
            "signal-storm",
            "hog",
            name,
            f"{name} sent {len(rows)} signals in the last second",
            int(trace.ts[rows[0]]),
            (int(rows[0]), int(rows[-1])),
            0.1,
        )
