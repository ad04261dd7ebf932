# SPDX-License-Identifier: GPL-2.0-or-later
"""
Timers
------

Timers that were armed, should have expired, and have not. The current jiffy is estimated
from the timers that did expire.
"""

from typing import NamedTuple

from lkst.state.model import Pending
from lkst.state.naming import Naming
from lkst.trace.event_table import Table, open_ones, table
from lkst.trace.trace import Trace

__all__ = ("find_overdue",)

#: The timer wheel expires a timer late by up to 1/8 of its timeout (kernel/time/timer.c), and
#: a tick may be late.
_LATE = 8
_TICKS = 2

#: CONFIG_HZ is one of 100, 250, 300, 1000.
_MIN_HZ, _MAX_HZ = 90, 1100


class _Clock(NamedTuple):
    jiffy: float
    ns: int
    hz: float

    def at(self, ns: int) -> float:
        return self.jiffy + (ns - self.ns) * self.hz / 1e9


def find_overdue(trace: Trace, naming: Naming) -> tuple[list[Pending], list[str]]:
    """
    Find the timers that are overdue; none if ``timer_start`` is not recorded.

    :return: the timers, and notes about what is not known
    """
    start = table(trace, "timer_start", "timer", "expires", "function")
    if not len(start):
        return [], []
    expired = table(trace, "timer_expire_entry", "timer")
    clock = _estimate_clock(trace, start, expired)
    if clock is None:
        return [], ["too few timers expired: overdue timers are not known"]
    end = table(trace, ("timer_cancel", "timer_expire_entry"), "timer")
    open_ = start.select(open_ones((start["timer"],), start.rows, (end["timer"],), end.rows))
    now = clock.at(trace.end)
    found = []
    for row, expires, function in zip(
        open_.rows.tolist(), open_["expires"].tolist(), open_["function"].tolist(), strict=True
    ):
        since = int(trace.ts[row])
        if now - expires > max(expires - clock.at(since), 0) / _LATE + _TICKS:
            text = naming.fields([row])[0]
            found.append(Pending("timer", row, since, naming.address(function), text))
    return found, []


def _estimate_clock(trace: Trace, start: Table, expired: Table) -> _Clock | None:
    # Estimate jiffies from the timers that expired: a timer never expires early.
    armed: dict[int, tuple[int, int]] = {}
    begun = dict(zip(start.rows.tolist(), start["timer"].tolist(), strict=True))
    expires = dict(zip(start.rows.tolist(), start["expires"].tolist(), strict=True))
    ended = dict(zip(expired.rows.tolist(), expired["timer"].tolist(), strict=True))
    pairs = []
    for row in sorted((*begun, *ended)):
        if row in begun:
            armed[begun[row]] = row, expires[row]
        elif (found := armed.pop(ended[row], None)) is not None:
            pairs.append((found[1], int(trace.ts[row])))
    if len(pairs) < 2:
        return None
    (first, begin), (last, end) = min(pairs), max(pairs)
    if last == first or end <= begin:
        return None
    hz = (last - first) * 1e9 / (end - begin)
    return _Clock(last, end, hz) if _MIN_HZ < hz < _MAX_HZ else None
