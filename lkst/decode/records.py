# SPDX-License-Identifier: GPL-2.0-or-later
"""
Records
-------

The records of all rings of all buffers, merged by time.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.catalogue import Catalogue, Header, is_ring_size
from lkst.decode.image import BufferImage, Image
from lkst.decode.merge import RingColumns, merge
from lkst.decode.predicate import Predicate
from lkst.decode.ring import IN_FLIGHT, TORN, CPULoss, Ring
from lkst.decode.scan import BLOCK, KNOWN
from lkst.decode.threads import in_threads

__all__ = (
    "BufferLoss",
    "Found",
    "Records",
    "Rings",
    "find_records",
    "find_rings",
    "first_words",
)

#: A buffer whose rings lack more bytes than this has a damaged description.
_MAX_MISSING = 1 << 30

#: Smallest number of slots for which each ring gets a thread.
_LARGE = 1 << 16

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]
Rows = NDArray[np.bool_] | I64 | slice


@dataclass(frozen=True)
class Rings:
    """Where the rings lie among the slots, one after the other."""

    #: First slot of each ring.
    start: I64
    #: Number of slots of each ring.
    size: I64
    #: Index of each ring's buffer in the image.
    buffer: I64

    def find(self, slots: I64) -> tuple[I64, I64]:
        """Return the start and the size of the rings that contain some slots."""
        which = self.which(slots)
        return self.start[which], self.size[which]

    def which(self, slots: I64) -> I64:
        """Return the ring of each slot."""
        return np.searchsorted(self.start, slots, side="right") - 1


@dataclass(frozen=True)
class BufferLoss:
    """The remaining records and the losses of one buffer, by CPU."""

    number: int
    #: Whether a CPU's ring is frozen.
    frozen: bool
    cpus: list[CPULoss]


@dataclass(frozen=True)
class Records:
    """The records of all rings, in the order of time."""

    #: (slots, 8) words.
    slots: U64
    #: Each record's first slot, and that slot's second and third words.
    first: I64
    what: U64
    ts: U64
    flags: U8
    rings: Rings
    #: By CPU, over all buffers.
    losses: list[CPULoss]
    #: By buffer, in the order of their numbers.
    buffers: list[BufferLoss]
    faults: list[str]

    def select(self, rows: Rows) -> "Records":
        """Return some of the records."""
        if isinstance(rows, np.ndarray) and rows.dtype == bool:
            rows = np.flatnonzero(rows)
        return replace(
            self,
            first=self.first[rows],
            what=self.what[rows],
            ts=self.ts[rows],
            flags=self.flags[rows],
        )

    def matching(self, predicate: Predicate) -> NDArray[np.bool_]:
        """Return which of the records match a predicate."""

        def matching(start: int) -> NDArray[np.bool_]:
            own = slice(start, start + BLOCK)
            first = self.first[own]
            return predicate(lambda rows: self.slots.take(first.take(rows), axis=0), self.what[own])

        blocks = in_threads(matching, range(0, len(self.first), BLOCK))
        return np.concatenate([np.zeros(0, bool), *blocks])

    def parts(self) -> Iterator[I64]:
        """Yield the slots of all records: their first slots, their second slots, ..."""
        first = self.first
        nr = (self.what >> np.uint64(layout.NR_SHIFT)).astype(np.int64) & layout.NR_MASK
        start, size = self.rings.find(first)
        part = 0
        while len(first):
            yield start + (first - start + part) % size
            part += 1
            left = nr > part
            first, nr, start, size = first[left], nr[left], start[left], size[left]


@dataclass(frozen=True)
class Found:
    """The rings of all buffers, and a summary of all their records."""

    #: (slots, 8) words.
    slots: U64
    rings: Rings
    each: list[Ring]
    losses: list[CPULoss]
    buffers: list[BufferLoss]
    faults: list[str]
    #: Whether no record can occur twice, as it can in a log.
    distinct: bool

    def records(self, columns: Sequence[RingColumns]) -> Records:
        """
        Merge records of the rings.

        :param columns: of each ring, in the order of time
        """
        starts = self.rings.start.tolist()
        for start, own in zip(starts, columns, strict=True):
            own.first[:] += start
        # Records of one CPU with equal time stamps keep their order.
        merged = merge(columns)
        return Records(
            slots=self.slots,
            first=merged.first,
            what=merged.what,
            ts=merged.ts,
            flags=merged.flags,
            rings=self.rings,
            losses=self.losses,
            buffers=self.buffers,
            faults=self.faults,
        )


def find_records(image: Image, catalogue: Catalogue) -> Records:
    """Find the records of all CPUs in all buffers and put them in the order of time."""
    found = find_rings(image, catalogue)
    records = _of_own_probes(found.records([ring.records for ring in found.each]), catalogue)
    return records if found.distinct else _once(records)


def find_rings(
    image: Image, catalogue: Catalogue, kinds: U8 | None = None, *, keep: bool = True
) -> Found:
    """
    Find the rings of all CPUs in all buffers.

    :param kinds: flags of each event, by id: see :mod:`lkst.decode.scan`
    :param keep: whether to keep the records, or only a summary
    """
    header = catalogue.header
    if kinds is None:
        kinds = np.zeros(1 << 16, np.uint8)
        kinds[list(catalogue.events)] = KNOWN
    faults = list(catalogue.faults)
    told = len({buffer.number for buffer in image.buffers}) > 1

    arrays: list[U64] = []
    rings: list[Ring] = []
    where: list[tuple[int, int, int]] = []
    total = 0
    for index, buffer in enumerate(image.buffers):
        fault = _fault(buffer, header.nr_cpus)
        if fault:
            faults.append(f"buffer {buffer.name}: {fault}")
            continue
        if buffer.state == "spare" and not any(place.head for place in buffer.places):
            continue
        size = buffer.nr_slots
        slots, readable = _slots(buffer, header.nr_cpus)
        found = _find_rings(buffer, header, slots, readable, kinds, image.partial, keep=keep)
        for cpu, ring in enumerate(found):
            where.append((total + cpu * size, size, index))
            rings.append(ring)
            if ring.loss.head_guessed and ring.count and buffer.places:
                faults.append(
                    f"CPU {cpu}: the ring's head is damaged; it was derived from the slots"
                    + (f" (buffer {buffer.name})" if told else "")
                )
        arrays.append(slots)
        total += len(slots)

    buffers = _sum_buffers(rings, header.nr_cpus)
    return Found(
        slots=_joined(arrays),
        rings=Rings(*np.array(where, np.int64).reshape(-1, 3).T),
        each=rings,
        losses=[_sum([b.cpus[cpu] for b in buffers], cpu) for cpu in range(header.nr_cpus)],
        buffers=buffers,
        faults=faults,
        distinct=len(buffers) * header.nr_cpus == len(rings),
    )


def _find_rings(
    buffer: BufferImage,
    header: Header,
    slots: U64,
    readable: NDArray[np.bool_],
    kinds: U8,
    partial: bool,
    *,
    keep: bool,
) -> list[Ring]:
    """Find the rings of all CPUs in a buffer."""

    def find(cpu: int) -> Ring:
        own = slice(cpu * buffer.nr_slots, (cpu + 1) * buffer.nr_slots)
        return Ring(
            buffer,
            cpu,
            slots[own],
            readable[own],
            tag=header.tag,
            kinds=kinds,
            partial=partial,
            keep=keep,
        )

    cpus = range(header.nr_cpus)
    return in_threads(find, cpus) if buffer.nr_slots >= _LARGE else [find(cpu) for cpu in cpus]


def _of_own_probes(records: Records, catalogue: Catalogue) -> Records:
    """Drop records of removed probes whose ids newer probes reuse."""
    since = np.zeros(1 << 16, np.uint64)
    for event in catalogue.events.values():
        since[event.id] = event.since
    if not since.any():
        return records
    own = records.ts >= since[records.what & np.uint64(0xFFFF)]
    if own.all():
        return records
    records.faults.append(
        f"{int((~own).sum())} records were left out: their probes were removed, and newer probes"
        " use the same ids"
    )
    return records.select(own)


def _fault(buffer: BufferImage, nr_cpus: int) -> str | None:
    """Return the fault in a buffer's description, if there is one."""
    size = buffer.nr_slots
    if not 0 <= buffer.number < layout.MAX_BUFFERS:
        return f"invalid number {buffer.number}"
    if not is_ring_size(size):
        return f"invalid ring size: {size} slots"
    if size * nr_cpus * layout.SLOT_SIZE - len(buffer.rings) > _MAX_MISSING:
        spare = buffer.state == "spare" and not buffer.rings
        return None if spare else "its rings are smaller than its description says"
    return None


