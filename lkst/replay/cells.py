# SPDX-License-Identifier: GPL-2.0-or-later
"""
Cells
-----

Format columns with numpy: a column of values becomes a matrix of bytes, one row for
each value, padded with zero bytes. Matrices side by side are lines; the zeros are
dropped at the end. Formatting line by line takes several times as long.
"""

from collections.abc import Sequence
import functools

import numpy as np
from numpy.typing import NDArray

__all__ = (
    "Cells",
    "Part",
    "decimal",
    "distinct",
    "hexadecimal",
    "joined",
    "lay_out",
    "magnitude",
    "matrix",
    "nanoseconds",
    "pick",
    "width",
)

#: (rows, width) bytes; zero: padding.
Cells = NDArray[np.uint8]

#: A piece of many lines: the same bytes in each, cells, or bytes of any length.
Part = bytes | Cells | Sequence[bytes]

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

# Longer strings are not padded to one width.
_MAX_WIDTH = 256
# Distinct numbers within such a range are found without sorting.
_MAX_RANGE = 1 << 16


class _Digits:
    """Groups of four digits as words, by their value."""

    def __init__(self, base: int) -> None:
        self.base = np.uint64(base**4)
        powers = np.array([base**3, base**2, base, 1])
        value = np.arange(base**4)[:, None]
        full = np.frombuffer(b"0123456789abcdef", np.uint8)[value // powers % base]
        short = np.where(value < powers, np.uint8(0), full)
        #: With leading zeros.
        self.full = full.view("<u4")[:, 0]
        #: Without leading zeros, empty for 0; then all with leading zeros.
        self.high = np.concatenate((short, full)).view("<u4")[:, 0]
        #: The same, but "0" for 0.
        self.last = self.high.copy()
        self.last[0] = ord("0")


@functools.cache
def _digits(base: int) -> _Digits:
    return _Digits(base)


def _number(values: U64, base: int) -> Cells:
    digits = _digits(base)
    largest = int(values.max(initial=0))
    count = 1
    while largest >= int(digits.base) ** count:
        count += 1
    words = np.empty((len(values), count), np.uint32)
    table = digits.last
    for place in range(count - 1, 0, -1):
        higher = values // digits.base
        group = values - higher * digits.base
        # Leading zeros are shown if a higher group is not 0.
        np.add(group, digits.base, out=group, where=higher != 0)
        words[:, place] = table.take(group.view(np.int64))
        values, table = higher, digits.high
    words[:, 0] = table.take(values.view(np.int64))
    return words.view(np.uint8)


def magnitude(values: NDArray[np.integer]) -> U64:
    """Return absolute values as unsigned integers."""
    unsigned = values.astype(np.int64).view(np.uint64)
    return np.where(values < 0, ~unsigned + np.uint64(1), unsigned)


def decimal(values: NDArray[np.integer]) -> Cells:
    """Format integers in decimal."""
    if values.dtype.kind == "i":
        negative = values < 0
        if negative.any():
            sign = np.where(negative, np.uint8(ord("-")), np.uint8(0))
            return np.concatenate((sign[:, None], _number(magnitude(values), 10)), axis=1)
    return _number(values.astype(np.uint64), 10)


def hexadecimal(values: NDArray[np.integer]) -> Cells:
    """Format integers in hexadecimal without prefix; negative ones in two's complement."""
    return _number(values.astype(np.uint64), 16)


def nanoseconds(values: NDArray[np.integer]) -> Cells:
    """Format nanoseconds below a second as nine digits."""
    full = _digits(10).full
    words = np.empty((len(values), 3), np.uint32)
    rest = values.astype(np.uint64)
    for place in (2, 1, 0):
        higher = rest // np.uint64(10**4)
        words[:, place] = full.take((rest - higher * np.uint64(10**4)).view(np.int64))
        rest = higher
    return words.view(np.uint8)[:, 3:]


def distinct(values: NDArray[np.integer]) -> tuple[list[int], I64]:
    """
    Return the distinct values, ascending, and the index of each row's value.

    :param values: at least one
    """
    low, high = int(values.min()), int(values.max())
    if high - low < _MAX_RANGE:
        # Neither type can hold all values of the other.
        wide = values.astype(np.int64 if values.dtype.kind == "i" else np.uint64)
        offset = (wide - wide.dtype.type(low)).astype(np.int64)
        found = np.flatnonzero(np.bincount(offset))
        code = np.zeros(high - low + 1, np.int64)
        code[found] = np.arange(len(found))
        return [low + value for value in found.tolist()], code.take(offset)
    unique, codes = np.unique(values, return_inverse=True)
    return unique.tolist(), codes


def matrix(strings: Sequence[bytes]) -> Cells:
    """Return cells with one string per row."""
    wide = np.array(strings)
    return wide.view(np.uint8).reshape(len(wide), -1)


def pick(strings: Sequence[bytes], codes: I64) -> Part:
    """Return cells with one of a few strings in each row."""
    if max(map(len, strings)) > _MAX_WIDTH:
        return [strings[code] for code in codes.tolist()]
    return matrix(strings).take(codes, axis=0)


def width(parts: Sequence[bytes | Cells]) -> int:
    """Return the total width of parts in bytes."""
    return sum(len(part) if isinstance(part, bytes) else part.shape[1] for part in parts)


def lay_out(target: Cells, parts: Sequence[bytes | Cells]) -> None:
    """
    Write parts side by side.

    :param target: matrix of the parts' total width
    """
    row = np.zeros(target.shape[1], np.uint8)
    start = 0
    cells = []
    for part in parts:
        if isinstance(part, bytes):
            row[start : start + len(part)] = np.frombuffer(part, np.uint8)
        elif part.shape[1]:
            cells.append((start, part))
        start += len(part) if isinstance(part, bytes) else part.shape[1]
    if len(row):
        # As one large item: rows of bytes would be copied byte by byte.
        _items(target)[:] = row.view(f"V{len(row)}")[0]
    for start, part in cells:
        _items(target[:, start : start + part.shape[1]])[:] = _items(part)


def _items(cells: Cells) -> NDArray[np.void]:
    return cells.view(f"V{cells.shape[1]}")[:, 0]


def joined(count: int, parts: Sequence[Part]) -> list[bytes]:
    """
    Join parts side by side; some may be of any length.

    :param count: rows
    :return: a line for each row, still with zero bytes
    """
    runs: list[Sequence[bytes]] = []
    cells: list[bytes | Cells] = []
    for part in parts:
        if isinstance(part, bytes | np.ndarray):
            cells.append(part)
        else:
            runs += [_lines(count, cells), part]
            cells = []
    if cells or not runs:
        runs.append(_lines(count, cells))
    if len(runs) == 1:
        return list(runs[0])
    return list(map(b"".join, zip(*runs, strict=True)))


def _lines(count: int, parts: Sequence[bytes | Cells]) -> list[bytes]:
    size = max(1, width(parts))
    cells = np.zeros((count, size), np.uint8)
    lay_out(cells, parts)
    lines: list[bytes] = cells.view(f"S{size}")[:, 0].tolist()
    return lines
