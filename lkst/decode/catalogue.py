# SPDX-License-Identifier: GPL-2.0-or-later
"""
Catalogue
---------

Parse the recorder's header and its table of events (``recorder/layout.h``) from the
bytes of their map.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
import uuid

from lkst.abi import layout
from lkst.errors import Damaged

__all__ = (
    "COMM_SIZE",
    "ENUM_TYPES",
    "PROBE",
    "Catalogue",
    "Event",
    "Field",
    "Header",
    "is_ring_size",
    "parse_catalogue",
    "parse_event",
    "parse_header",
)

#: Category of the events that users add.
PROBE = "probe"

#: Field types whose description also names an enum of the kernel.
ENUM_TYPES = ("enum", "flags")

#: TASK_COMM_LEN of include/linux/sched.h, in bytes.
COMM_SIZE = 16

# A header with larger values is damaged.
_MAX_EVENTS = 65536
_MAX_CPUS = 65536
_MAX_SLOTS = 1 << 31
_MAX_ENTRY = 65536
_MAX_MAP = 1 << 24


@dataclass(frozen=True)
class Field:
    """A field of an event."""

    name: str
    #: Display type: ``recorder/types.h``.
    type: str
    #: Unit of a number; for a comm, the field with the pid that it names.
    unit: str
    #: Offset in the payload, in bytes.
    offset: int
    #: Size in bytes.
    size: int

    @property
    def is_number(self) -> bool:
        """Whether its bytes are a number; of a text, its length."""
        return self.size in (1, 2, 4, 8) and self.type not in ("comm", "name")


@dataclass(frozen=True)
class Event:
    """A kind of thing that happens in the kernel."""

    id: int
    name: str
    category: str
    #: What LKST of 2001-2005 called it, or "".
    old_name: str
    #: Tracepoint that feeds it, or "".
    hook: str
    description: str
    #: Whether it is in the maskset "default".
    by_default: bool
    fields: tuple[Field, ...]
    #: Of a probe: CLOCK_MONOTONIC in ns when its place became its, and when it was removed; 0:
    #: not yet.
    since: int = 0
    until: int = 0
    #: Of a probe: whether it is recorded with the stack if nobody says otherwise.
    with_stack: bool = False

    @property
    def is_probe(self) -> bool:
        """Whether a user has added it."""
        return self.category == PROBE

    @property
    def pids(self) -> tuple[Field, ...]:
        """Fields that hold a task's pid."""
        return tuple(field for field in self.fields if field.type == "pid" and field.is_number)

    @property
    def names(self) -> tuple[tuple[Field, Field | None], ...]:
        """Fields that hold a task's name, with the field of its pid; None: the current task."""
        comms = [f for f in self.fields if f.type == "comm" and f.size == COMM_SIZE]
        named = [(comm, self.field(comm.unit)) for comm in comms]
        return tuple((comm, pid if pid and pid.is_number else None) for comm, pid in named)

    def field(self, name: str) -> Field | None:
        """Find a field by its name."""
        return next((f for f in self.fields if f.name == name), None)


