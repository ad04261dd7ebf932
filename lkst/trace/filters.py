# SPDX-License-Identifier: GPL-2.0-or-later
"""
Filters
-------

Select the records of a trace that pass every filter. A filter that is not given passes
all records.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase
import re

import numpy as np
from numpy.typing import NDArray

from lkst.decode.matching import match_events
from lkst.decode.predicate import Predicate, all_of, by_cpu, by_event, by_pid
from lkst.errors import Usage
from lkst.trace.names.index import decode_comm, factorize
from lkst.trace.trace import Trace
from lkst.util.lists import parse_cpus, parse_pids
from lkst.util.nearest import nearest
from lkst.util.quoting import matches, split_patterns

__all__ = (
    "AROUND",
    "Filters",
    "apply",
    "match_events",
    "parse_cpus",
    "parse_last",
    "parse_patterns",
    "parse_pids",
    "parse_time",
)

Bools = NDArray[np.bool_]

_UNITS = {"": 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
#: Number of records to show before and after a moment.
AROUND = 50

#: Length of the first tail that is searched if the number of records to show is not known.
_FIRST_TAIL_RECORDS = 1 << 16

# Digits of the longest valid time.
_MAX_TIME = 18


@dataclass(frozen=True)
class Filters:
    """Filters of records; None: no filter."""

    #: CPUs that wrote the record.
    cpus: frozenset[int] | None = None
    #: Tasks by thread id: the record was written by one of them or names it.
    pids: frozenset[int] | None = None
    #: Tasks by name, as patterns of :func:`parse_patterns`.
    comms: tuple[str, ...] | None = None
    #: Shell patterns for an event's name, category, or name in LKST.
    events: tuple[str, ...] | None = None
    #: Shell patterns for the name of the buffer that holds it.
    buffers: tuple[str, ...] | None = None
    #: Number of records: the last ones that pass the other filters.
    last: int | None = None
    #: AROUND records before and after a moment: ns from the trace's end.
    around: int | None = None
    #: Time range: ns from the trace's end, negative before it.
    since: int | None = None
    until: int | None = None


def apply(trace: Trace, filters: Filters) -> Trace:
    """
    Return the records that pass the filters.

    Where the newest records are enough, no others are decoded, nor are those whose first slots
    tell that they are not wanted.

    :raises Usage: if a pattern matches no event of the catalogue, or no buffer
    """
    chosen = _select(trace, filters)
    if filters.around is not None:
        place = int(np.searchsorted(chosen.ts, trace.end + filters.around))
        chosen = chosen.select(slice(max(0, place - AROUND), place + AROUND))
    if filters.last is not None:
        chosen = chosen.select(slice(max(0, len(chosen) - filters.last), len(chosen)))
    return chosen


def _select(trace: Trace, filters: Filters) -> Trace:
    """Return the records that pass all filters but *around* and *last*, or a tail that suffices."""
    backwards = filters.around is None and (filters.last, filters.since) != (None, None)
    predicates = list(_predicates(trace, filters))
    chosen = trace
    for tail in trace.tails(filters.last or _FIRST_TAIL_RECORDS) if backwards else (trace,):
        chosen = tail.matching(all_of(predicates)) if predicates else tail
        for test in _tests(trace, filters):
            chosen = chosen.select(test(chosen))
        if tail is trace or (filters.last is not None and len(chosen) >= filters.last):
            break
        # Times are sorted as unsigned numbers.
        first = int(tail.records.ts[0]) if len(tail) else 0
        if filters.since is not None and first < trace.end + filters.since:
            break
    return chosen


def _predicates(trace: Trace, filters: Filters) -> Iterator[Predicate]:
    if filters.cpus is not None:
        yield by_cpu(filters.cpus)
    if filters.events is not None:
        yield by_event(event.id for event in match_events(trace.catalogue, filters.events))
    if filters.pids is not None:
        yield by_pid(trace.catalogue, filters.pids)


def _tests(trace: Trace, filters: Filters) -> list[Callable[[Trace], Bools]]:
    """Return the filters that cannot be pushed down to the slots."""
    # Cheap filters first, so that the others see fewer records.
    tests: list[Callable[[Trace], Bools]] = []
    if filters.since is not None:
        begin = trace.end + filters.since
        tests.append(lambda trace: trace.ts >= begin)
    if filters.until is not None:
        end = trace.end + filters.until
        tests.append(lambda trace: trace.ts <= end)
    if filters.buffers is not None:
        numbers = _match_buffers(trace.buffer_names, filters.buffers)
        tests.append(lambda trace: np.isin(trace.buffer, numbers))
    if filters.comms is not None:
        comms = filters.comms
        tests.append(lambda trace: _by_comm(trace, comms))
    return tests


def _match_buffers(names: dict[int, str], patterns: Iterable[str]) -> list[int]:
    found = set()
    for pattern in patterns:
        matching = {number for number, name in names.items() if fnmatchcase(name, pattern)}
        if not matching:
            hint = nearest(pattern, names.values()) or f": there are {', '.join(names.values())}"
            raise Usage(f"no buffer matches {pattern!r}{hint if names else ''}")
        found |= matching
    return sorted(found)


def _by_comm(trace: Trace, patterns: tuple[str, ...]) -> Bools:
    names, codes = trace.comms()
    keep = _matching(names, patterns)[codes]
    for event in trace.catalogue.events.values():
        for comm, _ in event.names:
            rows = trace.rows(event)
            comms, codes = factorize(trace.column(comm, rows).astype(np.bytes_, copy=False))
            keep[rows] |= _matching([decode_comm(comm) for comm in comms.tolist()], patterns)[codes]
    return keep


def _matching(names: list[str], patterns: tuple[str, ...]) -> Bools:
    return np.array([matches(name, patterns) for name in names], bool)


def parse_patterns(text: str) -> tuple[str, ...]:
    """
    Read names, shell patterns, and names in double quotes, between commas.

    :return: shell patterns
    :raises Usage: if a name is missing, or the quoting is invalid
    """
    return tuple(split_patterns(text, "name"))


def parse_last(text: str) -> int:
    """
    Read a number of records.

    :raises Usage: if it is not a number, or 0
    """
    if not re.fullmatch(r"[0-9]{1,18}", text) or not int(text):
        raise Usage(f"{text!r} is not a number of records: use, for example, 100")
    return int(text)


def parse_time(text: str) -> int:
    """
    Read a time from the end of the trace, such as ``-2s``, ``-0.5``, ``-300us``.

    :return: ns, negative before the end
    :raises Usage: if it is not valid
    """
    match = re.fullmatch(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(s|ms|us|ns|)", text.strip())
    if not match or len(match[1]) > _MAX_TIME:
        raise Usage(f"{text!r} is not a time: use -2s, -0.5s, -300ms, -20us, -5ns")
    time = Decimal(match[1]) * _UNITS[match[2]]
    if abs(time) >= 10**_MAX_TIME:
        raise Usage(f"{text!r} is longer than any trace")
    return int(time)
