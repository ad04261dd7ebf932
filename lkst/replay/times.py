# SPDX-License-Identifier: GPL-2.0-or-later
"""
Times
-----

Format times: seconds from the end of the trace, date and time of the wall clock, seconds
since boot.
"""

from collections.abc import Callable

import numpy as np

from lkst.replay.cells import Part, distinct, magnitude, nanoseconds, pick
from lkst.trace.trace import Trace

__all__ = ("TIMES", "UNKNOWN", "Stamps", "moment", "relative", "stamps", "wall")

#: Formats of times.
TIMES = ("relative", "wall", "mono")

#: Text of a wall-clock time that is not known.
UNKNOWN = "not known"

_SECOND = 10**9
# Seconds are aligned up to this many digits; a damaged record may have more.
_MAX_DIGITS = 7


def relative(trace: Trace, ts: int) -> str:
    """
    Format a time as seconds from the end of the trace.

    :param ts: CLOCK_MONOTONIC, in ns
    """
    time = ts - trace.end
    sign = "-" if time < 0 else "+" if time > 0 else ""
    return f"{sign}{abs(time) // _SECOND}.{abs(time) % _SECOND:09}"


def wall(trace: Trace, ts: int) -> str:
    """
    Format a time by the wall clock in UTC, or return "not known".

    :param ts: CLOCK_MONOTONIC, in ns
    """
    offset = trace.wall_clock.offset(ts)
    if offset is None:
        return UNKNOWN
    second, nanosecond = divmod(ts + offset, _SECOND)
    return f"{_date(second)}.{nanosecond:09}Z"


def _date(second: int) -> str:
    return str(np.datetime64(second, "s"))


class Stamps:
    """Formats the times of records as seconds and nanoseconds."""

    def write(self, chunk: Trace) -> list[Part]:
        """Format the time of every record."""
        seconds, codes = distinct(chunk.ts // _SECOND)
        names = [str(second).encode() for second in seconds]
        return [pick(names, codes), b".", nanoseconds(chunk.ts % _SECOND)]


class _Wall(Stamps):
    """Dates and times, in UTC."""

    def write(self, chunk: Trace) -> list[Part]:
        offsets, known = chunk.wall_clock.offsets(chunk.ts)
        times = chunk.ts + offsets
        seconds, codes = distinct(times // _SECOND)
        if known.all():
            names = [_date(second).encode() for second in seconds]
            return [pick(names, codes), b".", nanoseconds(times % _SECOND), b"Z"]
        texts = [
            f"{_date(second)}.{nanosecond:09}Z" if sure else UNKNOWN
            for second, nanosecond, sure in zip(
                (times // _SECOND).tolist(), (times % _SECOND).tolist(), known.tolist(), strict=True
            )
        ]
        width = max(map(len, texts), default=0)
        return [pick([text.ljust(width).encode() for text in texts], np.arange(len(texts)))]


class _Relative(Stamps):
    """Times before and after the end."""

    def __init__(self, trace: Trace) -> None:
        ends = trace.select(np.array([0, -1]) if len(trace) else slice(0)).ts
        seconds = magnitude(ends - np.int64(trace.end)) // np.uint64(_SECOND)
        digits = max((len(str(second)) for second in seconds.tolist()), default=1)
        self._width = 1 + min(digits, _MAX_DIGITS)
        self._origin = np.int64(trace.end)

    def write(self, chunk: Trace) -> list[Part]:
        times = chunk.ts - self._origin
        sizes = magnitude(times)
        seconds = (sizes // np.uint64(_SECOND)).astype(np.int64)
        # The sign is part of the seconds: "-0" and "+0" differ.
        keys, codes = distinct(seconds * 3 + np.sign(times) + 1)
        names = [f"{'- +'[key % 3]}{key // 3}".rjust(self._width).encode() for key in keys]
        return [pick(names, codes), b".", nanoseconds(sizes % np.uint64(_SECOND))]


def moment(trace: Trace, time: str) -> Callable[[int], str]:
    """
    Return a function that formats one time as a replay does.

    :param time: one of TIMES
    """
    if time == "wall":
        return lambda ts: wall(trace, ts)
    if time == "mono":
        return lambda ts: f"{ts // _SECOND}.{ts % _SECOND:09}"
    return lambda ts: relative(trace, ts)


def stamps(trace: Trace, time: str) -> Stamps:
    """
    Return a formatter of the times of a trace.

    :param time: one of TIMES
    """
    if time == "wall":
        return _Wall()
    if time == "mono":
        return Stamps()
    return _Relative(trace)
