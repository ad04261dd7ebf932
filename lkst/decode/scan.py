# SPDX-License-Identifier: GPL-2.0-or-later
"""
Scanning slots
--------------

Classify the slots of a ring in one pass, a block at a time, so that each block stays in
the processor's cache. Nearly all slots hold a record of one slot without flags; of the
others the first words are kept.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.predicate import Predicate, take_from

__all__ = ("BLOCK", "KNOWN", "NO_TIME", "SAMPLE", "Overview", "Scan", "scan_slots")

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Bools = NDArray[np.bool_]

#: Flag of an event id that the catalogue has; callers may add other flags.
KNOWN = 1

#: Slots per step.
BLOCK = 1 << 14
#: An overview keeps the time of every SAMPLE-th slot.
SAMPLE = 1 << 10

_NUMBERS = np.arange(BLOCK, dtype=np.uint64)
_CPU = np.uint64(0xFFFF << layout.CPU_SHIFT)
#: Mask of CPU, number of slots and flags in the second word.
_KIND = _CPU | np.uint64((1 << 64) - (1 << layout.NR_SHIFT))
#: Later than every record.
NO_TIME = (1 << 64) - 1


@dataclass
class Overview:
    """A summary of slots whose columns are not kept."""

    #: Times of the first and last record of one slot without flags; the first is the later
    #: one if there is none.
    first: int = NO_TIME
    last: int = 0
    #: Flags of all events that may occur, ORed.
    kinds: int = 0
    #: Where each block begins, and the latest time in it, of records and of garbage.
    begin: list[int] = field(default_factory=list)
    latest: list[int] = field(default_factory=list)
    #: Every SAMPLE-th time.
    samples: list[U64] = field(default_factory=list)

    def add(self, times: U64) -> None:
        """Add the times of other records."""
        self.first = min(self.first, int(times.min(initial=NO_TIME)))
        self.last = max(self.last, int(times.max(initial=0)))


@dataclass(frozen=True)
class Scan:
    """Scanned slots, ordered by sequence number."""

    count: int
    #: Their second words and times; None if they are not kept. Those that a predicate leaves are
    #: of the slots at these places.
    what: U64 | None
    ts: U64 | None
    places: I64 | None
    #: Places of those that hold no record of one slot without flags, in order, and the
    #: first three words of each.
    irregular: I64
    words: U64
    overview: Overview


def scan_slots(
    slots: U64,
    low: int,
    count: int,
    *,
    tag: int,
    cpu: int,
    kinds: U8,
    keep: bool = True,
    predicate: Predicate | None = None,
) -> Scan:
    """
    Scan the slots of a ring.

    :param slots: all that it has
    :param low: sequence number of the first slot
    :param count: number of slots
    :param tag: upper 16 bits of a first word, at their place
    :param kinds: flags of each event, by id; 0: no such event
    :param keep: whether to keep the columns, or to give an overview
    :param predicate: keeps those of records of one slot without flags that it lets through, instead
    """
    room = count if keep else min(count, BLOCK)
    what, ts = np.empty(room, np.uint64), np.empty(room, np.uint64)
    irregular: list[I64] = [np.zeros(0, np.int64)]
    words: list[U64] = [np.zeros((0, 3), np.uint64)]
    matches = _Matches()
    overview = Overview()
    size = len(slots)
    start = 0
    while start < count:
        place = (low + start) % size
        end = min(start + BLOCK, start + size - place, count)
        rows = slots[place : place + end - start]
        where = slice(start, end) if keep else slice(end - start)
        own = what[where], ts[where]
        plain, kind = _scan_block(rows, *own, tag + low + start, cpu, kinds)
        if not plain.all():
            others = np.flatnonzero(~plain)
            irregular.append(others + start)
            words.append(rows.take(others, axis=0)[:, :3])
        if predicate:
            matches.add(start, plain & predicate(take_from(rows), own[0]), *own)
        elif not keep:
            _summarize(overview, start, plain, own[1], kind)
        start = end
    columns: tuple[U64 | None, U64 | None, I64 | None] = None, None, None
    if predicate:
        columns = matches.columns()
    elif keep:
        columns = what, ts, None
    return Scan(count, *columns, np.concatenate(irregular), np.concatenate(words), overview)


class _Matches:
    """The slots that match a predicate."""

    def __init__(self) -> None:
        self._what, self._ts = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        self._places = [np.zeros(0, np.int64)]

    def add(self, start: int, wanted: Bools, what: U64, ts: U64) -> None:
        rows = np.flatnonzero(wanted)
        if len(rows):
            self._places.append(rows + start)
            self._what.append(what[rows])
            self._ts.append(ts[rows])

    def columns(self) -> tuple[U64, U64, I64]:
        return np.concatenate(self._what), np.concatenate(self._ts), np.concatenate(self._places)


def _scan_block(rows: U64, what: U64, ts: U64, word: int, cpu: int, kinds: U8) -> tuple[Bools, U8]:
    """
    Scan a block of slots.

    :param what: takes their second words
    :param ts: takes their times
    :param word: what the first of them begins with if it is committed
    :return: whether each holds a record of one slot without flags, and the kind of its event
    """
    what[:] = rows[:, 1]
    ts[:] = rows[:, 2]
    kind = kinds.take(what.view("<u2")[::4])
    plain = what & _KIND == np.uint64(cpu << layout.CPU_SHIFT | 1 << layout.NR_SHIFT)
    plain &= rows[:, 0] == _NUMBERS[: len(rows)] + np.uint64(word)
    plain &= kind != 0
    return plain, kind


def _summarize(overview: Overview, start: int, plain: Bools, ts: U64, kind: U8) -> None:
    overview.begin.append(start)
    overview.latest.append(int(ts.max()))
    overview.samples.append(ts[::SAMPLE].copy())
    overview.kinds |= int(np.bitwise_or.reduce(kind))
    overview.add(ts if plain.all() else ts[plain])
