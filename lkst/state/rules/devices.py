# SPDX-License-Identifier: GPL-2.0-or-later
"""
Devices
-------

A driver that has stopped completing I/O.
"""

from collections.abc import Iterator

import numpy as np

from lkst.state.model import Pending, State
from lkst.state.naming import seconds, who
from lkst.state.rules.base import HUNG, LONG, Suspicion, rule
from lkst.state.rules.waits import blocked_tasks
from lkst.trace.event_table import table
from lkst.trace.trace import Trace

__all__ = ()

#: Others may overtake a request for this long, in ns: an I/O scheduler lets a write wait for 5 s
#: (Documentation/block/deadline-iosched.rst).
_OVERTAKEN = 10_000_000_000

#: Multiple of the slowest completed request's time that is suspicious.
_LONGER = 3

_IO = (
    (("block_rq_insert", "block_rq_issue"), "block_rq_complete", "rq"),
    ("block_bio_queue", "block_bio_complete", "bio"),
)


@rule("dead-device")
def find_dead_devices(state: State) -> Iterator[Suspicion]:
    """Name a block device with requests that are too old."""
    trace = state.trace
    devices: dict[str, list[Pending]] = {}
    for pending in state.pending:
        old = pending.certain and state.when - pending.since >= HUNG
        if pending.kind in ("request", "bio") and old:
            devices.setdefault(pending.name, []).append(pending)
    waiting = [who(task.comm, task.pid) for task in blocked_tasks(state)]
    for name, requests in devices.items():
        age = state.when - requests[0].since
        last = _last_completion(trace, name)
        if age < _LONGER * _slowest(trace, name):
            continue
        goes_on = last is not None and state.when - int(trace.ts[last]) < LONG
        if goes_on and age < _OVERTAKEN:
            continue  # The device is slow, not dead.
        text = (
            f"{len(requests)} I/O{'s' * (len(requests) > 1)} of device {name} not completed,"
            f" the oldest for {seconds(age)}"
        )
        if last is None:
            text += "; no I/O of it completed in the whole trace"
        else:
            text += f"; the last completion was {seconds(state.when - int(trace.ts[last]))} ago"
        if waiting:
            text += f"; {', '.join(waiting[:3])} in D state"
        rows = tuple(pending.row for pending in requests[:8])
        yield Suspicion(
            "dead-device",
            "holder" if waiting else "oddity",
            name,
            text,
            requests[0].since,
            rows if last is None else tuple(sorted({last, *rows})),
            float(age) * len(requests),
        )


def _number(name: str) -> int | None:
    major, _, minor = name.partition(":")
    return int(major) << 20 | int(minor) if major.isdigit() and minor.isdigit() else None


def _last_completion(trace: Trace, name: str) -> int | None:
    done = table(trace, ("block_rq_complete", "block_bio_complete"), "dev")
    rows = done.rows[done["dev"] == _number(name)]
    return int(rows[-1]) if len(rows) else None


def _slowest(trace: Trace, name: str) -> int:
    # Longest time in ns that a device took to complete a request; 0: it completed none.
    longest = 0
    for begins, ends, key in _IO:
        begin, end = table(trace, begins, key, "dev"), table(trace, ends, key, "dev")
        begin, end = (part.select(part["dev"] == _number(name)) for part in (begin, end))
        rows = np.concatenate((begin.rows, end.rows))
        order = np.lexsort((rows, np.concatenate((begin[key], end[key]))))
        keys = np.concatenate((begin[key], end[key]))[order]
        is_end = (np.arange(len(rows)) >= len(begin))[order]
        pairs = np.flatnonzero(is_end[1:] & ~is_end[:-1] & (keys[1:] == keys[:-1]))
        if len(pairs):
            ts = trace.ts[rows[order]]
            longest = max(longest, int((ts[pairs + 1] - ts[pairs]).max()))
    return longest