@dataclass(frozen=True)
class Header:
    """The recorder's description of itself."""

    abi: tuple[int, int]
    header_size: int
    event_size: int
    field_size: int
    #: Events of the software; entries for probes follow them.
    nr_events: int
    #: Number of rings: one for each possible CPU.
    nr_cpus: int
    #: Slots in a ring of the first buffer, a power of two.
    nr_slots: int
    #: struct lkst_cpu, in bytes.
    cpu_size: int
    #: Upper 16 bits of a committed slot's first word; the buffer's number goes into the low bits.
    tag: int
    #: Time at which the recorder was loaded: ns, CLOCK_MONOTONIC.
    start: int
    #: CLOCK_REALTIME - CLOCK_MONOTONIC at *start*, in ns.
    real_offset: int
    boot_id: str
    #: Kernel release.
    release: str
    #: Host name.
    machine: str
    #: Version of lkst that loaded the recorder.
    version: str
    control_size: int
    max_events: int
    max_masksets: int
    #: struct lkst_counts, in bytes.
    counts_size: int
    #: Entries reserved for probes.
    nr_probes: int = 0

    @property
    def ring_size(self) -> int:
        """Size of one ring of the first buffer, in bytes."""
        return self.nr_slots * layout.SLOT_SIZE

    @property
    def rings_size(self) -> int:
        """Size of all rings of the first buffer, in bytes."""
        return self.ring_size * self.nr_cpus

    @property
    def size(self) -> int:
        """Size of the whole catalogue, in bytes."""
        return self.header_size + self.nr_entries * self.event_size

    @property
    def nr_entries(self) -> int:
        """Entries of the catalogue, free places for probes among them."""
        return self.nr_events + self.nr_probes


@dataclass(frozen=True)
class Catalogue:
    """All events of one recorder."""

    header: Header
    events: dict[int, Event]
    #: Faults of entries that were left out.
    faults: list[str] = field(default_factory=list)
    #: The bytes that were parsed.
    raw: bytes = field(default=b"", repr=False)


def parse_header(data: bytes) -> Header:
    """
    Read struct lkst_header.

    :param data: the catalogue, or as much of it as there is
    :raises Damaged: if it is not a header, has an unknown ABI, or contradicts itself
    """
    if len(data) < layout.HEADER.size or data[:16] != layout.MAGIC:
        raise Damaged("not a recorder's header: the magic is missing")
    raw: dict[str, Any] = dict(
        zip(layout.HEADER_NAMES, layout.HEADER.unpack_from(data), strict=True)
    )
    abi = raw.pop("abi_major"), raw.pop("abi_minor")
    if abi[0] != layout.ABI_MAJOR:
        raise Damaged(
            f"the recorder has ABI version {abi[0]}.{abi[1]}; this lkst reads version"
            f" {layout.ABI_MAJOR}.x"
        )
    del raw["magic"]
    slot_size = raw.pop("slot_size")
    raw["boot_id"] = str(uuid.UUID(bytes=raw["boot_id"]))
    for name in ("release", "machine", "version"):
        raw[name] = _text(raw[name])
    header = Header(abi=abi, **raw)
    _check_header(header, slot_size)
    return header


def _check_header(header: Header, slot_size: int) -> None:
    checks = {
        "slot_size": slot_size == layout.SLOT_SIZE,
        "header_size": layout.HEADER.size <= header.header_size <= _MAX_ENTRY,
        "event_size": layout.EVENT.size <= header.event_size <= _MAX_ENTRY,
        "field_size": layout.FIELD.size <= header.field_size <= _MAX_ENTRY,
        "nr_events": 0 < header.nr_events <= min(header.max_events, _MAX_EVENTS),
        "nr_probes": header.nr_entries <= min(header.max_events, _MAX_EVENTS),
        "nr_cpus": 0 < header.nr_cpus <= _MAX_CPUS,
        "nr_slots": is_ring_size(header.nr_slots),
        "max_events": header.max_events <= _MAX_EVENTS,
        "max_masksets": 0 < header.max_masksets <= _MAX_EVENTS,
        "cpu_size": layout.COUNT_OFFSET + 8 * header.max_events
        <= header.cpu_size
        <= 16 * _MAX_EVENTS,
        "tag": 0 < header.tag < 1 << (64 - layout.SEQ_BITS)
        and header.tag % layout.MAX_BUFFERS == 0,
        "control_size": header.control_size <= _MAX_MAP,
        "counts_size": header.counts_size <= _MAX_MAP,
    }
    for name, good in checks.items():
        if not good:
            raise Damaged(f"the recorder's header is damaged: invalid {name}")


