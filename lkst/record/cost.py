# SPDX-License-Identifier: GPL-2.0-or-later
"""
Cost
----

Measures the current cost of recording on this machine: how often each event's programs
run and how long they take, by the kernel's statistics (BPF_STATS_RUN_TIME). These
include part of the two clock reads of the measurement itself.
"""

from collections.abc import Iterable, Iterator, Mapping
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import signal
import struct
import sys
import time

from lkst.abi import layout
from lkst.abi.control import Control, active_maskset, event_state
from lkst.bpf.libbpf import BPFError
from lkst.bpf.object import Object
from lkst.bpf.programs import linked_programs, run_statistics, run_time_statistics
from lkst.decode.catalogue import Catalogue, Event
from lkst.errors import LkstError
from lkst.live.recorder import PINS, Recorder, remove_pins
from lkst.record.lifecycle.start import start
from lkst.record.maskset.text import Maskset
from lkst.record.maskset.user_handlers import register_handlers
from lkst.record.programs.attach import object_path, programs_of, sections

__all__ = ("Cost", "EventCost", "Run", "measure_cost", "temporary_recorder")


@dataclass(frozen=True)
class Run:
    """Run statistics of one or several programs, per second."""

    #: Run time, in ns.
    time: float = 0.0
    calls: float = 0.0
    #: Calls that were skipped because the program was already running.
    suppressed: float = 0.0

    def __add__(self, other: "Run") -> "Run":
        return Run(
            self.time + other.time, self.calls + other.calls, self.suppressed + other.suppressed
        )


@dataclass(frozen=True)
class EventCost:
    """Cost of an event, or of a program without an event."""

    name: str
    #: Of its programs; zero if they are counted at another event.
    run: Run
    #: Records per second.
    records: float
    #: The event at which its programs are counted; "": this one.
    counted_at: str = ""
    #: Mechanism of a probe: ``fentry``, ``kprobe``, ...
    by: str = ""

    @property
    def ns(self) -> float:
        """Time per call, in ns; mean over its programs."""
        return self.run.time / self.run.calls if self.run.calls else 0.0

    @property
    def share(self) -> float:
        """Share of one CPU's time."""
        return self.run.time / 1e9

    @property
    def ring_bytes(self) -> float:
        """Ring space, in bytes per second; only the first slot of a long record."""
        return self.records * layout.SLOT_SIZE


@dataclass(frozen=True)
class Cost:
    """A maskset."""

    maskset: str
    seconds: float
    #: Events that occurred, the most expensive first.
    events: list[EventCost]
    #: Number of attached events that did not occur.
    silent: int
    #: Share of all CPUs' time.
    share: float
    #: Bytes written to the rings per second, all slots of long records included.
    ring_bytes: float
    #: Size of each CPU's ring, in bytes.
    ring_size: int
    #: Time until a ring is overwritten, in s: of the busiest CPU, and on average.
    shortest: float
    mean: float


@contextlib.contextmanager
def temporary_recorder(maskset: Maskset, size: int | None = None) -> Iterator[Path]:
    """
    Load a second recorder and remove it afterwards, also after SIGTERM or SIGHUP.

    After SIGKILL, the next recorder that starts removes it.

    :param size: of each ring, in bytes; None: the default size, or what fits into the memory
    :raises LkstError: if it cannot be done
    """
    pins = PINS.with_name(f"{PINS.name}-{os.getpid()}")
    with _leaving_on_signals():
        try:
            start(size, maskset, pins, prepare=register_handlers)
            yield pins
        finally:
            if pins.exists():
                remove_pins(pins)


@contextlib.contextmanager
def _leaving_on_signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    old = [signal.signal(number, leave) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, old, strict=True):
            signal.signal(number, handler)


