# SPDX-License-Identifier: GPL-2.0-or-later
"""
Wall clock
----------

Convert CLOCK_MONOTONIC to CLOCK_REALTIME. Both are slewed together, so their difference
is constant between steps: when the clock is set, at a leap second, after a suspend
(CLOCK_MONOTONIC does not count the time asleep). The recorder keeps the last steps in
``struct lkst_clock``, and a source knows the difference at its end. If the two contradict
each other, a step was missed, and the wall clock in between is not known.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.abi.control import Control
from lkst.decode.catalogue import Header
from lkst.trace.facts import Facts

__all__ = ("Step", "WallClock", "find_boots", "find_wall_clock", "last_offset")

_SECOND = 10**9

#: User space reads two clocks one after the other: the header's offset may be off by that, in ns.
_START_ERROR_NS = 10_000_000

#: CRASHTIME is read when the panic has been printed, which a slow console can delay, in ns.
_MAX_CRASH_DELAY_NS = 60 * _SECOND

_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True)
class Step:
    """A step of the wall clock. Times are in ns; moments are CLOCK_MONOTONIC."""

    #: The old offset was still true then, the new one from ts on; not known in between.
    since: int
    ts: int
    #: CLOCK_REALTIME - CLOCK_MONOTONIC before and after; before: None: not known.
    before: int | None
    after: int
    #: How long the machine was suspended; None: not known.
    asleep: int | None = None


class WallClock:
    """CLOCK_REALTIME - CLOCK_MONOTONIC, piece by piece."""

    def __init__(self, first: int, steps: Sequence[Step], how: str) -> None:
        """
        Put the pieces together.

        :param first: the offset before the first step, in ns
        :param steps: in the order of time
        :param how: its origin, as in "by the kernel's timekeeper"
        """
        self.steps = list(steps)
        self.how = how
        pieces: list[tuple[int, int | None]] = [(-(1 << 63), first)]
        for step in steps:
            if step.since < step.ts or step.before is None:
                # The offset at "since" is known: the next piece begins 1 ns later.
                pieces.append((max(step.since + 1, pieces[-1][0]), None))
            pieces.append((max(step.ts, pieces[-1][0]), step.after))
        self._from = np.array([start for start, _ in pieces], np.int64)
        self._known = np.array([offset is not None for _, offset in pieces])
        self._offset = np.array([offset or 0 for _, offset in pieces], np.int64)

    def pieces(self) -> list[tuple[int, int | None]]:
        """Offsets, and the CLOCK_MONOTONIC from which each holds, in ns; None: not known."""
        columns = (self._from.tolist(), self._offset.tolist(), self._known.tolist())
        return [(ts, offset if sure else None) for ts, offset, sure in zip(*columns, strict=True)]

    def offset(self, ts: int) -> int | None:
        """
        Return the offset at a time.

        :param ts: CLOCK_MONOTONIC, in ns
        :return: CLOCK_REALTIME - CLOCK_MONOTONIC in ns; None: not known
        """
        clamped = min(max(ts, _INT64.start), _INT64.stop - 1)
        piece = int(np.searchsorted(self._from, clamped, side="right")) - 1
        return int(self._offset[piece]) if self._known[piece] else None

    def offsets(self, ts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """
        Find the offsets at many moments.

        :param ts: CLOCK_MONOTONIC, in ns
        :return: offsets in ns, and whether each is known
        """
        pieces = np.searchsorted(self._from, ts, side="right") - 1
        return self._offset[pieces], self._known[pieces]


def find_wall_clock(
    header: Header, control: Control | None, facts: Facts, end: int, panicked: bool
) -> WallClock:
    """
    Find out what the wall clock was while a trace was recorded.

    :param control: None: it is damaged or missing
    :param end: of the trace: CLOCK_MONOTONIC, in ns
    :param panicked: whether the trace ends with a panic, after which no clock is set
    """
    steps, last, seen = _steps(header, control)
    watched = bool(control and control.clock.timekeeper and control.clock.watched)
    reading = facts.clock
    if reading is not None:
        kernels = bool(control and control.clock.timekeeper)
        error = reading.error + (0 if kernels else _START_ERROR_NS)
        if abs(reading.real_offset - last) > error:
            ts = max(min(reading.ts, end) if panicked else reading.ts, seen)
            steps.append(Step(seen, ts, last, reading.real_offset))
        how = reading.how
    elif facts.crash_time is not None and not _agrees(facts.crash_time, end + last):
        offset = facts.crash_time * _SECOND - end
        steps.append(Step(seen, max(end, seen), last, offset))
        how = "the dump's CRASHTIME, a minute late at most"
    elif watched:
        how = "the steps of the clock that the recorder saw"
    elif facts.crash_time is not None:
        how = "the clock as of the recorder's start, which the dump's CRASHTIME confirms"
    else:
        how = "the clock as of the recorder's start"
    first = steps[0].before if steps else last
    return WallClock(header.real_offset if first is None else first, steps, how)


def last_offset(header: Header, control: Control | None, facts: Facts) -> int:
    """Return the last known CLOCK_REALTIME - CLOCK_MONOTONIC, in ns."""
    return facts.clock.real_offset if facts.clock else _steps(header, control)[1]


def find_boots(offsets: Iterable[tuple[str, int]]) -> dict[str, int]:
    """
    Find out when machines were booted, to put the boots in order.

    :param offsets: boot ids, and CLOCK_REALTIME - CLOCK_MONOTONIC in ns at some time then
    :return: boot id -> CLOCK_REALTIME of the boot in ns, by the clock as it was set last; a
        clock that was wrong at the boot and set later is wrong in the past, as a rule
    """
    boots: dict[str, int] = {}
    for boot_id, offset in offsets:
        boots[boot_id] = max(offset, boots.get(boot_id, offset))
    return boots


def _agrees(crash_time: int, real: int) -> bool:
    """
    Check CRASHTIME against the wall clock of the last record.

    :param crash_time: whole seconds
    :param real: in ns
    """
    return real - 2 * _SECOND <= crash_time * _SECOND <= real + _MAX_CRASH_DELAY_NS


def _steps(header: Header, control: Control | None) -> tuple[list[Step], int, int]:
    """
    Read the recorder's table.

    :return: steps, the last offset, and the last time at which it was observed
    """
    start, offset = header.start, header.real_offset
    if control is None or not control.clock.timekeeper:
        return [], offset, start
    clock = control.clock
    count = min(clock.nr, layout.MAX_STEPS)
    raw = [clock.step[n % layout.MAX_STEPS] for n in range(clock.nr - count, clock.nr)]
    if any(old.ts > new.ts for old, new in pairwise(raw)) or any(s.since > s.ts for s in raw):
        # The table is damaged, or was being written: only its last offset may be valid.
        return [], offset, start
    if not clock.nr and abs(clock.real_offset - offset) <= _START_ERROR_NS:
        # The kernel's own value has no error of user space.
        offset = int(clock.real_offset)
    steps: list[Step] = []
    boot: int | None = clock.boot_offset
    for number, step in enumerate(raw):
        lost = number == 0 and clock.nr > count
        asleep = None if lost or boot is None else max(0, step.boot_offset - boot)
        since = start if lost else step.since
        before = None if lost else offset
        steps.append(Step(int(since), int(step.ts), before, int(step.real_offset), asleep))
        offset, boot = int(step.real_offset), step.boot_offset
    seen = max(start, int(clock.checked)) if clock.checked in range(1 << 63) else start
    return steps, offset, seen
