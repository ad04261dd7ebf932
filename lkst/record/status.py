# SPDX-License-Identifier: GPL-2.0-or-later
"""
Status
------

What the recorder of this machine does right now.
"""

from dataclasses import dataclass
import struct
import time

from lkst import layout
from lkst.control import active_maskset, event_state, read_control
from lkst.decode.catalogue import Event
from lkst.record.pins import Recorder

__all__ = ("EventStatus", "Status", "read_status")


@dataclass(frozen=True)
class EventStatus:
    """One event."""

    event: Event
    #: One of ``lkst.layout.STATES``.
    state: str
    #: Records ever claimed, on all CPUs.
    count: int
    #: Records claimed per second while it was watched.
    rate: float
    #: How often its program was skipped because it was running already.
    suppressed: int


@dataclass(frozen=True)
class Status:
    """The recorder."""

    maskset: str
    events: list[EventStatus]
    #: Slots that each CPU has claimed so far, and per second.
    heads: list[int]
    slot_rates: list[float]


def read_status(recorder: Recorder, seconds: float = 0.25) -> Status:
    """
    Watch the recorder for a moment.

    :param seconds: how long
    """
    before, start = recorder.cpus(), time.monotonic()
    time.sleep(seconds)
    after, elapsed = recorder.cpus(), time.monotonic() - start
    header = recorder.header
    control = read_control(recorder.control())
    assert control is not None
    into = control.into % layout.MAX_BUFFERS
    misses = recorder.misses()
    events = []
    for event in recorder.catalogue.events.values():
        counts = [_sum_counts(data, event.id, header.cpu_size) for data in (before, after)]
        events.append(
            EventStatus(
                event,
                event_state(control, event.id),
                counts[1],
                (counts[1] - counts[0]) / elapsed,
                misses.get(event.id, 0),
            )
        )
    heads = [
        [place.head for place in layout.places(data, header.cpu_size, into)]
        for data in (before, after)
    ]
    return Status(
        active_maskset(control),
        events,
        heads[1],
        [(new - old) / elapsed for old, new in zip(*heads, strict=True)],
    )


def _sum_counts(cpus: bytes, event: int, cpu_size: int) -> int:
    offsets = range(layout.COUNT_OFFSET + 8 * event, len(cpus), cpu_size)
    return sum(struct.unpack_from("<Q", cpus, offset)[0] for offset in offsets)
