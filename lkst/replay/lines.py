# SPDX-License-Identifier: GPL-2.0-or-later
"""
Lines
-----

Format many lines at once in one matrix of bytes, padded to the widest line, then drop
the zeros. Texts of any length are inserted afterwards.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lkst.replay.cells import Cells, Part, joined, lay_out, width

__all__ = ("Lines",)

# Placeholder of a text: not printable, so it cannot occur in other output.
_PLACEHOLDER = b"\1"


class Lines:
    """
    Formats many lines, repeatedly.

    The matrix is reused: allocating it takes longer than filling it.
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
        :param before: parts at the beginning of each line
        :param groups: rows and the parts that follow in them; every row is in at most one group
        :param end: end of each line
        :param ends: row -> end, if it differs
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
            return [_PLACEHOLDER]

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
            cells[rows, size - 1] = ord(_PLACEHOLDER)
        return _filled(self._memory.translate(None, b"\0"), texts).decode()

    def _matrix(self, count: int, size: int) -> Cells:
        # An uninitialised matrix of bytes.
        if len(self._memory) < count * size:
            self._memory = bytearray(count * size)
        else:
            del self._memory[count * size :]
        return np.frombuffer(self._memory, np.uint8).reshape(count, size)


def _filled(text: bytearray, texts: list[tuple[int, int, bytes]]) -> bytes | bytearray:
    # Replace the placeholders by texts, in order.
    if not texts:
        return text
    first, *rest = text.split(_PLACEHOLDER)
    put_in = (part for _, _, part in sorted(texts))
    return first + b"".join(part + piece for part, piece in zip(put_in, rest, strict=True))
