# SPDX-License-Identifier: GPL-2.0-or-later
"""
Columns in a page
-----------------

Columns of numbers in a page: little-endian, compressed (zlib, RFC 1950), in base64, one
after the other. ``page/columns.js`` finds a column by its description.
"""

import base64
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ("PageColumns",)

_LEVEL = 6

#: Names of the types in JavaScript.
_TYPES = {"u1": "Uint8Array", "u2": "Uint16Array", "u4": "Uint32Array"}


class PageColumns:
    """Builder of the columns of a page."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        #: Name -> place in the text (``at``, ``size``), type, and whether each number but the
        #: first is the difference to the previous one, modulo 2**32 (``delta``).
        self.described: dict[str, dict[str, object]] = {}

    @property
    def text(self) -> str:
        """All columns."""
        return "".join(self._parts)

    def add(self, name: str, values: NDArray[np.integer], *, delta: bool = False) -> None:
        """
        Add a column.

        :param values: 0 <= value < 2**32
        :param delta: store differences, which compress better if values ascend
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
        Add chunks of text that can be read one by one.

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