def measure_cost(seconds: float, pins: Path = PINS) -> Cost:
    """
    Measure the cost of a running recorder.

    :raises NotFound: if it is not running
    :raises LkstError: if permission or statistics are missing, or the recorder was stopped
    """
    with Recorder(pins) as recorder, run_time_statistics():
        programs = linked_programs(pins / "links")
        before, cpus_before, begun = _statistics(programs), recorder.cpus(), time.monotonic()
        time.sleep(seconds)
        after, cpus, elapsed = _statistics(programs), recorder.cpus(), time.monotonic() - begun
        control = recorder.read_control()
        if not recorder.runs():
            raise LkstError("the recorder was stopped or replaced during the measurement")
    # Programs that were detached meanwhile are left out.
    runs = {
        name: Run(*((new - old) / elapsed for old, new in zip(before[name], now, strict=True)))
        for name, now in after.items()
    }
    with Object(object_path()) as bpf:
        known = list(sections(bpf))
    header = recorder.header
    records = {
        event.name: (_count(cpus, event, header.cpu_size) - old) / elapsed
        for event in recorder.catalogue.events.values()
        for old in (_count(cpus_before, event, header.cpu_size),)
    }
    costs = costs_of(recorder.catalogue, known, runs, records)
    slots = [slots / elapsed for slots in _slots(cpus_before, cpus, header.cpu_size)]
    nr_slots = control.buffer[control.current_buffer % layout.MAX_BUFFERS].nr_slots
    return Cost(
        maskset=active_maskset(control),
        seconds=elapsed,
        events=costs,
        silent=_silent(control, recorder.catalogue, {cost.name for cost in costs}),
        share=sum(run.time for run in runs.values()) / 1e9 / (os.cpu_count() or 1),
        ring_bytes=sum(slots) * layout.SLOT_SIZE,
        ring_size=nr_slots * layout.SLOT_SIZE,
        shortest=_lasts(nr_slots, max(slots, default=0.0)),
        mean=_lasts(nr_slots, sum(slots) / max(sum(rate > 0 for rate in slots), 1)),
    )


def costs_of(
    catalogue: Catalogue,
    known: Iterable[str],
    runs: Mapping[str, Run],
    records: Mapping[str, float],
) -> list[EventCost]:
    """
    Return programs' run times by event, the most expensive first.

    A program of several events is counted once: at the event of the same name, or else at the
    first.

    :param known: names of all programs
    :param runs: statistics by program
    :param records: per second, by event
    """
    known = list(known)
    events = catalogue.events.values()
    by = {event.name: event.hook.partition("/")[0] for event in events if event.is_probe}
    feeding = {
        event.name: [name for name in programs_of(event, known) if name in runs]
        for event in catalogue.events.values()
    }
    at: dict[str, str] = {}
    for event, programs in feeding.items():
        for name in programs:
            at[name] = event if name == event else at.get(name, event)
    costs = [
        EventCost(
            event,
            sum((runs[name] for name in programs if at[name] == event), Run()),
            records.get(event, 0.0),
            next((at[name] for name in programs if at[name] != event), ""),
            by.get(event, ""),
        )
        for event, programs in feeding.items()
    ]
    costs += [EventCost(name, run, 0.0) for name, run in runs.items() if name not in at]
    happened = [cost for cost in costs if cost.run.calls or cost.records]
    return sorted(happened, key=lambda cost: (-cost.run.time, -cost.records, cost.name))


def _statistics(programs: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
    found = {}
    for name, prog_id in programs.items():
        with contextlib.suppress(BPFError):
            found[name] = run_statistics(prog_id)
    return found


def _count(cpus: bytes, event: Event, cpu_size: int) -> int:
    offsets = range(layout.COUNT_OFFSET + 8 * event.id, len(cpus), cpu_size)
    return sum(struct.unpack_from("<Q", cpus, offset)[0] for offset in offsets)


def _slots(before: bytes, after: bytes, cpu_size: int) -> list[int]:
    """Return the number of slots that each CPU claimed, in all buffers."""
    slots = [0] * (len(after) // cpu_size)
    for buffer in range(layout.MAX_BUFFERS):
        old, new = (layout.places(cpus, cpu_size, buffer) for cpus in (before, after))
        for cpu, (was, now) in enumerate(zip(old, new, strict=True)):
            # A ring that was created meanwhile started at 0.
            slots[cpu] += now.head - was.head if now.head >= was.head else now.head
    return slots


def _lasts(nr_slots: int, rate: float) -> float:
    return nr_slots / rate if rate else float("inf")


def _silent(control: Control, catalogue: Catalogue, happened: set[str]) -> int:
    row = control.handler[control.active_maskset % layout.MAX_MASKSETS]
    return sum(
        bool(row[event.id])
        and event_state(control, event.id) == "attached"
        and event.name not in happened
        for event in catalogue.events.values()
    )
