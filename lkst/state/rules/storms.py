# SPDX-License-Identifier: GPL-2.0-or-later
"""
Storms
------

Forks, interrupts and signals at rates that leave no time or memory for anything else.
"""

from collections.abc import Iterator

import numpy as np

from lkst.state.model import State
from lkst.state.naming import Naming, function_of, seconds, who
from lkst.state.rules.base import Suspicion, rule
from lkst.trace.event_table import I64, last_by, table
from lkst.trace.trace import Trace

__all__ = ()

#: Thresholds: living children of tasks of one name, their share of all their children, and
#: children of the last 3 s: a server or a build starts many, and then stops.
_MANY_FORKS = 100
_ALIVE = 0.8
_FAST_FORKS = 20
_LATELY = 3_000_000_000

#: Interrupts per second, if most of them are unhandled.
_INTERRUPTS = 20_000
_UNHANDLED = 0.5
#: Signals per second.
_SIGNALS = 2_000

#: Share of one CPU's time that handlers of one interrupt use. Softirqs and timers do the
#: work of networks and disks, which may be much.
_SHARE = {"irq": 0.5}
_MUCH = 0.85

#: include/uapi/asm-generic/siginfo.h: si_code of signals from the kernel and its timers.
_BY_KERNEL = (0x80, -2)

_SECOND = 10**9

#: kind; events that begin and end it; key field; field with its name, and its type.
_HANDLERS = (
    ("irq", "irq_handler_entry", "irq_handler_exit", "irq", "handler", "ksym"),
    ("softirq", "softirq_entry", "softirq_exit", "vec", "vec", "softirq"),
    ("timer", "timer_expire_entry", "timer_expire_exit", "timer", "function", "ksym"),
    ("hrtimer", "hrtimer_expire_entry", "hrtimer_expire_exit", "hrtimer", "function", "ksym"),
)


@rule("fork-storm")
def find_forks(state: State) -> Iterator[Suspicion]:
    """Name tasks that fork fast and whose children stay alive."""
    trace = state.trace
    naming = Naming(trace)
    forks = table(trace, "sched_process_fork", "child_pid", "child_tgid")
    # Threads do not count as children.
    forks = forks.select(forks["child_pid"] == forks["child_tgid"])
    exits = table(trace, "sched_process_exit")
    gone = last_by(trace.pid[exits.rows], exits.rows)
    comms = naming.comms(forks.rows)
    by_comm: dict[str, list[int]] = {}
    for index, comm in enumerate(comms):
        by_comm.setdefault(comm, []).append(index)
    for indices in by_comm.values():
        rows = forks.rows[indices]
        children = forks["child_pid"][indices].tolist()
        alive = sum(
            gone.get(child, -1) < row for child, row in zip(children, rows.tolist(), strict=True)
        )
        fast = int((trace.ts[rows] > state.when - _LATELY).sum())
        if alive < max(_MANY_FORKS, _ALIVE * len(rows)) or fast < _FAST_FORKS:
            continue
        pids, counts = np.unique(trace.pid[rows], return_counts=True)
        top = int(pids[np.argmax(counts)])
        first = int(trace.ts[rows[0]])
        span = max(int(trace.ts[rows[-1]]) - first, 1)
        name = who(naming.comms([int(rows[-1])])[0], top)
        others = f" and {len(pids) - 1} others of that name" if len(pids) > 1 else ""
        yield Suspicion(
            "fork-storm",
            "hog",
            name,
            f"{name}{others} forked {len(rows)} times within {seconds(span)}; {alive} of the"
            " children are still alive",
            first,
            (int(rows[0]), int(rows[-1])),
            # Above the weight of any memory hog.
            1 + float(alive),
        )


@rule("irq-storm")
def find_interrupts(state: State) -> Iterator[Suspicion]:
    """Name unhandled interrupts at a high rate, and handlers that use most of a CPU's time."""
    for kind, begin, end, key, name, type_ in _HANDLERS:
        yield from _find_storms(state, kind, (begin, key, name), (end, key), type_)


def _find_storms(
    state: State, kind: str, begins: tuple[str, str, str], ends: tuple[str, str], type_: str
) -> Iterator[Suspicion]:
    trace = state.trace
    naming = Naming(trace)
    _, key, name_field = begins
    entries, exits = table(trace, *begins), table(trace, *ends)
    # With PREEMPT_RT, softirqs and their timers can be preempted.
    switches = table(trace, "sched_switch").rows
    recent = entries.select(trace.ts[entries.rows] > state.when - _SECOND)
    # A rate over less than this is not reliable.
    span = min(_SECOND, max(state.when - int(trace.ts[0]), _SECOND // 2)) if len(trace) else 1
    for which in np.unique(recent[key]).tolist():
        own = recent.select(recent[key] == which)
        rows = own.rows
        first = int(trace.ts[rows[0]])
        stops = np.sort(np.concatenate((exits.rows[exits[key] == which], switches)))
        cpu, busy = _busiest(trace.ts, trace.cpu, rows, stops)
        rate, share = len(rows) * _SECOND / span, busy / span
        if share < _SHARE.get(kind, _MUCH) and not (
            rate >= _INTERRUPTS and kind == "irq" and _is_unhandled(trace, which)
        ):
            continue
        value = int(own[name_field][-1])
        name = naming.named(type_, value) if type_ != "ksym" else function_of(naming.address(value))
        yield Suspicion(
            "irq-storm",
            "hog",
            name,
            f"{kind} {name} ran {rate:.0f} times a second and used {100 * share:.0f}% of CPU {cpu}",
            first,
            (int(rows[0]), int(rows[-1])),
            share,
        )


def _is_unhandled(trace: Trace, irq: int) -> bool:
    # Check whether most calls of an interrupt's handlers returned IRQ_NONE.
    exits = table(trace, "irq_handler_exit", "irq", "handled")
    handled = exits["handled"][exits["irq"] == irq]
    return len(handled) > 0 and float((handled == 0).mean()) > _UNHANDLED


def _busiest(ts: I64, cpu: I64, begins: I64, stops: I64) -> tuple[int, int]:
    """
    Sum up the time from each begin to the next stop on the same CPU.

    :return: the CPU with the greatest sum, and the sum in ns
    """
    times = []
    for number in np.unique(cpu[begins]).tolist():
        own, stop = begins[cpu[begins] == number], stops[cpu[stops] == number]
        place = np.searchsorted(stop, own)
        there = place < len(stop)
        times.append((int((ts[stop[place[there]]] - ts[own[there]]).sum()), number))
    busy, number = max(times)
    return number, busy


@rule("signal-storm")
def find_signals(state: State) -> Iterator[Suspicion]:
    """Name tasks that send signals at a high rate."""
    trace = state.trace
    naming = Naming(trace)
    sent = table(trace, "signal_generate", "pid", "code")
    sent = sent.select(trace.ts[sent.rows] > state.when - _SECOND)
    # Signals of timers and profilers have the current task as their sender.
    others = sent["pid"] != trace.pid[sent.rows]
    sent = sent.select(others & ~np.isin(sent["code"], _BY_KERNEL))
    for pid in np.unique(trace.pid[sent.rows]).tolist():
        rows = sent.rows[trace.pid[sent.rows] == pid]
        if len(rows) < _SIGNALS:
            continue
        name = who(naming.comms([int(rows[-1])])[0], pid)
        yield Suspicion(
            "signal-storm",
            "hog",
            name,
            f"{name} sent {len(rows)} signals in the last second",
            int(trace.ts[rows[0]]),
            (int(rows[0]), int(rows[-1])),
            0.1,
        )
