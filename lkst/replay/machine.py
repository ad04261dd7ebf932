# SPDX-License-Identifier: GPL-2.0-or-later
"""
Replay for programs
-------------------

JSON Lines: an object for each record, with ``ts`` (ns, CLOCK_MONOTONIC), ``cpu``,
``pid``, ``comm``, ``event``, ``origin``, ``fields``, and ``flags`` where there are
any. What the text shows in decimal is a number, everything else a string that
says the same as the text; names and texts are as they were recorded.

CSV: the same columns without ``origin``, under their names; fields are one column,
as in the text.
"""

from collections.abc import Iterator
import dataclasses

import numpy as np
from numpy.typing import NDArray

from lkst.replay.cells import Part, decimal, distinct, joined, pick
from lkst.replay.clean import clean
from lkst.replay.rows import FLAGS, Rows, assemble, chunks
from lkst.replay.values import JSON, TEXT
from lkst.trace.trace import Trace

__all__ = ("COLUMNS", "replay_csv", "replay_jsonl")

COLUMNS = ("ts", "cpu", "pid", "comm", "event", "fields", "flags")

_ORIGIN = "lkst"

#: Names of flags, by their bits.
_FLAGS = [[name for bit, name in FLAGS if bits & bit] for bits in range(1 << len(FLAGS))]


def replay_jsonl(trace: Trace) -> Iterator[str]:
    """Replay a trace as JSON Lines; gives pieces that end with a line's end."""
    rows = Rows(trace, JSON)
    ends = [b"}}\n"] + [
        b'},"flags":[' + b",".join(map(JSON.value, names)) + b"]}\n" for names in _FLAGS[1:]
    ]
    for chunk in chunks(trace):
        comms, codes = _comms(chunk)
        parts: list[Part] = [
            b'{"ts":',
            decimal(chunk.ts),
            b',"cpu":',
            decimal(chunk.cpu),
            b',"pid":',
            decimal(chunk.pid),
            b',"comm":',
            pick([JSON.value(comm) for comm in comms], codes),
            b',"event":',
            pick(*_events(chunk, '"{}"')),
            f',"origin":"{_ORIGIN}","fields":{{'.encode(),
        ]
        flags = (chunk.flags & len(ends) - 1).tolist()
        yield assemble(joined(len(chunk), parts), rows.write(chunk), [ends[bits] for bits in flags])


def replay_csv(trace: Trace) -> Iterator[str]:
    """Replay a trace as CSV, its first line the names of the columns."""
    rows = Rows(trace, _CSV)
    ends = [f'",{" ".join(names)}\n'.encode() for names in _FLAGS]
    yield ",".join(COLUMNS) + "\n"
    for chunk in chunks(trace):
        comms, codes = _comms(chunk)
        parts: list[Part] = [
            decimal(chunk.ts),
            b",",
            decimal(chunk.cpu),
            b",",
            decimal(chunk.pid),
            b',"',
            pick([_doubled(clean(comm).encode()) for comm in comms], codes),
            b'",',
            pick(*_events(chunk, "{}")),
            b',"',
        ]
        flags = (chunk.flags & len(ends) - 1).tolist()
        yield assemble(joined(len(chunk), parts), rows.write(chunk), [ends[bits] for bits in flags])


def _doubled(text: bytes) -> bytes:
    """Write text inside of CSV's quotes (RFC 4180)."""
    return text.replace(b'"', b'""')


#: The fields' column always stands in quotes.
_CSV = dataclasses.replace(
    TEXT,
    value=lambda value: _doubled(TEXT.value(value)),
    text=lambda text: _doubled(TEXT.text(text)),
)


def _comms(chunk: Trace) -> tuple[list[str], NDArray[np.int64]]:
    names, codes = chunk.task_names.codes(chunk)
    used, codes = distinct(codes)
    return [names[code] for code in used], codes


def _events(chunk: Trace, form: str) -> tuple[list[bytes], NDArray[np.int64]]:
    events = chunk.catalogue.events
    used, codes = distinct(chunk.event)
    names = [events[id_].name if id_ in events else f"event#{id_}" for id_ in used]
    return [form.format(name).encode() for name in names], codes
