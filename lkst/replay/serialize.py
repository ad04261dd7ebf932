# SPDX-License-Identifier: GPL-2.0-or-later
"""
Replay as JSON Lines and CSV
----------------------------

JSON Lines: an object for each record, with ``ts`` (ns, CLOCK_MONOTONIC), ``cpu``,
``pid``, ``comm``, ``event``, ``origin``, ``fields``, and ``flags`` where there are
any; ``buffer`` where there are several, ``stack`` where there is one: its frames,
the innermost first. What the text shows in decimal is a number, everything else a string that
says the same as the text; names and texts are as they were recorded.

CSV: the same columns without ``origin``, under their names; fields are one column,
as in the text. If any record has a stack, a last column ``stack`` has its frames
with spaces between them.
"""

from collections.abc import Iterator
import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from lkst.replay.cells import Cells, Part, decimal, distinct, matrix, pick
from lkst.replay.lines import Lines
from lkst.replay.rows import FLAG_VALUES, FLAGS, Rows, chunks
from lkst.replay.stacks import Stacks, has_stacks
from lkst.replay.values import JSON, TEXT
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = ("COLUMNS", "replay_csv", "replay_jsonl")

COLUMNS = ("ts", "cpu", "pid", "comm", "event", "fields", "flags")

_ORIGIN = "lkst"

#: Maximum number of formatted names to cache.
_MEMORY = 1 << 16

#: Names of flags, by their bits.
_FLAGS = [[name for bit, name in FLAGS if bits & bit] for bits in FLAG_VALUES]


def replay_jsonl(trace: Trace) -> Iterator[str]:
    """Yield a trace as JSON Lines, in pieces that end with a newline."""
    rows, lines = Rows(trace, JSON), Lines()
    named = functools.lru_cache(_MEMORY)(JSON.value)
    cpus = _cpus(trace)
    stacks = Stacks(trace.facts.names)
    flags = [b',"flags":[' + b",".join(map(JSON.value, names)) + b"]" for names in _FLAGS]
    ends = [b"}" + (flags[bits] if _FLAGS[bits] else b"") + b"}\n" for bits in FLAG_VALUES]
    for chunk in chunks(trace):
        comms, codes = _comms(chunk)
        parts: list[Part] = [
            b'{"ts":',
            decimal(chunk.ts),
            b',"cpu":',
            cpus.take(chunk.cpu, axis=0),
            b',"pid":',
            decimal(chunk.pid),
            b',"comm":',
            pick([named(comm) for comm in comms], codes),
        ]
        buffers = _buffers(chunk)

        def before(
            id_: int, own: NDArray[np.int64], chunk: Trace = chunk, buffers: Cells | None = buffers
        ) -> list[Part]:
            event = f',"event":"{_event(chunk, id_)}","origin":"{_ORIGIN}"'.encode()
            if buffers is None:
                return [event + b',"fields":{']
            return [event + b',"buffer":', buffers.take(own, axis=0), b',"fields":{']

        after = {row: ends[bits] for row, bits in _bits(chunk)}
        for row, frames in zip(*stacks.write(chunk), strict=True):
            stack = b",".join(map(JSON.value, frames))
            after[int(row)] = after[int(row)].removesuffix(b"}\n") + b',"stack":[' + stack + b"]}\n"
        yield lines.assemble(len(chunk), parts, rows.groups(chunk, before), ends[0], after)


def _bits(chunk: Trace) -> Iterator[tuple[int, int]]:
    # Rows with flags, and the flags.
    rows = np.flatnonzero(chunk.flags)
    bits = chunk.flags[rows] & len(FLAG_VALUES) - 1
    return zip(rows.tolist(), bits.tolist(), strict=True)


def _buffers(chunk: Trace) -> Cells | None:
    # Name of each record's buffer, if there are several.
    names = chunk.buffer_names
    if len(names) < 2:
        return None
    used, codes = distinct(chunk.buffer)
    return matrix([JSON.value(names[number]) for number in used]).take(codes, axis=0)


def replay_csv(trace: Trace) -> Iterator[str]:
    """Yield a trace as CSV, with a header line."""
    rows, lines = Rows(trace, _CSV), Lines()
    named = functools.lru_cache(_MEMORY)(lambda comm: _doubled(clean(comm).encode()))
    cpus = _cpus(trace)
    stacks = Stacks(trace.facts.names) if has_stacks(trace) else None
    last = "," if stacks else ""
    ends = [f'",{" ".join(names)}{last}\n'.encode() for names in _FLAGS]
    yield ",".join((*COLUMNS, "stack") if stacks else COLUMNS) + "\n"
    for chunk in chunks(trace):
        comms, codes = _comms(chunk)
        parts: list[Part] = [
            decimal(chunk.ts),
            b",",
            cpus.take(chunk.cpu, axis=0),
            b",",
            decimal(chunk.pid),
            b',"',
            pick([named(comm) for comm in comms], codes),
            b'",',
        ]

        def before(id_: int, own: NDArray[np.int64], chunk: Trace = chunk) -> list[Part]:
            return [_event(chunk, id_).encode() + b',"']

        after = {row: ends[bits] for row, bits in _bits(chunk)}
        for row, frames in zip(*stacks.write(chunk), strict=True) if stacks else ():
            stack = _doubled(" ".join(frames).encode())
            after[int(row)] = after[int(row)].removesuffix(b"\n") + b'"' + stack + b'"\n'
        yield lines.assemble(len(chunk), parts, rows.groups(chunk, before), ends[0], after)


def _doubled(text: bytes) -> bytes:
    # Escape text within CSV's quotes (RFC 4180).
    return text.replace(b'"', b'""')


#: The column of fields is always quoted.
_CSV = dataclasses.replace(
    TEXT,
    value=lambda value: _doubled(TEXT.value(value)),
    name=lambda name: _doubled(TEXT.name(name)),
    text=lambda text: _doubled(TEXT.text(text)),
)


def _cpus(trace: Trace) -> Cells:
    # The number of each CPU.
    return matrix([str(cpu).encode() for cpu in range(trace.header.nr_cpus)])


def _comms(chunk: Trace) -> tuple[list[str], NDArray[np.int64]]:
    names, codes = chunk.comms()
    used, codes = distinct(codes)
    return [names[code] for code in used], codes


def _event(chunk: Trace, id_: int) -> str:
    event = chunk.catalogue.events.get(id_)
    return event.name if event else f"event#{id_}"
