# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys and pairs, against what is found one by one."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
from numpy.typing import NDArray

from lkst.sql.pairs import keys, last_before, pair

VALUES = st.sampled_from([-(1 << 63), -4096, -1, 0, 1, 2, 64, 1 << 31, 1 << 40, (1 << 63) - 1])
COLUMNS = st.lists(st.tuples(VALUES, VALUES | st.integers(0, 9)), max_size=30)
ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=40)


def columns(steps: list[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give keys and rows."""
    rows, keys_ = np.array(steps, np.int64).reshape(-1, 2).T
    return keys_, rows


@given(COLUMNS, COLUMNS)
def test_keys_are_equal_where_all_columns_are(
    left: list[tuple[int, int]], right: list[tuple[int, int]]
) -> None:
    groups = [
        tuple(np.array([row[place] for row in rows], np.int64) for place in range(2))
        for rows in (left, right)
    ]
    found = [key for own in keys(*groups) for key in own.tolist()]
    rows = left + right
    assert len(set(found)) == len(set(rows)) == len(set(zip(found, rows, strict=True)))
    assert all(0 <= key < 1 << 31 for key in found)


@given(ROWS)
def test_pair(steps: list[tuple[bool, int]]) -> None:
    begins = [(row, key) for row, (begin, key) in enumerate(steps) if begin]
    ends = [(row, key) for row, (begin, key) in enumerate(steps) if not begin]
    expected: set[tuple[int | None, int | None]] = set()
    waiting: dict[int, int] = {}
    for row, (begin, key) in enumerate(steps):
        if begin:
            if key in waiting:
                expected.add((waiting[key], None))
            waiting[key] = row
        else:
            expected.add((waiting.get(key), row))
            waiting.pop(key, None)
    expected |= {(row, None) for row in waiting.values()}
    columns = [
        np.array([own[n] for own in rows], np.int64) for rows in (begins, ends) for n in (1, 0)
    ]
    found = pair(*columns)
    assert len(found) == len(expected)
    assert {
        (begins[b][0] if b >= 0 else None, ends[e][0] if e >= 0 else None)
        for b, e in zip(found.begin.tolist(), found.end.tolist(), strict=True)
    } == expected


@given(ROWS)
def test_last_before(steps: list[tuple[bool, int]]) -> None:
    there = [(row, key) for row, (known, key) in enumerate(steps) if known]
    asked = [(row, key) for row, (known, key) in enumerate(steps) if not known]
    columns = [
        np.array([own[n] for own in rows], np.int64) for rows in (there, asked) for n in (1, 0)
    ]
    found = last_before(*columns).tolist()
    for (row, key), place in zip(asked, found, strict=True):
        before = [n for n, (earlier, own) in enumerate(there) if earlier < row and own == key]
        assert place == (before[-1] if before else -1)
