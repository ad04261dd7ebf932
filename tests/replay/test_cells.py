# SPDX-License-Identifier: GPL-2.0-or-later
"""Columns as matrices of bytes."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np

from lkst.replay.cells import (
    Cells,
    decimal,
    distinct,
    hexadecimal,
    joined,
    magnitude,
    nanoseconds,
    pick,
)

u64 = st.integers(0, 2**64 - 1) | st.integers(0, 70000) | st.sampled_from([10**4, 10**8, 2**16])
s64 = st.integers(-(2**63), 2**63 - 1) | st.integers(-20000, 20000)


def shown(cells: Cells) -> list[str]:
    return [row.tobytes().replace(b"\0", b"").decode() for row in cells]


@given(st.lists(u64, min_size=1))
def test_unsigned(values: list[int]) -> None:
    column = np.array(values, np.uint64)
    assert shown(decimal(column)) == [str(value) for value in values]
    assert shown(hexadecimal(column)) == [f"{value:x}" for value in values]


@given(st.lists(s64, min_size=1))
def test_signed(values: list[int]) -> None:
    column = np.array(values, np.int64)
    assert shown(decimal(column)) == [str(value) for value in values]
    assert magnitude(column).tolist() == [abs(value) for value in values]


def test_small_types() -> None:
    assert shown(decimal(np.array([0, 255], np.uint8))) == ["0", "255"]
    assert shown(decimal(np.array([-128, 127], np.int8))) == ["-128", "127"]
    assert shown(hexadecimal(np.array([-1], np.int64))) == ["ffffffffffffffff"]


def test_nanoseconds_have_all_their_zeros() -> None:
    column = np.array([0, 1, 120_437, 999_999_999])
    assert shown(nanoseconds(column)) == ["000000000", "000000001", "000120437", "999999999"]


@given(st.lists(s64, min_size=1) | st.lists(st.integers(-3, 3), min_size=1))
def test_distinct(values: list[int]) -> None:
    found, codes = distinct(np.array(values, np.int64))
    assert found == sorted(set(values))
    assert [found[code] for code in codes.tolist()] == values


@given(st.lists(u64, min_size=1))
def test_distinct_unsigned(values: list[int]) -> None:
    found, codes = distinct(np.array(values, np.uint64))
    assert [found[code] for code in codes.tolist()] == values


def test_distinct_in_a_small_type() -> None:
    found, codes = distinct(np.array([0, -128, 127], np.int8))
    assert (found, codes.tolist()) == ([-128, 0, 127], [1, 0, 2])


def test_pick_does_not_pad_to_what_is_very_long() -> None:
    codes = np.array([1, 0, 1])
    assert pick([b"x" * 1000, b"y"], codes) == [b"y", b"x" * 1000, b"y"]
    assert isinstance(pick([b"x" * 100, b"y"], codes), np.ndarray)


def test_joined() -> None:
    cells = decimal(np.array([5, 1234567]))
    lines = joined(2, [b"a", cells, [b"long one", b""], b"b", cells, [b"x", b"y"]])
    assert [line.replace(b"\0", b"") for line in lines] == [b"a5long oneb5x", b"a1234567b1234567y"]
    assert joined(2, []) == [b"", b""]
    assert joined(2, [b"a"]) == [b"a", b"a"]
