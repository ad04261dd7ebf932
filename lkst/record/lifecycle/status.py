# SPDX-License-Identifier: GPL-2.0-or-later
"""
Status
------

The current state of this machine's recorder.
"""

from dataclasses import dataclass
import struct
import time

from lkst.abi import layout
from lkst.abi.control import active_maskset, event_state, name_of
from lkst.decode.catalogue import Event, Header
from lkst.live.recorder import Recorder
from lkst.record.buffers import BufferStatus, list_buffers
from lkst.record.maskset.loaded import loaded_masksets
from lkst.record.programs.refused import read_reasons
from lkst.record.trigger.table import TriggerStatus, list_triggers

__all__ = ("EventStatus", "RingStatus", "Status", "read_status")


@dataclass(frozen=True)
class EventStatus:
    """State of an event."""

    event: Event
    #: One of ``lkst.abi.layout.STATES``.
    state: str
    #: Records ever claimed, on all CPUs.
    count: int
    #: Records per second.
    rate: float
    #: How often its program was skipped because it was already running.
    suppressed: int


@dataclass(frozen=True)
class RingStatus:
    """One CPU's ring of the current buffer."""

    cpu: int
    nr_slots: int
    #: Slots ever claimed, and slots per second.
    head: int
    rate: float

    @property
    def overwritten(self) -> int:
        """Slots that were overwritten."""
        return max(0, self.head - self.nr_slots)

    @property
    def lasts(self) -> float:
        """Time until the ring is overwritten at this rate, in s."""
        return self.nr_slots / self.rate if self.rate else float("inf")


@dataclass(frozen=True)
class Status:
    """State of the recorder."""

    header: Header
    #: CLOCK_MONOTONIC, in ns.
    now: int
    maskset: str
    #: The next maskset, and when it is activated, CLOCK_MONOTONIC in ns; "" and 0: none.
    base: str
    until: int
    #: Names of all loaded masksets.
    loaded: list[str]
    buffers: list[BufferStatus]
    rings: list[RingStatus]
    triggers: list[TriggerStatus]
    #: CLOCK_MONOTONIC of the last heartbeat, in ns; 0: none is expected.
    beat: int
    #: Counts of losses, by kind.
    lost: dict[str, int]
    events: list[EventStatus]
    #: What is missing or was refused -> reason.
    missing: dict[str, str]


def read_status(recorder: Recorder, seconds: float = 0.25) -> Status:
    """
    Read the state, and measure rates for a moment.

    :param seconds: duration of the measurement
    """
    before, start = recorder.cpus(), time.monotonic()
    time.sleep(seconds)
    after, elapsed = recorder.cpus(), time.monotonic() - start
    header, control = recorder.header, recorder.read_control()
    misses = recorder.misses()
    events = []
    for event in recorder.catalogue.events.values():
        place = layout.COUNT_OFFSET + 8 * event.id
        counts = [sum(_words(data, header.cpu_size, place)) for data in (before, after)]
        events.append(
            EventStatus(
                event,
                event_state(control, event.id),
                counts[1],
                (counts[1] - counts[0]) / elapsed,
                misses.get(event.id, 0),
            )
        )
    into = control.current_buffer % layout.MAX_BUFFERS
    heads = [
        [place.head for place in layout.places(data, header.cpu_size, into)]
        for data in (before, after)
    ]
    rings = [
        RingStatus(cpu, control.buffer[into].nr_slots, new, max(new - old, 0) / elapsed)
        for cpu, (old, new) in enumerate(zip(*heads, strict=True))
    ]
    flows = [
        flow
        for event in recorder.catalogue.events.values()
        if event.is_probe
        for flow in recorder.flows(event.id)
    ]
    base = control.maskset_name[control.base_maskset % layout.MAX_MASKSETS].text
    return Status(
        header=header,
        now=time.monotonic_ns(),
        maskset=active_maskset(control),
        base=name_of(base) if control.active_until else "",
        until=control.active_until,
        loaded=list(loaded_masksets(control)),
        buffers=list_buffers(recorder),
        rings=rings,
        triggers=list_triggers(control),
        beat=control.last_heartbeat,
        lost={
            "refused": sum(_words(after, header.cpu_size, layout.REFUSED_OFFSET)),
            "unheard": control.lost_notices,
            "no_spare": control.failed_switches,
            "unfollowed": control.tasks_not_followed,
            "held": sum(flow.held for flow in flows),
            "unpaired": sum(flow.unpaired for flow in flows),
        },
        events=events,
        missing=read_reasons(header),
    )


def _words(cpus: bytes, cpu_size: int, place: int) -> list[int]:
    """Read a counter of struct lkst_cpu for each CPU."""
    return [
        struct.unpack_from("<Q", cpus, offset)[0] for offset in range(place, len(cpus), cpu_size)
    ]
