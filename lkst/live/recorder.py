# SPDX-License-Identifier: GPL-2.0-or-later
"""
The recorder that runs
----------------------

Where it is pinned, and what is read and changed through its pins.

``/sys/fs/bpf/lkst`` holds

- the maps, each under its name without ``lkst_``; ``catalogue`` and ``control``,
- ``rings/``, the map of each buffer, by its number,
- ``run/``, the programs that the control side runs itself,
- ``links/``, one link for each program that is attached.

Unlinking all of it is what stops a recorder.
"""

import contextlib
import ctypes
import dataclasses
import mmap
from pathlib import Path
import shutil
import struct
from types import TracebackType
from typing import NamedTuple

from lkst.abi import layout
from lkst.abi.control import Control, prog_ids, read_control
from lkst.bpf.libbpf import BPFError, pinned
from lkst.bpf.maps import map_id, map_pinned
from lkst.bpf.programs import programs_named, recursion_misses
from lkst.decode.catalogue import Catalogue, Event, Header, parse_catalogue, parse_event
from lkst.errors import Damaged, LkstError, NotFound

__all__ = ("PINS", "BufferMap", "Recorder", "no_recorder", "remove_pins")

PINS = Path("/sys/fs/bpf/lkst")

_MAPPED = ("catalogue", "control", "cpus", "counts")


def no_recorder() -> NotFound:
    """Return an error that says that none runs here, or where one may be."""
    with contextlib.suppress(BPFError):
        if programs_named("lkst_start"):
            return NotFound(
                f"no recorder is pinned at {PINS}, but one runs: it is being started, or pinned in"
                " a BPF file system that is not visible here (of another mount namespace, or below"
                " another mount)"
            )
    return NotFound("no recorder is running on this machine: start one with 'lkst start'")


class BufferMap(NamedTuple):
    """A buffer of the recorder that runs on this machine."""

    number: int
    name: str
    #: In one ring.
    nr_slots: int
    map: mmap.mmap

    def rings(self) -> bytes:
        """Copy all rings."""
        return self.map[:]


