# SPDX-License-Identifier: GPL-2.0-or-later
"""
ftrace's pages and events
-------------------------

Decode a page of a ring buffer (include/linux/ring_buffer.h), and the fields of an event
as its ``format`` file describes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import re
import struct

__all__ = ("EventFormat", "FieldFormat", "PageEvent", "decode_fields", "parse_page")

# enum ring_buffer_type
_PADDING, _TIME_EXTEND, _TIME_STAMP = 29, 30, 31

_HEADER = 4
_DELTA_BITS = 27

#: Bits of ``commit`` that hold the length; above are RB_MISSED_EVENTS and _STORED.
_COMMIT_MASK = (1 << 27) - 1
_MISSED = 1 << 31

#: struct buffer_data_page, without its data.
_PAGE = struct.Struct("<QQ")

# High bits that an absolute time stamp omits and the page's time stamp has.
_HIGH_BITS = 0xF8 << 56


@dataclass(frozen=True)
class PageEvent:
    """An event in a page."""

    #: In ns of the buffer's clock.
    ts: int
    data: bytes
    #: Offset from the end of the page's header.
    offset: int


def parse_page(page: bytes) -> tuple[list[PageEvent], bool]:
    """
    Parse a page.

    :param page: struct buffer_data_page
    :return: its events, and whether there were lost ones before it
    """
    if len(page) < _PAGE.size:
        return [], False
    ts, commit = _PAGE.unpack_from(page)
    end = min(_PAGE.size + (commit & _COMMIT_MASK), len(page))
    return list(_events(page[:end], ts)), bool(commit & _MISSED)


def _events(page: bytes, ts: int) -> Iterator[PageEvent]:
    high = ts & _HIGH_BITS
    at = _PAGE.size
    while at + _HEADER <= len(page):
        (word,) = struct.unpack_from("<I", page, at)
        kind, delta = word & 31, word >> 5
        (more,) = struct.unpack_from("<I", page, at + 4) if at + 8 <= len(page) else (0,)
        if kind == _PADDING:
            if not delta:
                return  # to the end of the page
            size = more + _HEADER
        elif kind == _TIME_EXTEND:
            ts += delta + (more << _DELTA_BITS)
            size = 8
        elif kind == _TIME_STAMP:
            ts = delta + (more << _DELTA_BITS) | high
            size = 8
        else:
            ts += delta
            start = at + (_HEADER if kind else 8)
            size = 4 * kind + _HEADER if kind else more + _HEADER
            if at + size > len(page) or start > at + size:
                return
            yield PageEvent(ts, page[start : at + size], at - _PAGE.size)
        # Entries begin at multiples of 4.
        at += max(size + 3 & ~3, _HEADER)


@dataclass(frozen=True)
class FieldFormat:
    """struct ftrace_event_field."""

    name: str
    #: As in C.
    type: str
    offset: int
    size: int
    signed: bool


@dataclass(frozen=True)
class EventFormat:
    """An event of ftrace."""

    id: int
    system: str
    name: str
    fields: tuple[FieldFormat, ...]


def decode_fields(event: EventFormat, data: bytes) -> dict[str, int | str]:
    """
    Read the fields of an event: numbers, texts, and other bytes in hexadecimal.

    :param data: of the whole entry, from ``common_type`` on
    """
    values: dict[str, int | str] = {}
    for field in event.fields:
        end = field.offset + field.size
        if field.offset < 0 or end > len(data):
            continue
        raw = data[field.offset : end]
        if field.type.startswith(("__data_loc", "__rel_loc")) and field.size == 4:
            (place,) = struct.unpack("<I", raw)
            start = place & 0xFFFF
            if field.type.startswith("__rel_loc"):
                start += end
            values[field.name] = _array(field.type, data[start : start + (place >> 16)])
        elif not field.size:
            # The last field may extend to the end.
            values[field.name] = _array(field.type, data[field.offset :])
        elif "[" in field.type:
            values[field.name] = _array(field.type, raw)
        elif field.size in (1, 2, 4, 8):
            number = int.from_bytes(raw, "little", signed=field.signed)
            values[field.name] = hex(number) if "*" in field.type else number
        else:
            values[field.name] = "0x" + raw.hex()
    return values


def _array(type_: str, raw: bytes) -> str:
    if re.match(r"(?:__data_loc |__rel_loc )?(?:const )?(?:unsigned )?char\b", type_):
        return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
    return "0x" + raw.hex()
