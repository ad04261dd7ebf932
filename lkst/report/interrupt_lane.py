# SPDX-License-Identifier: GPL-2.0-or-later
"""
Lanes of interrupts
-------------------

Intervals of softirqs, interrupts and high-resolution timers, which begin and end on a CPU.
"""

from collections.abc import Callable

import numpy as np

from lkst.report.intervals import BEGAN_BEFORE, GOES_ON, NONE, ByCPU, Lane, named
from lkst.state.naming import Naming
from lkst.trace.event_table import I64, ends_are_recorded, table
from lkst.trace.trace import Trace

__all__ = ("interrupt_lane",)

#: Lane, events that begin and end an interval, field of both, field with the name.
_HANDLERS = (
    ("irq", "irq_handler_entry", "irq_handler_exit", "irq", "handler"),
    ("irq", "hrtimer_expire_entry", "hrtimer_expire_exit", "hrtimer", "function"),
    ("softirq", "softirq_entry", "softirq_exit", "vec", "vec"),
)
#: Events that only tasks cause: no interrupt is being handled then.
_IN_TASK = ("sched_switch", "sys_enter", "sys_exit", "page_fault_user", "sched_process_exit")


def interrupt_lane(trace: Trace, naming: Naming, order: ByCPU, lane: str) -> Lane:
    """
    Return the intervals of a lane.

    :param lane: softirq or irq
    """
    parts: list[tuple[I64, I64, I64]] = []
    keys: list[str] = []
    codes = [NONE]
    notes = []
    aside = np.sort(order.place[table(trace, _IN_TASK).rows])
    for kind, begins, ends, key, name_field in _HANDLERS:
        begin, end = table(trace, begins, key, name_field), table(trace, ends, key)
        if kind != lane or not len(begin):
            continue
        if not ends_are_recorded(trace, ends):
            notes.append(f"{ends} was not recorded")
            continue
        field = "softirq" if name_field == "vec" else ""
        first, last, cut = _pairs(order, aside, (begin.rows, begin[key]), (end.rows, end[key]))
        # If the begin is lost, only the number is known.
        value = np.zeros(len(trace), np.int64)
        value[begin.rows] = begin[name_field]
        if name_field == key:
            value[end.rows] = end[key]
        wanted = value[order.rows[np.where(cut & BEGAN_BEFORE, last, first)]]
        names, code = named(wanted, _namer(naming, field, begins))
        codes.append(code + len(keys))
        keys += names
        parts.append((first, last, cut))
    first, last, cut = (
        (np.concatenate([NONE, *column]) for column in zip(*parts, strict=True))
        if parts
        else (NONE, NONE, NONE)
    )
    sort = np.argsort(first, kind="stable")
    first, last = first[sort], last[sort]
    code = np.concatenate(codes)[sort]
    rows = order.rows
    return Lane(
        lane, keys, order.cpu[first], rows[first], rows[last], code, cut[sort], ", ".join(notes)
    )


def _namer(naming: Naming, type_: str, event: str) -> Callable[[int], str]:
    if type_:
        return lambda value: naming.named(type_, value)
    prefix = "hrtimer " if event.startswith("hrtimer") else ""
    return lambda value: prefix + (naming.address(value) if value else "?")


def _pairs(
    order: ByCPU, aside: I64, begin: tuple[I64, I64], end: tuple[I64, I64]
) -> tuple[I64, I64, I64]:
    """
    Pair begins and ends.

    :param aside: places at which no interval is open, ascending
    :param begin: rows and keys of the begins
    :param end: rows and keys of the ends
    :return: places of the first and last records, and how they are cut off
    """
    place = order.place[np.concatenate((begin[0], end[0]))]
    key = np.concatenate((begin[1], end[1]))
    starts = np.arange(len(place)) < len(begin[0])
    sort = np.lexsort((place, key, order.cpu[place]))
    place, key, starts = place[sort], key[sort], starts[sort]
    follows = np.zeros(len(place), bool)
    follows[:-1] = (order.cpu[place[1:]] == order.cpu[place[:-1]]) & (key[1:] == key[:-1])
    paired = np.zeros(len(place), bool)
    paired[:-1] = follows[:-1] & starts[:-1] & ~starts[1:]
    one = np.flatnonzero(paired)

    # An end without a begin: it began before the CPU's known records.
    lost = ~starts
    lost[1:] &= ~paired[:-1]
    late = place[lost]
    cpu_first = np.maximum.accumulate(np.where(order.first, np.arange(len(order.first)), 0))
    before = np.searchsorted(aside, late) - 1
    since = np.maximum(aside[before] if len(aside) else -1, cpu_first[late])
    since = np.where(before >= 0, since, cpu_first[late])

    # A begin without an end lasts at most until then.
    open_ = np.flatnonzero(starts & ~paired)
    early = place[open_]
    after = np.searchsorted(aside, early)
    until = aside[np.minimum(after, len(aside) - 1)] if len(aside) else order.last[early]
    until = np.where(after < len(aside), until, order.last[early])
    again = np.where(follows[open_], place[np.minimum(open_ + 1, len(place) - 1)], len(order.rows))
    until = np.minimum(np.minimum(until, order.last[early]), again)
    first = np.concatenate((place[one], since, early))
    last = np.concatenate((place[one + 1], late, until))
    cut = np.repeat([0, BEGAN_BEFORE, GOES_ON], [len(one), len(since), len(early)])
    return first, last, cut
