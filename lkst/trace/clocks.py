# SPDX-License-Identifier: GPL-2.0-or-later
"""
Clocks
------

Convert local_clock(), which the kernel's log and ftrace use, to the CLOCK_MONOTONIC of
the records. Log lines that are also records have both times: the record is written right
after the line gets its time, and before the next line of the same CPU gets its own.
A suspend may move the two clocks against each other, so the lines between two suspends are
converted by the offset that was found there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lkst.trace.foreign import Entry
from lkst.trace.trace import Trace

__all__ = ("Offset", "Tie", "console_times", "tie_local")


#: So long before a suspend's end lines may be printed while CLOCK_MONOTONIC stands still, in ns.
_FALLING_ASLEEP_NS = 1_000_000_000


@dataclass(frozen=True)
class Offset:
    """The offset of a clock from CLOCK_MONOTONIC between two suspends."""

    #: Add this to a time of the clock, in ns.
    offset: int
    #: Error bound in ns: offset - error <= true offset <= offset. None: unbounded.
    error: int | None
    #: Number of lines found in both places.
    lines: int


@dataclass(frozen=True)
class Tie:
    """
    The relation of a clock to CLOCK_MONOTONIC, which may change in each suspend.

    One of the two clocks may go on in a suspend while the other stops.
    """

    #: When each suspend ended, in ns of CLOCK_MONOTONIC, in order.
    wakes: tuple[int, ...]
    #: Before the first suspend, between two, after the last; None: no line is in both places.
    offsets: tuple[Offset | None, ...]

    def place(self, local: int) -> tuple[int, bool]:
        """
        Convert a time.

        :param local: of the other clock, in ns
        :return: CLOCK_MONOTONIC in ns, and whether the offset of that moment is known
        """
        for number in range(len(self.wakes), 0, -1):
            wake = self.wakes[number - 1]
            ts = local + self._nearest(number).offset
            if ts >= wake:
                before = self.offsets[number - 1]
                ambiguous = before is not None and local + before.offset < wake
                return self._until(number, ts), self.offsets[number] is not None and not ambiguous
        return self._until(0, local + self._nearest(0).offset), self.offsets[0] is not None

    def _until(self, number: int, ts: int) -> int:
        """Place lines that were printed while CLOCK_MONOTONIC stood still where it went on."""
        return min(ts, self.wakes[number]) if number < len(self.wakes) else ts

    def _nearest(self, number: int) -> Offset:
        """Return an offset, else the next later one that is known, else the last earlier one."""
        order = (*self.offsets[number:], *reversed(self.offsets[:number]))
        return next(offset for offset in order if offset is not None)


def console_times(trace: Trace) -> list[tuple[str, int, int]]:
    """Return text, time and CPU of each recorded line, in order."""
    event = next((e for e in trace.catalogue.events.values() if e.name == "console"), None)
    field = event.field("text") if event else None
    if event is None or field is None or not field.is_number:
        return []
    rows = trace.rows(event)
    texts = [text.rstrip("\n") for text in trace.texts(field, rows)]
    return list(zip(texts, trace.ts[rows].tolist(), trace.cpu[rows].tolist(), strict=True))


def tie_local(trace: Trace, log: Sequence[Entry]) -> Tie | None:
    """
    Tie the clock of the kernel's log to that of the records.

    The bounds hold for a clock that does not drift while records are in the trace.

    :param trace: a whole trace
    :param log: the kernel's log
    :return: None if no line is in both
    """
    lines = {text: ts for text, ts in _once([(e.text, e.ts or 0) for e in log]).items() if text}
    recorded = console_times(trace)
    wakes = [step.ts for step in trace.wall_clock.steps if step.asleep]
    begins = [-(1 << 63), *wakes]
    # Shortly before a suspend ends, CLOCK_MONOTONIC may stand still already.
    ends = [*(ts - _FALLING_ASLEEP_NS for ts in wakes), 1 << 63]
    offsets = [
        _tie_between(trace, lines, [line for line in recorded if begin <= line[1] < end])
        for begin, end in zip(begins, ends, strict=True)
    ]
    return Tie(tuple(wakes), tuple(offsets)) if any(offsets) else None


def _tie_between(
    trace: Trace, lines: dict[str, int], recorded: list[tuple[str, int, int]]
) -> Offset | None:
    tie = _tie(lines, recorded)
    if tie and tie.error is None and trace.panic_row is not None:
        # After a panic there are no ticks, and some clocks stop.
        tie = _tie(lines, [line for line in recorded if line[1] <= trace.end]) or tie
    return tie


def _tie(lines: dict[str, int], recorded: list[tuple[str, int, int]]) -> Offset | None:
    once = _once([(text, index) for index, (text, _, _) in enumerate(recorded)])
    both = sorted((index, lines[text]) for text, index in once.items() if text in lines)
    if not both:
        return None
    most = min(recorded[index][1] - local for index, local in both)
    least = None
    for (index, _), (after, local) in pairwise(both):
        _, time, cpu = recorded[index]
        if cpu == recorded[after][2]:
            low = time - local
            least = low if least is None else max(least, low)
    if least is None or least > most:
        # There is no lower bound; or the clock drifted, and neither bound holds for all lines.
        return Offset(most, None, len(both))
    return Offset(most, most - least, len(both))


def _once(pairs: list[tuple[str, int]]) -> dict[str, int]:
    """Drop texts that occur more than once."""
    found: dict[str, int | None] = {}
    for text, value in pairs:
        found[text] = None if text in found else value
    return {text: value for text, value in found.items() if value is not None}
