# SPDX-License-Identifier: GPL-2.0-or-later
"""
Timeline
--------

The records and the entries of foreign traces, on one clock.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import numpy as np

from lkst.errors import NotFound, Usage
from lkst.trace.clocks import Tie, tie_local
from lkst.trace.filters import AROUND, Filters, apply, match_events
from lkst.trace.foreign import Entry, ForeignTrace
from lkst.trace.trace import Trace
from lkst.util.quoting import matches

__all__ = ("Placed", "Source", "Timeline", "build_timeline")


@dataclass(frozen=True)
class Placed:
    """An entry with its place on the timeline."""

    #: Time in ns, CLOCK_MONOTONIC; None: not known.
    ts: int | None
    origin: str
    entry: Entry
    comm: str


@dataclass(frozen=True)
class Source:
    """A source of entries, and how they were placed on the timeline."""

    origin: str
    entries: int
    how: str
    #: Whether any entry has a time.
    timed: bool
    #: Error bound of all times, in ns; None: not known.
    error: int | None


@dataclass
class Timeline:
    """Records and entries, each in the order of time."""

    trace: Trace
    entries: list[Placed]
    sources: list[Source] = field(default_factory=list)
    #: What could not be read.
    notes: list[str] = field(default_factory=list)


def build_timeline(trace: Trace, kinds: Iterable[str], filters: Filters) -> Timeline:
    """
    Merge foreign entries with the records, and apply the filters.

    Entries pass a filter for events by their event, origin, or kind of origin.

    :param trace: a whole trace
    :param kinds: of lkst.trace.foreign.KINDS
    :raises NotFound: if the source has none but the records
    """
    read = trace.facts.foreign
    if read is None:
        raise NotFound(f"{trace.facts.source}: has only the records: --with needs the vmcore")
    found: list[Placed] = []
    line = Timeline(trace, found)
    tie = None
    wanted = list(dict.fromkeys(kinds))
    for kind in wanted:
        for other in read(kind):
            place: _Place = _as_it_is
            how = "timed by CLOCK_MONOTONIC like the records"
            error: int | None = 0
            if other.clock == "local":
                tie = tie or tie_local(trace.whole, _log(trace))
                place, how, error = _by_tie(tie)
            elif other.clock == "unknown":
                place = _nowhere
                how, error = "timed by an unknown clock, shown last", 0
            if all(entry.ts is None for entry in other.entries):
                how, error = "without times, shown last", 0
            elif kind == "ringbuf":
                how = "timed by a field whose name suggests a time, assumed to be CLOCK_MONOTONIC"
                error = None
            if error is not None:
                error += other.error
            placed = [_placed(trace, other, entry, place) for entry in other.entries]
            if unsure := sum(_UNSURE in one.entry.flags for one in placed):
                how += f"; {unsure} lines marked {_UNSURE} have the offset of another time"
                error = None
            timed = any(entry.ts is not None for entry in placed)
            line.sources.append(Source(other.origin, len(placed), how, timed, error))
            line.notes += other.notes
            found += placed
    if not line.sources:
        line.notes.append(f"no {' and no '.join(wanted)} found")
    tests = _tests(trace, filters)
    line.entries = sorted(
        (p for p in found if all(test(p) for test in tests)),
        key=lambda p: (p.ts is None, p.ts or 0),
    )
    line.trace = apply(trace, _without_ends(trace, filters))
    return _cut(line, filters)


def _log(trace: Trace) -> list[Entry]:
    read = trace.facts.foreign
    return [entry for other in read("dmesg") for entry in other.entries] if read else []


#: Converts a time to CLOCK_MONOTONIC (None: not known), and says whether that is certain.
_Place = Callable[[int], tuple[int | None, bool]]

#: A flag: the time was converted by an offset from the other side of a suspend.
_UNSURE = "time-unsure"


def _as_it_is(ts: int) -> tuple[int | None, bool]:
    return ts, True


def _nowhere(ts: int) -> tuple[int | None, bool]:
    return None, True


def _by_tie(tie: Tie | None) -> tuple[_Place, str, int | None]:
    if tie is None:
        how = "timed by local_clock(), assumed to be CLOCK_MONOTONIC: no log line is also a record"
        return _as_it_is, how, None
    known = [offset for offset in tie.offsets if offset is not None]
    offsets = ", after a suspend ".join(f"{offset.offset / 1e9:+.9f} s" for offset in known)
    how = (
        f"timed by local_clock() {offsets}, from {sum(offset.lines for offset in known)} lines of"
        " the kernel's log that are also records"
    )
    errors = [offset.error for offset in known if offset.error is not None]
    return tie.place, how, max(errors) if len(errors) == len(known) else None


def _placed(trace: Trace, other: ForeignTrace, entry: Entry, place: _Place) -> Placed:
    ts, sure = (None, True) if entry.ts is None else place(entry.ts)
    if not sure:
        entry = replace(entry, flags=(*entry.flags, _UNSURE))
    comm = ""
    if entry.pid:
        comm = trace.task_names.last(entry.pid)
    elif entry.pid == 0 and entry.cpu is not None:
        comm = f"swapper/{entry.cpu}"
    return Placed(ts, other.origin, entry, comm)


def _tests(trace: Trace, filters: Filters) -> list[Callable[[Placed], bool]]:
    """Return the filters as tests of an entry; an entry without the value does not pass."""
    tests: list[Callable[[Placed], bool]] = []
    if (since := filters.since) is not None:
        begin = trace.end + since
        tests.append(lambda placed: placed.ts is not None and placed.ts >= begin)
    if (until := filters.until) is not None:
        end = trace.end + until
        tests.append(lambda placed: placed.ts is not None and placed.ts <= end)
    if (cpus := filters.cpus) is not None:
        tests.append(lambda placed: placed.entry.cpu in cpus)
    if (pids := filters.pids) is not None:
        tests.append(lambda placed: placed.entry.pid in pids)
    if (comms := filters.comms) is not None:
        tests.append(lambda placed: matches(placed.comm, comms))
    if (events := filters.events) is not None:
        tests.append(
            lambda placed: any(
                _matches(name, events)
                for name in (placed.entry.event, placed.origin, placed.origin.split(":")[0])
            )
        )
    if filters.buffers is not None:
        tests.append(lambda placed: False)
    return tests


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _without_ends(trace: Trace, filters: Filters) -> Filters:
    """Return the filters for the records alone; those that count entries too are applied later."""
    events = filters.events
    if events is not None:
        # A pattern may match only foreign entries.
        events = tuple(pattern for pattern in events if _is_known(trace, pattern))
    filters = replace(filters, around=None, last=None, events=events)
    # Without patterns no record may pass.
    return replace(filters, events=None, cpus=frozenset()) if events == () else filters


def _is_known(trace: Trace, pattern: str) -> bool:
    try:
        return bool(match_events(trace.catalogue, (pattern,)))
    except Usage:
        return False


def _cut(line: Timeline, filters: Filters) -> Timeline:
    """Apply *around* and *last* to records and entries together."""
    if filters.around is None and filters.last is None:
        return line
    far = np.iinfo(np.int64).max
    own = line.trace.ts
    theirs = np.array([far if p.ts is None else p.ts for p in line.entries], np.int64)
    order = np.argsort(np.concatenate((own, theirs)), kind="stable")
    if filters.around is not None:
        times = np.concatenate((own, theirs))[order]
        place = int(np.searchsorted(times, line.trace.end + filters.around))
        order = order[max(0, place - AROUND) : place + AROUND]
    if filters.last is not None:
        order = order[max(0, len(order) - filters.last) :]
    rows = np.sort(order[order < len(own)])
    kept = sorted((order[order >= len(own)] - len(own)).tolist())
    line.trace = line.trace.select(rows)
    line.entries = [line.entries[index] for index in kept]
    return line
