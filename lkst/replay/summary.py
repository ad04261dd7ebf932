# SPDX-License-Identifier: GPL-2.0-or-later
"""
Summary
-------

What a trace contains and has lost, by CPU and by event.
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
    #: Times of the first and last, in ns of CLOCK_MONOTONIC; None: no record.
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
    #: Slots of one ring.
    nr_slots: int
    #: Records in its rings.
    records: int
    #: Times of the first and last, in ns of CLOCK_MONOTONIC; None: no record.
    first: int | None
    last: int | None


@dataclass(frozen=True)
class EventSummary:
    """One event, on all CPUs."""

    event: Event
    #: Records in the rings.
    records: int
    #: Records ever written; None: not known.
    ever: int | None
    #: How often its program could not run; None: not known.
    suppressed: int | None
    #: One of ``lkst.abi.layout.STATES``, or "unknown".
    state: str

    @property
    def overwritten(self) -> int | None:
        """Records that were overwritten or damaged; None: not known."""
        return None if self.ever is None else self.ever - self.records


@dataclass(frozen=True)
class Panic:
    """How the machine ended."""

    #: Message of the kernel as one printable line; may be "".
    message: str
    #: CPU and task of the record; None and "" if the panic was not recorded.
    cpu: int | None = None
    task: str = ""

    def __str__(self) -> str:
        """Return message, CPU and task in one line."""
        message = self.message or "no message"
        return message if self.cpu is None else f"{message}  CPU {self.cpu}  {self.task}"


def find_panic(trace: Trace) -> Panic | None:
    """Return the panic; None if none is known."""
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
    """Summarise each CPU's rings, regardless of the selection."""
    spans = trace.whole.cpu_spans
    return [
        CPUSummary(loss.cpu, *spans.get(loss.cpu, NO_SPAN), loss) for loss in trace.whole.losses
    ]


def sum_buffers(trace: Trace) -> list[BufferSummary]:
    """Summarise each buffer, regardless of the selection."""
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
    # Slots of a buffer's rings, of which the image may have only segments.
    if trace.control and 0 <= buffer.number < layout.MAX_BUFFERS:
        nr_slots: int = trace.control.buffer[buffer.number].nr_slots
        if is_ring_size(nr_slots):
            return nr_slots
    return buffer.nr_slots


def sum_events(trace: Trace) -> list[EventSummary]:
    """Summarise each event of the catalogue, regardless of the selection."""
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
    # Records of every event that were ever written: struct lkst_cpu.
    header, cpus = trace.header, trace.image.cpus
    # If records were left out when the trace was saved, overwritten ones cannot be counted.
    if len(cpus) < header.nr_cpus * header.cpu_size or trace.image.partial:
        return None
    data = np.frombuffer(cpus, np.uint8, header.nr_cpus * header.cpu_size)
    low = layout.COUNT_OFFSET
    counts = data.reshape(header.nr_cpus, -1)[:, low : low + 8 * header.max_events]
    total: list[int] = np.ascontiguousarray(counts).view("<u8").astype(object).sum(axis=0).tolist()
    return total