class Recorder:
    """The recorder that runs on this machine, through its pinned maps."""

    def __init__(self, pins: Path = PINS, *, writable: bool = False) -> None:
        """
        Open it.

        :param writable: whether the caller will control the recorder
        :raises NotFound: if none runs
        :raises LkstError: if it must not be opened
        """
        self.pins = pins
        try:
            if not pins.is_dir():
                raise no_recorder()
            self._maps = {name: map_pinned(pins / name, writable=writable) for name in _MAPPED}
        except PermissionError:
            raise LkstError("only root may read the recorder of this machine") from None
        except OSError as error:
            raise Damaged(f"the recorder is incomplete: {error}") from None
        self.catalogue: Catalogue
        #: Removed probes that may still have records.
        self.removed: dict[int, Event] = {}
        self._take(parse_catalogue(self._maps["catalogue"][:]))
        self.header: Header = self.catalogue.header
        with pinned(pins / "control") as fd:
            self._id = map_id(fd)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        for map_ in self._maps.values():
            # A map that is still referenced is unmapped with its last reference.
            with contextlib.suppress(BufferError):
                map_.close()

    def _take(self, whole: Catalogue) -> None:
        self.removed = {id_: event for id_, event in whole.events.items() if event.until}
        events = {id_: event for id_, event in whole.events.items() if not event.until}
        self.catalogue = dataclasses.replace(whole, events=events)

    def write_entry(self, event_id: int, entry: bytes) -> None:
        """
        Write a probe's entry; a concurrent reader sees the old entry, none, or the new one.

        :param entry: struct lkst_event
        """
        start, magic = self._entry(event_id), len(layout.EVENT_MAGIC)
        catalogue = self._maps["catalogue"]
        struct.pack_into("<Q", catalogue, start, 0)
        catalogue[start + magic : start + len(entry)] = entry[magic:]
        # One store each.
        struct.pack_into("<Q", catalogue, start, int.from_bytes(entry[:magic], "little"))
        self._read_entry(event_id)

    def end_entry(self, event_id: int, until: int) -> None:
        """
        Record when a probe was removed; its records stay readable.

        :param until: CLOCK_MONOTONIC, in ns
        """
        place = self._entry(event_id) + layout.EVENT_REST_OFFSET + 8
        struct.pack_into("<Q", self._maps["catalogue"], place, until)
        self._read_entry(event_id)

    def _read_entry(self, event_id: int) -> None:
        start = self._entry(event_id)
        raw = self._maps["catalogue"][: self.header.size]
        event = parse_event(raw[start : start + self.header.event_size], self.header)
        events = self.catalogue.events | self.removed | {event_id: event}
        self._take(dataclasses.replace(self.catalogue, events=events, raw=raw))

    def _entry(self, event_id: int) -> int:
        header = self.header
        if not header.nr_events < event_id <= header.nr_entries:
            raise ValueError(f"event {event_id} is not a probe")
        place: int = header.header_size + (event_id - 1) * header.event_size
        return place

    def catalogue_now(self) -> bytes:
        """Copy the current catalogue, which may have new probes."""
        return self._maps["catalogue"][: self.header.size]

    def flows(self, event_id: int) -> list[layout.Flow]:
        """Return each CPU's rate-limit state of a probe."""
        cpus = self._maps["cpus"]
        return [
            layout.Flow(*layout.FLOW.unpack_from(cpus, place))
            for place in self._flow_places(event_id)
        ]

    def clear_counts(self, event_id: int) -> None:
        """Clear the counts of a probe that is not attached."""
        cpus = self._maps["cpus"]
        for cpu, place in enumerate(self._flow_places(event_id)):
            layout.FLOW.pack_into(cpus, place, 0, 0, 0, 0)
            count = cpu * self.header.cpu_size + layout.COUNT_OFFSET + 8 * event_id
            struct.pack_into("<Q", cpus, count, 0)

    def _flow_places(self, event_id: int) -> list[int]:
        offset = layout.FLOW_OFFSET + layout.FLOW.size * (event_id - self.header.nr_events - 1)
        return [cpu * self.header.cpu_size + offset for cpu in range(self.header.nr_cpus)]

    def record_counts(self) -> list[int]:
        """Return the number of records ever claimed on all CPUs, by event."""
        counts = [0] * self.header.max_events
        for cpu in range(self.header.nr_cpus):
            place = cpu * self.header.cpu_size + layout.COUNT_OFFSET
            own = struct.unpack_from(f"<{len(counts)}Q", self._maps["cpus"], place)
            counts = [old + new for old, new in zip(counts, own, strict=True)]
        return counts

    def mappings(self) -> dict[str, mmap.mmap]:
        """Return the maps that are not rings, by name, to look up their pages."""
        return dict(self._maps)

    def buffers(self) -> list[BufferMap]:
        """Map all buffers."""
        found = []
        for number, buffer in enumerate(self.read_control().buffer):
            if layout.BUFFER_STATES[buffer.state] == "free":
                continue
            name = buffer.name.decode()
            try:
                map_ = map_pinned(self.pins / "rings" / str(number))
            except OSError as error:
                raise Damaged(f"the buffer {name!r} is missing: {error}") from None
            size = buffer.nr_slots * layout.SLOT_SIZE * self.header.nr_cpus
            if len(map_) < size:
                raise Damaged(f"the buffer {name!r} is smaller than expected")
            found.append(BufferMap(number, name, buffer.nr_slots, map_))
        return found

    @property
    def live(self) -> Control:
        """
        The control data that the programs read, writable, in the kernel's memory.

        :raises LkstError: if another version started the recorder, and it has less of it
        """
        memory = self._maps["control"]
        if min(self.header.control_size, len(memory)) < ctypes.sizeof(Control):
            raise LkstError(
                f"the recorder was started by lkst {self.header.version} with ABI"
                f" {'.'.join(map(str, self.header.abi))} and cannot be controlled by this version:"
                " 'lkst start' replaces it"
            )
        return Control.from_buffer(memory)

    def read_control(self) -> Control:
        """
        Copy what the programs read.

        :raises Damaged: if it is not that
        """
        control = read_control(self.control())
        if control is None:
            raise Damaged("the recorder's control data is damaged")
        return control

    def places(self, buffer: int) -> list[layout.Place]:
        """Read where each CPU is in a buffer."""
        return layout.places(self.cpus(), self.header.cpu_size, buffer)

    def set_place(self, buffer: int, cpu: int, *, head: int | None = None, limit: int) -> None:
        """
        Set a CPU's limit and, for an unused buffer, its head.

        :param limit: number of slots ever claimed at which it freezes; ``layout.NO_LIMIT``: never
        """
        start = cpu * self.header.cpu_size + layout.PLACE_OFFSET + buffer * layout.PLACE_SIZE
        cpus = self._maps["cpus"]
        if head is not None:
            struct.pack_into("<Q", cpus, start, head)
        struct.pack_into("<Q", cpus, start + 8, limit)

    def runs(self) -> bool:
        """Whether it is still the one that is pinned."""
        try:
            with pinned(self.pins / "control") as fd:
                return map_id(fd) == self._id
        except OSError:
            return False

    def name_cpus(self) -> None:
        """Write what each CPU's memory can be recognised by."""
        for cpu in range(self.header.nr_cpus):
            layout.CPU.pack_into(
                self._maps["cpus"],
                cpu * self.header.cpu_size,
                layout.CPU_MAGIC,
                self.header.tag,
                cpu,
                0,
            )
            layout.COUNTS.pack_into(
                self._maps["counts"],
                cpu * self.header.counts_size,
                layout.COUNTS_MAGIC,
                self.header.tag,
                cpu,
            )

    def clear_hist(self, index: int) -> None:
        """Forget what a histogram has counted."""
        counts = self._maps["counts"]
        for cpu in range(self.header.nr_cpus):
            start = cpu * self.header.counts_size
            struct.pack_into("<Q", counts, start + layout.SUM_OFFSET + 8 * index, 0)
            size = 8 * layout.BUCKETS
            place = start + layout.BUCKET_OFFSET + size * index
            counts[place : place + size] = bytes(size)

    def cpus(self) -> bytes:
        """Copy struct lkst_cpu of all CPUs."""
        return self._maps["cpus"][: self.header.cpu_size * self.header.nr_cpus]

    def counts(self) -> bytes:
        """Copy struct lkst_counts of all CPUs."""
        return self._maps["counts"][: self.header.counts_size * self.header.nr_cpus]

    def control(self) -> bytes:
        """Copy struct lkst_control."""
        return self._maps["control"][: self.header.control_size]

    def misses(self) -> dict[int, int]:
        """Count, by event, how often its program was skipped because it was running."""
        programs = prog_ids(self.read_control())
        return {event: recursion_misses(prog) for event, prog in programs.items()}


def remove_pins(pins: Path) -> None:
    """Unpin a recorder: the links first, so that nothing is written any more."""
    shutil.rmtree(pins / "links", ignore_errors=True)
    shutil.rmtree(pins)