def is_ring_size(nr_slots: int) -> bool:
    """Return whether a ring can have *nr_slots* slots: a power of two."""
    return 0 < nr_slots <= _MAX_SLOTS and nr_slots & (nr_slots - 1) == 0


def parse_catalogue(data: bytes) -> Catalogue:
    """
    Read the whole catalogue; entries that are damaged are left out and reported.

    :param data: the bytes of the map ``.data.catalogue``
    :raises Damaged: if the header is not usable
    """
    header = parse_header(data)
    events: dict[int, Event] = {}
    faults = []
    for index in range(header.nr_entries):
        start = header.header_size + index * header.event_size
        entry = data[start : start + header.event_size]
        if index >= header.nr_events and not any(entry[: len(layout.EVENT_MAGIC)]):
            continue
        try:
            event = parse_event(entry, header)
        except ValueError as error:
            faults.append(f"catalogue entry {index}: {error}")
            continue
        if event.id in events:
            faults.append(f"catalogue entry {index}: id {event.id} occurs twice")
            continue
        events[event.id] = event
    return Catalogue(header, events, faults, data[: header.size])


def parse_event(entry: bytes, header: Header) -> Event:
    """
    Read struct lkst_event.

    :raises ValueError: if it is not valid
    """
    if len(entry) < header.event_size:
        raise ValueError("truncated")
    magic, _, id_, by_default, *texts = layout.EVENT.unpack_from(entry)
    if magic != layout.EVENT_MAGIC:
        raise ValueError("the magic is missing")
    if not 0 < id_ < header.max_events:
        raise ValueError(f"id {id_} is out of range")
    name, category, old_name, hook, description = map(_text, texts)
    if not name.isidentifier():
        raise ValueError("invalid name")
    fields = _parse_fields(entry[layout.EVENT.size :], header.field_size)
    since, until, enums = 0, 0, list[str]()
    if category == PROBE and len(entry) >= layout.EVENT_REST_OFFSET + layout.EVENT_REST.size:
        since, until, raw = layout.EVENT_REST.unpack_from(entry, layout.EVENT_REST_OFFSET)
        enums = _text(raw).split()
    return Event(
        id=id_,
        name=name,
        category=category,
        old_name=old_name,
        hook=hook,
        description=description,
        by_default=bool(by_default),
        with_stack=by_default == layout.DEFAULT_STACK,
        fields=tuple(_with_enums(fields, enums)),
        since=since,
        until=until,
    )


def _with_enums(fields: tuple[Field, ...], enums: list[str]) -> Iterator[Field]:
    """Append the enum's name to the type of each enum field: ``enum:zone_type``."""
    names = iter(enums)
    for one in fields:
        of_enum = one.type in ENUM_TYPES
        yield replace(one, type=f"{one.type}:{next(names, '')}") if of_enum else one


def _parse_fields(data: bytes, field_size: int) -> tuple[Field, ...]:
    fields = []
    offset = 0
    for index in range(layout.MAX_FIELDS):
        start = index * field_size
        if start + field_size > len(data):
            break
        *texts, size = layout.FIELD.unpack_from(data, start)
        name, type_, unit = map(_text, texts)
        if not name:
            break
        if not name.isidentifier() or offset + size > layout.PAYLOAD_SIZE or size == 0:
            raise ValueError("a field is damaged")
        fields.append(Field(name, type_, unit, offset, size))
        offset += size
    return tuple(fields)


def _text(raw: bytes) -> str:
    text = raw.split(b"\0", 1)[0].decode("ascii", "replace")
    return text if text.isprintable() else "".join(c for c in text if c.isprintable())


def event_ids(catalogue: Catalogue, name: str) -> list[int]:
    """Return the ids of the events with a name: one, or none."""
    return [event.id for event in catalogue.events.values() if event.name == name]


def naming_events(catalogue: Catalogue) -> list[int]:
    """Return the ids of the events that carry task names."""
    return [event.id for event in catalogue.events.values() if event.names]
