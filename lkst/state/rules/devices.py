# SPDX-License-Identifier: GPL-2.0-or-later
"""
Devices
-------

A driver that has stopped completing what it was given.
"""

from collections.abc import Iterator

from lkst.state.model import Pending, State
from lkst.state.rules.base import LONG, Suspicion, rule
from lkst.state.rules.waits import blocked_tasks
from lkst.state.tables import table
from lkst.state.words import seconds, who
from lkst.trace.trace import Trace

__all__ = ()

#: So long others may overtake a request, in ns: an I/O scheduler lets a write wait for 5 s
#: (Documentation/block/deadline-iosched.rst).
_OVERTAKEN = 10_000_000_000


@rule("dead-device")
def find_dead_devices(state: State) -> Iterator[Suspicion]:
    """Name a block device with requests that are older than they should get."""
    trace = state.trace
    devices: dict[str, list[Pending]] = {}
    for pending in state.pending:
        old = pending.certain and state.when - pending.since >= LONG
        if pending.kind in ("request", "bio") and old:
            devices.setdefault(pending.name, []).append(pending)
    waiting = [who(task.comm, task.pid) for task in blocked_tasks(state)]
    for name, requests in devices.items():
        age = state.when - requests[0].since
        last = _last_completion(trace, name)
        goes_on = last is not None and state.when - int(trace.ts[last]) < LONG
        if goes_on and age < _OVERTAKEN:
            continue  # It is slow, not dead.
        text = f"{len(requests)} of device {name} not completed, the oldest for {seconds(age)}"
        if last is None:
            text += "; none was completed in all of the trace"
        else:
            text += f"; the last one that was: {seconds(state.when - int(trace.ts[last]))} ago"
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


def _last_completion(trace: Trace, name: str) -> int | None:
    done = table(trace, ("block_rq_complete", "block_bio_complete"), "dev")
    major, _, minor = name.partition(":")
    if not (major.isdigit() and minor.isdigit()):
        return None
    rows = done.rows[done["dev"] == (int(major) << 20 | int(minor))]
    return int(rows[-1]) if len(rows) else None
