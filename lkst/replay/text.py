# SPDX-License-Identifier: GPL-2.0-or-later
"""
Replay as text
--------------

One line for each record: time, CPU, task, event, fields::

    -0.000120437 [1] sh:318                 sys_enter            nr=write arg0=0x1 ...

and below it a line for each frame of the kernel's stack, if that was recorded. Times
count from the panic or, without a panic, from the last record.
"""

from collections.abc import Iterator
import dataclasses

import numpy as np

from lkst.replay.cells import Part, decimal, distinct, matrix, pick
from lkst.replay.colour import RESET, TROUBLE, category_colour
from lkst.replay.header import footer, header
from lkst.replay.lines import Lines
from lkst.replay.rows import FLAG_VALUES, FLAGS, Rows, chunks
from lkst.replay.stacks import Stacks
from lkst.replay.times import stamps
from lkst.replay.values import TEXT
from lkst.trace.trace import Trace
from lkst.util.printable import clean, comm_word

__all__ = ("EVENT_WIDTH", "TASK_WIDTH", "record_lines", "replay_text", "text_lines")

TASK_WIDTH = 22  # a name of 15 characters and a pid of 6 digits
EVENT_WIDTH = 20
_NO_NAME = "?"

#: Values from which a pid has one digit more.
_POWERS = [10**digits for digits in range(1, 20)]

#: Text of flags, by their bits.
_FLAGS = ["".join(f" [{name}]" for bit, name in FLAGS if bits & bit) for bits in FLAG_VALUES]

_FRAME = " " * 16


def replay_text(trace: Trace, colour: bool = False, time: str = "relative") -> Iterator[str]:
    """
    Yield a trace as text, with header and footer.

    :param colour: whether to use colours of the terminal
    :param time: one of :data:`lkst.replay.times.TIMES`
    :return: pieces that end with a newline
    """
    yield header(trace) + "\n"
    yield from text_lines(trace, colour, time)
    yield "\n" + footer(trace, colour)


def text_lines(trace: Trace, colour: bool = False, time: str = "relative") -> Iterator[str]:
    """
    Yield the records alone as text.

    :param colour: whether to use colours of the terminal
    :param time: one of :data:`lkst.replay.times.TIMES`
    :return: pieces that end with a newline
    """
    writer = _Writer(trace, colour, time)
    for chunk in chunks(trace):
        yield writer.write(chunk)


def record_lines(
    trace: Trace, colour: bool = False, time: str = "relative"
) -> Iterator[tuple[Trace, list[str]]]:
    """
    Yield the records alone, each as its own text.

    :param colour: whether to use colours of the terminal
    :param time: one of :data:`lkst.replay.times.TIMES`
    :return: chunks of the trace, and a text for each of their records
    """
    writer = _Writer(trace, colour, time)
    for chunk in chunks(trace):
        records: list[str] = []
        for line in writer.write(chunk).splitlines(keepends=True):
            if line.startswith(_FRAME):
                records[-1] += line
            else:
                records.append(line)
        yield chunk, records


def _message(text: str) -> bytes:
    return clean(text.rstrip("\n")).encode()


class _Writer:
    def __init__(self, trace: Trace, colour: bool, time: str) -> None:
        self._events = trace.catalogue.events
        self._colour = colour
        self._lines = Lines()
        self._stamps = stamps(trace, time)
        self._stacks = Stacks(trace.facts.names)
        self._rows = Rows(trace, dataclasses.replace(TEXT, message=_message, quiet=True))
        width = len(str(trace.header.nr_cpus - 1))
        self._cpus = matrix([f" [{cpu:>{width}}] ".encode() for cpu in range(trace.header.nr_cpus)])
        self._pads = matrix([b" " * (1 + count) for count in range(TASK_WIDTH + 1)])
        self._trouble = {
            event.id for event in self._events.values() if colour and event.category == "trouble"
        }

    def write(self, chunk: Trace) -> str:
        parts = [
            *self._before(chunk),
            *self._stamps.write(chunk),
            self._cpus.take(chunk.cpu, axis=0),
            *self._write_task(chunk),
        ]
        groups = self._rows.groups(chunk, lambda id_, rows: [self._event_name(id_)])
        return self._lines.assemble(len(chunk), parts, groups, b"\n", self._ends(chunk))

    def _before(self, chunk: Trace) -> list[Part]:
        if not self._trouble:
            return []
        events, codes = distinct(chunk.event)
        return [pick([TROUBLE.encode() if e in self._trouble else b"" for e in events], codes)]

    def _write_task(self, chunk: Trace) -> list[Part]:
        names, codes = chunk.comms()
        used, codes = distinct(codes)
        words = [f"{comm_word(names[code]) if names[code] else _NO_NAME}:" for code in used]
        pid = chunk.pid
        taken = np.array([len(word) + 1 for word in words]).take(codes)
        for power in _POWERS[: len(str(int(pid.max()))) - 1]:
            taken += pid >= power
        missing = np.maximum(TASK_WIDTH - taken, 0)
        return [
            pick([word.encode() for word in words], codes),
            decimal(pid),
            self._pads.take(missing, axis=0),
        ]

    def _event_name(self, id_: int) -> bytes:
        event = self._events.get(id_)
        if event is None:
            return f"event#{id_}".encode()
        name = f"{event.name:<{EVENT_WIDTH}}" if event.fields else event.name
        if self._colour and id_ not in self._trouble and category_colour(event.category):
            name = category_colour(event.category) + name + RESET
        return name.encode() + b" " * bool(event.fields)

    def _ends(self, chunk: Trace) -> dict[int, bytes]:
        # row -> end of the line, if that is more than the newline.
        flagged = chunk.flags != 0
        if self._trouble:
            flagged |= np.isin(chunk.event, list(self._trouble))
        ends = {}
        for row in np.flatnonzero(flagged).tolist():
            after = RESET if int(chunk.event[row]) in self._trouble else ""
            flags = _FLAGS[int(chunk.flags[row]) & len(_FLAGS) - 1]
            ends[row] = f"{flags}{after}\n".encode()
        for row, frames in zip(*self._stacks.write(chunk), strict=True):
            ends[int(row)] += "".join(f"{_FRAME}{frame}\n" for frame in frames).encode()
        return ends
