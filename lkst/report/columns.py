# SPDX-License-Identifier: GPL-2.0-or-later
"""
Columns in a page
-----------------

Numbers as a page holds them: little-endian, compressed (zlib, RFC 1950) and in base64,
one after the other. Each has a description, by which ``page/columns.js`` finds it.
"""

import base64
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ("PageColumns",)

_LEVEL = 6

#: As JavaScript calls them.
_TYPES = {"u1": "Uint8Array", "u2": "Uint16Array", "u4": "Uint32Array"}


class PageColumns:
    """Columns in the making."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        #: By name: where it lies in the text (``at``, ``size``), its type, and whether each
        #: number but the first is the difference from the one before, modulo 2**32 (``delta``).
        self.described: dict[str, dict[str, object]] = {}

    @property
    def text(self) -> str:
        """All of them."""
        return "".join(self._parts)

    def add(self, name: str, values: NDArray[np.integer], *, delta: bool = False) -> None:
        """
        Add a column.

        :param values: not negative, below 2**32
        :param delta: keep differences, which compress better where the order is one of time
        """
        if delta:
            wide = np.asarray(values, np.int64)
            values = np.diff(wide, prepend=np.int64(0)).astype(np.uint32)
            kind = "u4"
        else:
            kind = _kind(values)
        where = self._put(values.astype(f"<{kind}").tobytes())
        self.described[name] = {**where, "type": _TYPES[kind], "delta": delta}

    def add_texts(self, name: str, chunks: list[bytes]) -> None:
        """
        Add texts, which can be read piece by piece.

        :param chunks: UTF-8
        """
        self.described[name] = {"chunks": [self._put(chunk) for chunk in chunks]}

    def _put(self, data: bytes) -> dict[str, object]:
        text = base64.b64encode(zlib.compress(data, _LEVEL)).decode()
        where: dict[str, object] = {"at": self._size, "size": len(text)}
        self._parts.append(text)
        self._size += len(text)
        return where


def _kind(values: NDArray[np.integer]) -> str:
    high = int(values.max()) if len(values) else 0
    return "u1" if high < 1 << 8 else "u2" if high < 1 << 16 else "u4"
