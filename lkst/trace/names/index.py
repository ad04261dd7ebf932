# SPDX-License-Identifier: GPL-2.0-or-later
"""
Task names
----------

Which name a task had when, from the records that carry names. It names tasks that are long
gone from the dump.

Nearly all names in a trace repeat the last one, so only the changes are kept: a few for
each task, however many records there are.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.catalogue import COMM_SIZE, naming_events
from lkst.trace.columns import RecordColumns

__all__ = ("NameIndex", "decode_comm", "factorize")

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

# Each CPU has its own idle task; all have pid 0.
_IDLE = layout.PID_MASK + 1
# More than the number of names in a record.
_PLACES = 16
_TIME_BITS = 40

# Of a table in which names are looked up.
_PLACE_BITS = 15

# Rows that are searched for changes at a time. Few at first, when all is new.
_FIRST_ROWS = 1 << 12
_MAX_ROWS = 1 << 17

# What stands for a task: no name, several; else one more than its name's code.
_UNKNOWN = 0
_SEVERAL = -1


class NameIndex:
    """Names of tasks over time."""

    def __init__(self, records: RecordColumns, alive: Callable[[int], str], start: int = 0) -> None:
        """
        Collect every name that a record carries.

        :param alive: returns the name that the task with a pid had at the end, or ""
        :param start: what positions of the records count from
        """
        self._alive = alive
        #: Names, each once, as they are shown and as they were recorded.
        self._names: list[str] = []
        self._codes: dict[bytes, int] = {}
        self._known = np.zeros((0, 2), np.uint64)
        #: The last name of each task; while collecting, up to where that has come.
        self._last = np.zeros(_IDLE + records.catalogue.header.nr_cpus, np.int32)
        self._start, self._stop = start, start + len(records)
        keys, codes = self._collect(records)
        order = np.argsort(keys)
        #: Where a task got a name, in the order of tasks and then of time, and which.
        self._key, self._code = keys[order], codes[order]
        tasks, counts = np.unique(self._key >> _TIME_BITS, return_counts=True)
        self._last[tasks[counts > 1]] = _SEVERAL

    def _collect(self, records: RecordColumns) -> tuple[I64, I64]:
        keys, codes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        naming = np.zeros(1 << 16, bool)
        naming[naming_events(records.catalogue)] = True
        start, size = 0, _FIRST_ROWS
        while start < len(records):
            block = records.select(slice(start, start + size))
            key, words = self._changes(*_carried(block, self._start + start, naming))
            start, size = start + size, min(2 * size, _MAX_ROWS)
            if not len(key):
                continue
            found, which = factorize(words.view("S16")[:, 0])
            code = np.array([self._code_of(name) for name in found.tolist()], np.int64)[which]
            # Later assignments win: the keys are sorted by time.
            self._last[key >> _TIME_BITS] = code + 1
            keys.append(key)
            codes.append(code)
        return np.concatenate(keys), np.concatenate(codes)

    def _changes(self, key: I64, words: U64) -> tuple[I64, U64]:
        """Drop names that repeat the previous one."""
        task = key >> _TIME_BITS
        last = self._last.take(task)
        low, high = self._words.T
        new = (low.take(last) != words[:, 0]) | (high.take(last) != words[:, 1])
        new |= last == _UNKNOWN
        if not new.any():
            return key[:0], words[:0]
        # All assignments of the tasks with new names, sorted.
        some = np.zeros(len(self._last), bool)
        some[task[new]] = True
        rows = np.flatnonzero(some.take(task))
        rows = rows[np.argsort(key[rows])]
        key, task, words, new = key[rows], task[rows], words[rows], new[rows]
        again = np.zeros(len(rows), bool)
        again[1:] = (task[1:] == task[:-1]) & (words[1:] == words[:-1]).all(axis=1)
        first = np.ones(len(rows), bool)
        first[1:] = task[1:] != task[:-1]
        keep = np.where(first, new, ~again)
        return key[keep], words[keep]

    @property
    def _words(self) -> U64:
        """The names that are known as words, from the second row on."""
        if len(self._known) <= len(self._codes):
            names = b"".join(name.ljust(COMM_SIZE, b"\0") for name in (b"", *self._codes))
            self._known = np.frombuffer(names, "<u8").reshape(-1, 2)
        return self._known

    def _code_of(self, raw: bytes) -> int:
        code = self._codes.setdefault(raw, len(self._names))
        if code == len(self._names):
            self._names.append(decode_comm(raw))
        return code

    def codes_of(
        self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64
    ) -> tuple[list[str], I64]:
        """
        Return the names that tasks had when some records were written.

        A task has the name that was recorded last before; failing that the first after; failing
        that the one that it had at the end.

        :param position: rows, counted as those of the records that the names are from
        :return: names, and for each row the index of its name
        """
        task = _task(pid.astype(np.int64, copy=False), cpu.astype(np.int64, copy=False))
        last = self._last.take(task)
        code = last.astype(np.int64) - 1
        several = np.flatnonzero(last == _SEVERAL)
        if len(several):
            code[several] = self._find(task[several], position[several])
        names = self._names
        unknown = np.flatnonzero(last == _UNKNOWN)
        if len(unknown):
            keys, which = np.unique(task[unknown], return_inverse=True)
            code[unknown] = len(names) + which
            names = names + [self._at_end(key) for key in keys.tolist()]
        return names, code

    def knows(self, pid: NDArray[np.integer], cpu: NDArray[np.integer], position: I64) -> bool:
        """
        Return whether each of some tasks was named before, or in, its record.

        What is left out of the trace then makes no difference to its name.
        """
        task = _task(pid.astype(np.int64, copy=False), cpu.astype(np.int64, copy=False))
        return bool((self._since.take(task) >= self._stop - position).all())

    @cached_property
    def _since(self) -> I64:
        """How many rows from the end a task was first named, by task; 0: never."""
        tasks, first = np.unique(self._key >> _TIME_BITS, return_index=True)
        since = np.zeros(len(self._last), np.int64)
        row = (self._key[first] & (1 << _TIME_BITS) - 1) // _PLACES
        since[tasks] = self._stop - row
        return since

    def last(self, pid: int) -> str:
        """Return the last name of a task, "" if none is known; not for idle tasks."""
        code = int(self._last[pid]) if 0 < pid < _IDLE else _UNKNOWN
        if code == _UNKNOWN:
            return self._alive(pid) if pid > 0 else ""
        if code == _SEVERAL:
            place = int(np.searchsorted(self._key, pid + 1 << _TIME_BITS)) - 1
            return self._names[int(self._code[place])]
        return self._names[code - 1]

    def _find(self, task: I64, row: I64) -> I64:
        wanted = task << _TIME_BITS | row * _PLACES + _PLACES - 1
        before = np.searchsorted(self._key, wanted, side="right") - 1
        first = (before < 0) | (self._key[before] >> _TIME_BITS != task)
        found: I64 = self._code[before + first]
        return found

    def _at_end(self, key: int) -> str:
        if key >= _IDLE:
            return f"swapper/{key - _IDLE}"
        return self._alive(key)


def _carried(block: RecordColumns, start: int, naming: NDArray[np.bool_]) -> tuple[I64, U64]:
    """
    Return the names that records carry: a key of task and time, and the name's words.

    :param start: the block's first row
    :param naming: by id, whether an event carries names
    """
    keys = [np.zeros(0, np.int64)]
    words = [np.zeros((0, 2), np.uint64)]
    some = np.flatnonzero(naming.take(block.event))
    ids = block.event[some]
    for id_ in np.flatnonzero(np.bincount(ids)).tolist():
        event = block.catalogue.events[id_]
        rows = some[ids == id_]
        for place, (comm, named) in enumerate(event.names):
            pid = block.column(named, rows).astype(np.int64) if named else block.pid[rows]
            name = block.column(comm, rows).view("<u8").reshape(-1, 2)
            known = _is_known(pid, name)
            task = _task(pid[known], block.cpu[rows[known]])
            keys.append(task << _TIME_BITS | (start + rows[known]) * _PLACES + place)
            words.append(name[known])
    return np.concatenate(keys), np.concatenate(words)


def _is_known(pid: I64, name: U64) -> NDArray[np.bool_]:
    """
    Return which names are known: LKST_NO_COMM of ``recorder/types.h`` marks the others.

    The kernel fills up an empty name with zeros; no idle task has one, but recorders before
    ABI 2.2 wrote it where no task was known.
    """
    first = name[:, 0]
    known: NDArray[np.bool_] = (first & np.uint64(0xFF) != 0) | ((first == 0) & (pid != 0))
    return known


def _task(pid: I64, cpu: I64) -> I64:
    return np.where(pid == 0, _IDLE + cpu, pid & layout.PID_MASK)


def decode_comm(raw: bytes) -> str:
    """
    Read a name: up to its first zero byte, whatever follows.

    :return: bytes that are not UTF-8 as surrogates, so that no two names become one
    """
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def factorize(comms: NDArray[np.bytes_]) -> tuple[NDArray[np.bytes_], I64]:
    """
    Return the distinct names, and the index of each entry's name.

    :param comms: of COMM_SIZE bytes each
    """
    words = np.ascontiguousarray(comms).view("<u8").reshape(-1, 2)
    low, high = words[:, 0], words[:, 1]
    mixed = low * np.uint64(0x9E3779B97F4A7C15) ^ high * np.uint64(0xC2B2AE3D27D4EB4F)
    # Few names in many places: most often no two have the same.
    places = (mixed >> np.uint64(64 - _PLACE_BITS)).view(np.int64)
    entry = np.full(1 << _PLACE_BITS, -1)
    entry[places] = np.arange(len(places))
    same = entry.take(places)
    if (low.take(same) == low).all() and (high.take(same) == high).all():
        used = np.flatnonzero(entry >= 0)
        code = np.empty(1 << _PLACE_BITS, np.int64)
        code[used] = np.arange(len(used))
        return comms[entry[used]], code.take(places)
    _, first, code = np.unique(mixed, return_index=True, return_inverse=True)
    return comms[first], code
