# SPDX-License-Identifier: GPL-2.0-or-later
"""
Cost
----

What recording costs on this machine, now: how often each event's programs run and
how long they take, by the kernel's own statistics (BPF_STATS_RUN_TIME). These
include a part of the two clock reads that they take themselves.
"""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import struct
import time

from lkst import layout
from lkst.control import name_of
from lkst.decode.catalogue import Event
from lkst.record import libbpf
from lkst.record.masktext import Maskset
from lkst.record.pins import PINS, Recorder, remove_pins
from lkst.record.programs import object_path, programs_of, sections
from lkst.record.recorder import start

__all__ = ("Cost", "EventCost", "measure_cost", "temporary_recorder")


@dataclass(frozen=True)
class EventCost:
    """One event."""

    event: Event
    #: How often its programs ran, per second.
    calls: float
    #: How long they took, in ns for each call.
    ns: float
    #: Records, per second.
    records: float
    #: Of one CPU's time.
    share: float
    #: How often a program was skipped because it was running, per second.
    suppressed: float

    @property
    def ring_bytes(self) -> float:
        """What it takes of the rings, in bytes per second; of a text its first slot only."""
        return self.records * layout.SLOT_SIZE


@dataclass(frozen=True)
class Cost:
    """A maskset."""

    maskset: str
    seconds: float
    #: Those that happened, the dearest first.
    events: list[EventCost]
    #: Of all CPUs' time.
    share: float
    #: What is written to the rings, in bytes per second, texts included.
    ring_bytes: float
    #: How long the ring of the busiest CPU lasts, in s.
    lasts: float


@contextlib.contextmanager
def temporary_recorder(maskset: Maskset, size: int) -> Iterator[Path]:
    """
    Load a second recorder; it is gone afterwards.

    :param size: of each ring, in bytes
    :raises LkstError: if it cannot be done
    """
    pins = PINS.with_name(f"{PINS.name}-{os.getpid()}")
    try:
        start(size, maskset, pins)
        yield pins
    finally:
        if pins.exists():
            remove_pins(pins)


def measure_cost(seconds: float, pins: Path = PINS) -> Cost:
    """
    Watch a recorder for a while.

    :raises NotFound: if it does not run
    :raises LkstError: if this user may not, or the kernel keeps no statistics
    """
    with Recorder(pins) as recorder, libbpf.run_time_statistics():
        programs = libbpf.linked_programs(pins / "links")
        before, cpus_before, begun = _run(programs), recorder.cpus(), time.monotonic()
        time.sleep(seconds)
        after, cpus, elapsed = _run(programs), recorder.cpus(), time.monotonic() - begun
        control = recorder.look()
    runs = {
        name: tuple((b - a) / elapsed for a, b in zip(before[name], after[name], strict=True))
        for name in programs
    }
    with libbpf.Object(object_path()) as bpf:
        known = list(sections(bpf))
    costs = []
    told: set[str] = set()
    header = recorder.header
    for event in recorder.catalogue.events.values():
        # A program that feeds several events is told of once.
        own = [name for name in programs_of(event, known) if name in runs and name not in told]
        told |= set(own)
        calls = sum(runs[name][1] for name in own)
        records = (
            _count(cpus, event, header.cpu_size) - _count(cpus_before, event, header.cpu_size)
        ) / elapsed
        if not calls and not records:
            continue
        ns = sum(runs[name][0] for name in own)
        suppressed = sum(runs[name][2] for name in own)
        costs.append(
            EventCost(event, calls, ns / calls if calls else 0.0, records, ns / 1e9, suppressed)
        )
    into = control.into % layout.MAX_BUFFERS
    rates = [
        (new.head - old.head) / elapsed
        for old, new in zip(
            layout.places(cpus_before, header.cpu_size, into),
            layout.places(cpus, header.cpu_size, into),
            strict=True,
        )
    ]
    busiest = max(rates, default=0.0)
    return Cost(
        name_of(control.maskset[control.active % layout.MAX_MASKSETS].text),
        elapsed,
        sorted(costs, key=lambda cost: cost.share, reverse=True),
        sum(cost.share for cost in costs) / max(len(os.sched_getaffinity(0)), 1),
        sum(rates) * layout.SLOT_SIZE,
        control.buffer[into].nr_slots / busiest if busiest else float("inf"),
    )


def _run(programs: dict[str, int]) -> dict[str, tuple[int, int, int]]:
    return {name: libbpf.run_statistics(prog_id) for name, prog_id in programs.items()}


def _count(cpus: bytes, event: Event, cpu_size: int) -> int:
    offsets = range(layout.COUNT_OFFSET + 8 * event.id, len(cpus), cpu_size)
    return sum(struct.unpack_from("<Q", cpus, offset)[0] for offset in offsets)