def _slots(buffer: BufferImage, nr_cpus: int) -> tuple[U64, NDArray[np.bool_]]:
    """Return the slots of a buffer, and which of them could be read."""
    size = buffer.nr_slots * nr_cpus * layout.SLOT_SIZE
    data = buffer.rings
    unreadable = buffer.unreadable
    if len(data) < size:
        unreadable = [*unreadable, (len(data), size - len(data))]
        data = bytes(data) + bytes(size - len(data))
    slots = np.frombuffer(data, "<u8", size // 8).reshape(-1, layout.SLOT_SIZE // 8)
    readable = np.ones(len(slots), bool)
    for start, length in unreadable:
        low = max(start, 0) // layout.SLOT_SIZE
        readable[low : max(-(-(start + length) // layout.SLOT_SIZE), 0)] = False
    return slots, readable


def _joined(arrays: list[U64]) -> U64:
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate([np.zeros((0, layout.SLOT_SIZE // 8), np.uint64), *arrays])


def _sum_buffers(rings: list[Ring], nr_cpus: int) -> list[BufferLoss]:
    """Group the rings by buffer, and sum up each buffer's segments."""
    by_number: dict[int, list[Ring]] = defaultdict(list)
    for ring in rings:
        by_number[ring.buffer.number].append(ring)
    buffers = []
    for number, own in sorted(by_number.items()):
        newest = own[-nr_cpus:]
        cpus = [_sum_segments([ring for ring in own if ring.cpu == cpu]) for cpu in range(nr_cpus)]
        buffers.append(BufferLoss(number, any(ring.frozen for ring in newest), cpus))
    return buffers


def _sum_segments(segments: Sequence[Ring]) -> CPULoss:
    """Sum up the segments of one ring; most often there is one, which is all of it."""
    if len(segments) == 1:
        return segments[0].loss
    loss = _sum([ring.loss for ring in segments], segments[0].cpu)
    spans = sorted((ring.begin, ring.high) for ring in segments if ring.begin < ring.high)
    unsaved = 0
    end = spans[0][0] if spans else 0
    begin = end
    for low, high in spans:
        unsaved += max(0, low - end)
        end = max(end, high)
    return replace(
        loss,
        claimed=max(ring.loss.claimed for ring in segments),
        overwritten=begin,
        unsaved=unsaved,
    )


def _sum(losses: Sequence[CPULoss], cpu: int) -> CPULoss:
    return CPULoss(
        cpu=cpu,
        claimed=sum(loss.claimed for loss in losses),
        overwritten=sum(loss.overwritten for loss in losses),
        in_flight=sum(loss.in_flight for loss in losses),
        torn=sum(loss.torn for loss in losses),
        unreadable=sum(loss.unreadable for loss in losses),
        unsaved=sum(loss.unsaved for loss in losses),
        head_guessed=any(loss.head_guessed for loss in losses),
    )


def first_words(records: Records) -> U64:
    """Return each record's first word as it is after the commit: tag, buffer, number."""
    words: U64 = records.slots[records.first, 0]
    flying = records.flags & IN_FLIGHT != 0
    if flying.any():
        words[flying] ^= ~np.uint64(layout.SEQ_MASK)
    return words


def _once(records: Records) -> Records:
    """Drop duplicates in a log; of two copies keep the one that is whole."""
    bad = records.flags & (TORN | IN_FLIGHT)
    cpu = records.what >> np.uint64(layout.CPU_SHIFT) & np.uint64(0xFFFF)
    # Compare the time too: a buffer can reuse the number of a deleted one.
    keys = records.ts, cpu, first_words(records)
    order = np.lexsort((bad, *keys))
    same = np.zeros(len(order), bool)
    same[1:] = np.logical_and.reduce([np.diff(key[order]) == 0 for key in keys])
    keep = np.ones(len(order), bool)
    keep[order[same]] = False
    return records.select(keep)
