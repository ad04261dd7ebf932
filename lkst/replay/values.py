# SPDX-License-Identifier: GPL-2.0-or-later
"""
Values
------

Format a column of a field's values: text shows a pid as ``12`` and a name as ``sh``,
JSON as ``12`` and ``"sh"``. The field's type (``recorder/types.h``) defines their
meaning; for an unknown type the bits are shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import functools
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lkst.decode.catalogue import COMM_SIZE, Event, Field
from lkst.replay.cells import Part, decimal, distinct, hexadecimal, matrix, pick
from lkst.replay.numbers import COMPANIONS, Value, namer_of
from lkst.trace.facts import Names
from lkst.trace.names.index import decode_comm, factorize
from lkst.trace.trace import Trace
from lkst.util.printable import as_json, comm_word, quoted, word

__all__ = ("JSON", "TEXT", "Form", "Values")

Integers = NDArray[np.integer]
Bytes = NDArray[np.bytes_]

_NAMES = {"comm", "name"}
_MEMORY = 1 << 16


@dataclass(frozen=True)
class Form:
    """How a format shows values."""

    #: Separator of fields.
    separator: bytes
    #: Formats what precedes a field's value.
    key: Callable[[str], bytes]
    #: Formats a number or a name.
    value: Callable[[Value], bytes]
    #: Formats the name of a task or an object.
    name: Callable[[str], bytes]
    #: Formats a text.
    text: Callable[[str], bytes]
    #: Quotes around hexadecimal numbers.
    quote: bytes
    #: Formats a text that is the only field of its record, without a key.
    message: Callable[[str], bytes] | None = None
    #: Whether to omit flags that are not set.
    quiet: bool = False


TEXT = Form(
    separator=b" ",
    key=lambda name: f"{name}=".encode(),
    value=lambda value: (word(value) if isinstance(value, str) else str(value)).encode(),
    name=lambda name: comm_word(name).encode(),
    text=lambda text: quoted(text).encode(),
    quote=b"",
)

JSON = Form(
    separator=b",",
    key=lambda name: f'"{name}":'.encode(),
    value=lambda value: as_json(value).encode(),
    name=lambda name: as_json(name).encode(),
    text=lambda text: as_json(text).encode(),
    quote=b'"',
)


class Values:
    """Formats columns of values."""

    def __init__(self, names: Names, form: Form, events: Mapping[int, Event]) -> None:
        """
        Prepare for a replay.

        :param names: the traced kernel's names of numbers
        :param events: id -> event
        """
        self.form = form
        self._events = events

        @functools.lru_cache(_MEMORY)
        def named(type_: str, number: int) -> bytes:
            namer = namer_of(type_)
            return form.value(namer(number, names) if namer else number)

        @functools.lru_cache(_MEMORY)
        def name(raw: bytes) -> bytes:
            return form.name(decode_comm(raw))

        self._named = named
        self._name = name

    def write(
        self, trace: Trace, event: Event, field: Field, rows: NDArray[np.int64]
    ) -> list[Part]:
        """Format a field's values in some rows, at least one, all of one event."""
        if field.type == "text" and field.is_number:
            return [list(map(self.form.text, trace.texts(field, rows)))]
        column = trace.column(field, rows)
        if field.type in _NAMES:
            return [self._write_names(cast(Bytes, column))]
        if not field.is_number:
            return [[self.form.value(_dump(raw, field.size)) for raw in column.tolist()]]
        numbers = cast(Integers, column)
        if field.type in COMPANIONS:
            numbers = _with_companion(numbers, field, trace, event, rows)
        if field.type == "event":
            return [self._write_events(numbers)]
        if namer_of(field.type):
            return [self._write_numbers(field.type, numbers)]
        if field.type == "hex":
            return [self.form.quote + b"0x", hexadecimal(numbers), self.form.quote]
        return [decimal(numbers)]

    def _write_numbers(self, type_: str, column: Integers) -> Part:
        values, codes = distinct(column)
        return pick([self._named(type_, value) for value in values], codes)

    def _write_events(self, column: Integers) -> Part:
        values, codes = distinct(column)
        names = [self._events[id_].name if id_ in self._events else id_ for id_ in values]
        return pick([self.form.value(name) for name in names], codes)

    def _write_names(self, column: NDArray[np.bytes_]) -> Part:
        if column.dtype.itemsize != COMM_SIZE:
            return matrix(list(map(self._name, column.tolist())))
        names, codes = factorize(column)
        return pick([self._name(name) for name in names.tolist()], codes)


def _dump(raw: bytes, size: int) -> str:
    return "0x" + raw.ljust(size, b"\0")[::-1].hex()


def _with_companion(
    column: Integers, field: Field, trace: Trace, event: Event, rows: NDArray[np.int64]
) -> Integers:
    # Put the companion field into the upper 32 bits.
    low = np.uint64(0xFFFFFFFF)
    number = column.astype(np.uint64) & low
    other = event.field(COMPANIONS[field.type])
    if other is not None and other.is_number:
        companion = cast(Integers, trace.column(other, rows))
        if companion.any():
            number |= (companion.astype(np.uint64) & low) << np.uint64(32)
    return number
