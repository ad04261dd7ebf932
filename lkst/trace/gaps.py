# SPDX-License-Identifier: GPL-2.0-or-later
"""
Switches without a record
-------------------------

A CPU goes from one thread to another by a switch, and each switch has a record if
``sched_switch`` is recorded. A thread that shows up on a CPU although the last record of a
switch there brought in another one proves that a switch has no record: the kernel did not
call the tracepoint, or skipped the program.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.catalogue import Event
from lkst.decode.ring import IN_FLIGHT, TORN
from lkst.trace.trace import Trace

__all__ = ("Gaps", "unrecorded_switches")

_SWITCH, _EXEC, _MASKSET = "sched_switch", "sched_process_exec", "maskset_use"

#: Events of task context only. Others can come between the tracepoint and the switch itself,
#: when the next thread has been recorded and the previous one still runs.
_OF_THREADS = ("sys_enter", "sys_exit", "page_fault_user")


@dataclass(frozen=True)
class Gaps:
    """Where threads show up without having been switched to; each may be several switches."""

    #: Rows of the trace in which the threads show up, ascending.
    rows: NDArray[np.int64]
    #: Last row of the same CPU that shows which thread ran: the switch came between.
    before: NDArray[np.int64]
    #: Ids of the threads that ran then, and have left the CPU since.
    left: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


def unrecorded_switches(trace: Trace) -> Gaps | None:
    """
    Find where threads show up without having been switched to.

    Only what lies between two records of switches on the same CPU, with no change of the
    maskset in between, is looked at: ``sched_switch`` was recorded all the time there. Two
    missing switches, there and back, with no record of a thread in between, do not show.
    A CPU that has lost records within its rings is left out.

    :param trace: of all records
    :return: None: not known, since ``sched_switch`` is not recorded or is filtered
    """
    events = {event.name: event for event in trace.catalogue.events.values()}
    switch = events.get(_SWITCH)
    next_pid = switch.field("next_pid") if switch else None
    if switch is None or next_pid is None or _filtered(trace):
        return None
    switches = trace.rows(switch)
    if not len(switches):
        return None
    others = [trace.rows(events[name]) for name in _OF_THREADS if name in events]
    rows = np.sort(np.concatenate((switches, *others)))
    rows = rows[~np.isin(trace.cpu[rows], _damaged(trace))]
    # Group the rows by CPU, sorted by time.
    rows = rows[np.argsort(trace.cpu[rows], kind="stable")]
    here, whole = trace.pid[rows], trace.flags[rows] & (IN_FLIGHT | TORN) == 0
    is_switch = trace.event[rows] == switch.id
    after = here.copy()
    after[is_switch] = trace.column(next_pid, rows[is_switch]).astype(np.int64)
    between = _between_switches(trace, rows, is_switch, events.get(_MASKSET))
    odd = np.zeros(len(rows), bool)
    odd[1:] = (after[:-1] != here[1:]) & whole[:-1] & whole[1:] & between[1:]
    found = np.flatnonzero(odd)
    renamed = _renamed(trace, events.get(_EXEC))
    pairs = zip(after[found - 1].tolist(), here[found].tolist(), strict=True)
    found = found[np.array([pair not in renamed for pair in pairs], bool)]
    found = found[np.argsort(rows[found], kind="stable")]
    return Gaps(rows[found], rows[found - 1], after[found - 1])


def _filtered(trace: Trace) -> bool:
    """Whether records of switches may have been filtered out, or it is not known."""
    control = trace.control
    if trace.image.partial or control is None:
        return True
    return any(control.filter[n].flags for n in range(layout.MAX_MASKSETS))


def _damaged(trace: Trace) -> list[int]:
    """CPUs whose rings have lost records other than the oldest."""
    return [loss.cpu for loss in trace.losses if loss.torn or loss.unreadable or loss.unsaved]


def _between_switches(
    trace: Trace, rows: NDArray[np.int64], is_switch: NDArray[np.bool_], maskset: Event | None
) -> NDArray[np.bool_]:
    """
    Return which rows have switches before them and at or after them, in the same era.

    :param rows: of the trace, each CPU's together
    """
    changes = trace.rows(maskset) if maskset else np.zeros(0, np.int64)
    cpu, era = trace.cpu[rows], np.searchsorted(changes, rows)
    new = np.ones(len(rows), bool)
    new[1:] = (cpu[1:] != cpu[:-1]) | (era[1:] != era[:-1])
    stretch = np.cumsum(new) - 1
    at = np.arange(len(rows))
    count = int(stretch[-1]) + 1 if len(rows) else 0
    first, last = np.full(count, len(rows)), np.full(count, -1)
    np.minimum.at(first, stretch[is_switch], at[is_switch])
    np.maximum.at(last, stretch[is_switch], at[is_switch])
    between: NDArray[np.bool_] = (first[stretch] < at) & (at <= last[stretch])
    return between


def _renamed(trace: Trace, event: Event | None) -> set[tuple[int, int]]:
    """
    Return thread ids before and after an exec, if they differ.

    A thread that is not its process's first gets the first one's id (de_thread() of fs/exec.c).
    """
    old = event.field("old_pid") if event else None
    if event is None or old is None:
        return set()
    rows = trace.rows(event)
    before = trace.column(old, rows).astype(np.int64).tolist()
    pairs = set(zip(before, trace.pid[rows].tolist(), strict=True))
    return {(old_pid, pid) for old_pid, pid in pairs if old_pid != pid}
