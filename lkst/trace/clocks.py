# SPDX-License-Identifier: GPL-2.0-or-later
"""
Clocks
------

Convert local_clock(), which the kernel's log and ftrace use, to the CLOCK_MONOTONIC of
the records. Log lines that are also records have both times: the record is written right
after the line gets its time, and before the next line of the same CPU gets its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from lkst.trace.foreign import Entry
from lkst.trace.trace import Trace

__all__ = ("Tie", "console_times", "tie_local")


@dataclass(frozen=True)
class Tie:
    """The relation of a clock to CLOCK_MONOTONIC."""

    #: Add this to a time of the clock, in ns.
    offset: int
    #: Error bound in ns: offset - error <= true offset <= offset. None: unbounded.
    error: int | None
    #: Number of lines found in both places.
    lines: int


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
    tie = _tie(lines, recorded)
    if tie and tie.error is None and trace.panic_row is not None:
        # After a panic there are no ticks, and some clocks stop.
        tie = _tie(lines, [line for line in recorded if line[1] <= trace.end]) or tie
    if tie and any(step.asleep for step in trace.wall_clock.steps):
        # local_clock() may jump against CLOCK_MONOTONIC in a suspend: lines before it are tied
        # by lines behind it.
        return replace(tie, error=None)
    return tie


def _tie(lines: dict[str, int], recorded: list[tuple[str, int, int]]) -> Tie | None:
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
        return Tie(most, None, len(both))
    return Tie(most, most - least, len(both))


def _once(pairs: list[tuple[str, int]]) -> dict[str, int]:
    """Drop texts that occur more than once."""
    found: dict[str, int | None] = {}
    for text, value in pairs:
        found[text] = None if text in found else value
    return {text: value for text, value in found.items() if value is not None}
