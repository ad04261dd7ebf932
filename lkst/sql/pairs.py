# SPDX-License-Identifier: GPL-2.0-or-later
"""
Pairs
-----

Pairs of records that begin and end something, by key: the CPU, the task or the object of
both. If only one of them is known, the other is -1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst.trace.event_table import I64

__all__ = ("Pairs", "keys", "last_before", "pair")

_ROW_BITS = 32
_MAX_KEY = 1 << 31
_U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Pairs:
    """Pairs of begins and ends: indices, -1 if not known."""

    begin: I64
    end: I64

    def __len__(self) -> int:
        return len(self.begin)

    def select(self, which: NDArray[np.bool_] | I64) -> "Pairs":
        """Return the selected pairs."""
        return Pairs(self.begin[which], self.end[which])

    def cut(self, which: NDArray[np.bool_]) -> "Pairs":
        """Split uncertain pairs in two: one without an end, one without a begin."""
        if not which.any():
            return self
        missing = np.full(int(which.sum()), -1, np.int64)
        return Pairs(
            np.concatenate((self.begin[~which], self.begin[which], missing)),
            np.concatenate((self.end[~which], missing, self.end[which])),
        )


def keys(*groups: tuple[I64, ...]) -> list[I64]:
    """
    Number the distinct combinations of columns, over several tables.

    :param groups: the same columns of each table
    :return: the numbers of each table's rows
    """
    sizes = np.cumsum([len(group[0]) for group in groups])[:-1]
    joined, size = np.zeros(int(sum(len(group[0]) for group in groups)), np.int64), 1
    for columns in zip(*groups, strict=True):
        codes, count = _numbered(np.concatenate(columns))
        joined, size = joined * count + codes, size * count
        if size > _MAX_KEY:
            joined, size = _renumbered(joined)
    return np.split(joined, sizes)


def _numbered(column: I64) -> tuple[I64, int]:
    # Number values from 0 up; return the numbers and one more than the greatest. Values that are
    # close to each other, or multiples of a power of two as addresses are, need no sort.
    if not len(column):
        return column, 1
    offset = column.view(np.uint64) - np.uint64(int(column.min()) & _U64)
    bits = int(np.bitwise_or.reduce(offset))
    shift = (bits & -bits).bit_length() - 1 if bits else 0
    size = (int(offset.max()) >> shift) + 1
    if size > _MAX_KEY:
        return _renumbered(column)
    return (offset >> np.uint64(shift)).astype(np.int64), size


def _renumbered(column: I64) -> tuple[I64, int]:
    values, codes = np.unique(column, return_inverse=True)
    return codes, len(values)


def pair(begin_keys: I64, begin: I64, end_keys: I64, end: I64, *, first: bool = False) -> Pairs:
    """
    Pair each begin with the next end of its key, if no other begin comes between.

    :param begin_keys: not negative, below 2**31
    :param begin: rows of the trace
    :param first: of several begins in a row only the first counts; otherwise all count, and
        all but the last have no end
    :return: indices of ``begin`` and ``end``
    """
    code = np.concatenate((begin_keys, end_keys)).astype(np.int64)
    order = np.argsort(code << _ROW_BITS | np.concatenate((begin, end)))
    code = code[order]
    begins = order < len(begin)
    if first and len(order):
        again = begins.copy()
        again[0] = False
        again[1:] &= begins[:-1] & (code[1:] == code[:-1])
        order, code, begins = order[~again], code[~again], begins[~again]
    there = np.zeros(len(order), bool)
    there[:-1] = begins[:-1] & ~begins[1:] & (code[1:] == code[:-1])
    ends = np.zeros(len(order), bool)
    ends[1:] = there[:-1]
    lone_begin, lone_end = order[begins & ~there], order[~begins & ~ends] - len(begin)
    return Pairs(
        np.concatenate((order[there], lone_begin, np.full(len(lone_end), -1))),
        np.concatenate((order[ends] - len(begin), np.full(len(lone_begin), -1), lone_end)),
    )


def last_before(key: I64, rows: I64, asked_key: I64, asked: I64) -> I64:
    """
    Find for each asked row the last of ``rows`` before it that has the same key.

    :param key: not negative, below 2**31
    :return: an index of ``rows`` for each asked row, or -1
    """
    if not len(rows):
        return np.full(len(asked), -1, np.int64)
    combined = key.astype(np.int64) << _ROW_BITS | rows
    order = np.argsort(combined)
    combined = combined[order]
    place = np.searchsorted(combined, asked_key.astype(np.int64) << _ROW_BITS | asked) - 1
    good = (place >= 0) & (combined[place] >> _ROW_BITS == asked_key)
    return np.where(good, order[place], -1)
