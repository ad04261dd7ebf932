# SPDX-License-Identifier: GPL-2.0-or-later
"""
Summary
-------

What a trace holds and what it has lost, by CPU and by event.
"""

from dataclasses import dataclass

import numpy as np

from lkst.abi import layout
from lkst.abi.control import event_state
from lkst.decode.catalogue import Event, is_ring_size
from lkst.decode.image import BufferImage
from lkst.decode.ring import CPULoss
from lkst.trace.spans import NO_SPAN
from lkst.trace.trace import Trace
from lkst.util.printable import clean, comm_word

__all__ = (
    "BufferSummary",
    "CPUSummary",
    "EventSummary",
    "Panic",
    "find_panic",
    "sum_buffers",
    "sum_cpus",
    "sum_events",
)


@dataclass(frozen=True)
class CPUSummary:
    """One CPU's rings."""

    cpu: int
    #: Records in the rings.
    records: int
    #: Times of the first and last, in ns of CLOCK_MONOTONIC; None where there is none.
    first: int | None
    last: int | None
    loss: CPULoss

    @property
    def silent(self) -> bool:
        """Whether it has never recorded anything."""
        return not (self.records or self.loss.claimed or self.loss.torn or self.loss.unreadable)


@dataclass(frozen=True)
class BufferSummary:
    """One buffer."""

    number: int
    name: str
    #: written to, kept, spare, frozen, unknown
    state: str
    #: In one ring.
    nr_slots: int
    #: Records in its rings.
    records: int
    #: Times of the first and last, in ns of CLOCK_MONOTONIC; None where there is none.
    first: int | None
    last: int | None


@dataclass(frozen=True)
class EventSummary:
    """One event, on all CPUs."""

    event: Event
    #: Records in the rings.
    records: int
    #: Records ever written; None if that is not known.
    ever: int | None
    #: How often its program could not run; None if that is not known.
    suppressed: int | None
    #: One of ``lkst.abi.layout.STATES``, or "unknown".
    state: str

    @property
    def overwritten(self) -> int | None:
        """Records that are gone, for newer ones or for damage; None if that is not known."""
        return None if self.ever is None else self.ever - self.records


@dataclass(frozen=True)
class Panic:
    """How the machine ended."""

    #: What the kernel printed, as one line that can be shown; may be "".
    message: str
    #: Where it is recorded; None and "" if it is not.
    cpu: int | None = None
    task: str = ""

    def __str__(self) -> str:
        """Show it in one line."""
        message = self.message or "no message"
        return message if self.cpu is None else f"{message}  CPU {self.cpu}  {self.task}"


def find_panic(trace: Trace) -> Panic | None:
    """Find what the machine died of, if it is known that it did."""
    message = clean(" ".join(trace.facts.panic_message.split()))
    record = trace.whole.panic
    if record is None:
        return Panic(message) if message else None
    event = trace.catalogue.events[int(record.event[0])]
    text = next((field for field in event.fields if field.type == "text" and field.is_number), None)
    if text and not message:
        message = clean(record.texts(text, np.zeros(1, np.int64))[0].strip())
    names, codes = record.comms()
    name = names[int(codes[0])]
    task = f"{comm_word(name) if name else '?'}:{record.pid[0]}"
    return Panic(message, int(record.cpu[0]), task)


def sum_cpus(trace: Trace) -> list[CPUSummary]:
    """Sum up each CPU's rings, whatever is selected."""
    spans = trace.whole.cpu_spans
    return [
        CPUSummary(loss.cpu, *spans.get(loss.cpu, NO_SPAN), loss) for loss in trace.whole.losses
    ]


def sum_buffers(trace: Trace) -> list[BufferSummary]:
    """Sum up each buffer, whatever is selected."""
    spans = trace.whole.buffer_spans
    control = trace.control
    frozen = {buffer.number for buffer in trace.buffer_losses if buffer.frozen}
    summaries = []
    for number, buffer in sorted({b.number: b for b in trace.image.buffers}.items()):
        span = spans.get(number, NO_SPAN)
        if number in frozen:
            state = "frozen"
        elif buffer.state == "spare" and not span.records:
            state = "spare"
        elif control is None:
            state = "unknown"
        else:
            state = "written to" if control.current_buffer == number else "kept"
        summaries.append(BufferSummary(number, buffer.name, state, _nr_slots(trace, buffer), *span))
    return summaries


def _nr_slots(trace: Trace, buffer: BufferImage) -> int:
    """Tell how large a buffer's rings are, of which there may only be stretches."""
    if trace.control and 0 <= buffer.number < layout.MAX_BUFFERS:
        nr_slots: int = trace.control.buffer[buffer.number].nr_slots
        if is_ring_size(nr_slots):
            return nr_slots
    return buffer.nr_slots


def sum_events(trace: Trace) -> list[EventSummary]:
    """Sum up each event of the catalogue, whatever is selected."""
    whole = trace.whole
    counts = whole.event_counts.tolist()
    ever = _ever(trace)
    summaries = []
    for id_, event in sorted(trace.catalogue.events.items()):
        total = None if ever is None else ever[id_]
        if total is not None and total < counts[id_]:
            total = None  # damaged
        state = event_state(trace.control, id_)
        misses = trace.image.suppressed
        suppressed = None if misses is None else misses.get(id_, 0)
        summaries.append(EventSummary(event, counts[id_], total, suppressed, state))
    return summaries


def _ever(trace: Trace) -> list[int] | None:
    """Count the records of every event that were ever written: struct lkst_cpu."""
    header, cpus = trace.header, trace.image.cpus
    # Of a trace from which records were left out nobody knows what was overwritten.
    if len(cpus) < header.nr_cpus * header.cpu_size or trace.image.partial:
        return None
    data = np.frombuffer(cpus, np.uint8, header.nr_cpus * header.cpu_size)
    low = layout.COUNT_OFFSET
    counts = data.reshape(header.nr_cpus, -1)[:, low : low + 8 * header.max_events]
    total: list[int] = np.ascontiguousarray(counts).view("<u8").astype(object).sum(axis=0).tolist()
    return total
