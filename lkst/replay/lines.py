# SPDX-License-Identifier: GPL-2.0-or-later
"""
Lines
-----

Many lines at once: all of them lie in one matrix of bytes, each as wide as the
widest, and then the zeros are dropped. What has no width of its own, such as a long
text, is put in afterwards.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lkst.replay.cells import Cells, Part, joined, lay_out, width

__all__ = ("Lines",)

# Stands where a text is put in: whatever else is shown can be printed.
_HOLE = b"\1"


class Lines:
    """
    Writes many lines, again and again.

    The matrix stays: new memory would take longer than to fill it.
    """

    def __init__(self) -> None:
        self._memory = bytearray()

    def assemble(
        self,
        count: int,
        before: Sequence[Part],
        groups: Iterable[tuple[NDArray[np.int64], Sequence[Part]]],
        end: bytes,
        ends: Mapping[int, bytes],
    ) -> str:
        """
        Write lines.

        :param count: rows
        :param before: what comes first in each
        :param groups: what comes then: some rows, and their parts; every row is in one group
            at most
        :param end: what comes last
        :param ends: the same where it is something else, by row
        """
        texts: list[tuple[int, int, bytes]] = []

        def fixed(
            place: int, rows: NDArray[np.int64], parts: Sequence[Part]
        ) -> list[bytes | Cells]:
            cells = [part for part in parts if isinstance(part, bytes | np.ndarray)]
            if len(cells) == len(parts):
                return cells
            lines = joined(len(rows), parts)
            texts.extend(
                (row, place, line.replace(b"\0", b""))
                for row, line in zip(rows.tolist(), lines, strict=True)
            )
            return [_HOLE]

        left = fixed(0, np.arange(count), before)
        middle = [(rows, fixed(1, rows, parts)) for rows, parts in groups]
        texts += [(row, 2, text) for row, text in ends.items()]

        start = width(left)
        size = start + max((width(parts) for _, parts in middle), default=0) + len(end)
        cells = self._matrix(count, size)
        lay_out(cells, [*left, bytes(size - start - len(end)), end])
        for rows, parts in middle:
            own = width(parts)
            if own:
                block = np.empty((len(rows), own), np.uint8)
                lay_out(block, parts)
                items = cells[:, start : start + own].view(f"V{own}")[:, 0]
                items[rows] = block.view(f"V{own}")[:, 0]
        if ends:
            rows = np.fromiter(ends, np.int64, len(ends))
            cells[rows, size - len(end) :] = 0
            cells[rows, size - 1] = ord(_HOLE)
        return _filled(self._memory.translate(None, b"\0"), texts).decode()

    def _matrix(self, count: int, size: int) -> Cells:
        """Give a matrix of bytes, whatever is in it."""
        if len(self._memory) < count * size:
            self._memory = bytearray(count * size)
        else:
            del self._memory[count * size :]
        return np.frombuffer(self._memory, np.uint8).reshape(count, size)


def _filled(text: bytearray, texts: list[tuple[int, int, bytes]]) -> bytes | bytearray:
    """Put texts where the holes are, in order."""
    if not texts:
        return text
    first, *rest = text.split(_HOLE)
    put_in = (part for _, _, part in sorted(texts))
    return first + b"".join(part + piece for part, piece in zip(put_in, rest, strict=True))
