# SPDX-License-Identifier: GPL-2.0-or-later
"""
Made-up recorders
-----------------

Writes a recorder's memory by hand, record by record, as the programs in
``recorder/`` do it, so that what is read can be compared with what was meant.
The events are those of ``recorder/events.h``, or whatever a test wants.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import functools
from pathlib import Path
import re
import struct

from lkst import layout
from lkst.decode.image import Image
from lkst.trace.build import build_trace
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace

__all__ = ("EventSpec", "FieldSpec", "Synthetic", "recorder_events")

RECORDER = Path(__file__).parents[2] / "recorder"

_SIZES = {
    "char": 1,
    "__u8": 1,
    "__u16": 2,
    "__s16": 2,
    "__u32": 4,
    "__s32": 4,
    "__u64": 8,
    "__s64": 8,
}


@dataclass(frozen=True)
class FieldSpec:
    """``FIELD(type, name, unit)``."""

    type: str
    name: str
    unit: str = ""
    #: In bytes; None: what ``recorder/types.h`` says.
    size: int | None = None

    @property
    def bytes(self) -> int:
        return _types()[self.type] if self.size is None else self.size


@dataclass(frozen=True)
class EventSpec:
    """``EVENT(name, category, old name, hook, by default, description, fields)``."""

    name: str
    category: str = "test"
    old_name: str = ""
    hook: str = ""
    by_default: int = 1
    description: str = ""
    fields: tuple[FieldSpec, ...] = ()


@functools.cache
def _types() -> dict[str, int]:
    found = re.findall(
        r"typedef (\w+) lkst_(\w+)(?:\[(\d+)\])?;", (RECORDER / "types.h").read_text()
    )
    return {name: _SIZES[base] * int(count or 1) for base, name, count in found}


@functools.cache
def recorder_events() -> tuple[EventSpec, ...]:
    """Read ``recorder/events.h``."""
    text = re.sub(r"/\*.*?\*/", "", (RECORDER / "events.h").read_text(), flags=re.DOTALL)
    events = []
    for entry in re.split(r"^EVENT\(", text, flags=re.MULTILINE)[1:]:
        head = re.match(r'(\w+),\s*(\w+),\s*"([^"]*)",\s*"([^"]*)",\s*(\d),\s*"([^"]*)"', entry)
        assert head, entry
        fields = re.findall(r'FIELD\((\w+), (\w+), "([^"]*)"\)', entry)
        name, category, old_name, hook, by_default, description = head.groups()
        events.append(
            EventSpec(
                name,
                category,
                old_name,
                hook,
                int(by_default),
                description,
                tuple(FieldSpec(*f) for f in fields),
            )
        )
    return tuple(events)


@dataclass
class Synthetic:
    """A recorder's memory in the making."""

    #: None: those of ``recorder/events.h``.
    events: Sequence[EventSpec] | None = None
    nr_cpus: int = 2
    #: Of each ring.
    nr_slots: int = 256
    tag: int = 0x4B53
    #: CLOCK_MONOTONIC and CLOCK_REALTIME - CLOCK_MONOTONIC at the start, in ns.
    start: int = 1_000_000_000
    real_offset: int = 1_700_000_000_000_000_000
    #: Index of the active maskset, and names.
    active: int = 0
    masksets: Sequence[str] = ("default", "off")
    #: By event name, of ``lkst.layout.STATES``; others are attached.
    states: dict[str, str] = field(default_factory=dict)
    heads: list[int] = field(init=False)
    rings: bytearray = field(init=False)
    counts: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        if self.events is None:
            self.events = recorder_events()
        self.rings = bytearray(self.nr_cpus * self.nr_slots * layout.SLOT_SIZE)
        self.heads = [0] * self.nr_cpus
        self.counts = [[0] * layout.MAX_EVENTS for _ in range(self.nr_cpus)]

    def id(self, name: str) -> int:
        """Give the id of an event."""
        assert self.events is not None
        return 1 + [event.name for event in self.events].index(name)

    def record(
        self,
        cpu: int,
        ts: int,
        pid: int,
        event: str,
        /,
        *,
        committed: bool = True,
        truncated: bool = False,
        **fields: int | str | bytes,
    ) -> int:
        """
        Write a record; fields that are not given are zero.

        :param ts: CLOCK_MONOTONIC, in ns
        :param committed: whether the recorder came to its end
        :param truncated: whether the text is said to have been longer
        :return: its sequence number
        """
        assert self.events is not None
        id_ = self.id(event)
        payload = _pack(self.events[id_ - 1], fields)
        room = layout.PAYLOAD_SIZE
        more = layout.SLOT_SIZE - layout.MORE_OFFSET
        parts = [payload[:room].ljust(room, b"\0")]
        parts += [payload[at : at + more] for at in range(room, len(payload), more)]
        seq = self.heads[cpu]
        self.heads[cpu] += len(parts)
        self.counts[cpu][id_] += 1
        what = (
            id_
            | cpu << layout.CPU_SHIFT
            | pid << layout.PID_SHIFT
            | len(parts) << layout.NR_SHIFT
            | truncated << layout.FLAGS_SHIFT
        )
        self.slot(cpu, seq, struct.pack("<QQ", what, ts) + parts[0], committed=committed)
        for place, part in enumerate(parts[1:], 1):
            what = cpu << layout.CPU_SHIFT | place << layout.PID_SHIFT
            self.slot(cpu, seq + place, struct.pack("<Q", what) + part, committed=committed)
        return seq

    def slot(self, cpu: int, seq: int, contents: bytes, *, committed: bool = True) -> None:
        """
        Write one slot.

        :param contents: all after its first word
        """
        tag = self.tag if committed else self.tag ^ 0xFFFF
        start = (cpu * self.nr_slots + seq % self.nr_slots) * layout.SLOT_SIZE
        self.rings[start : start + layout.SLOT_SIZE] = (
            struct.pack("<Q", seq & layout.SEQ_MASK | tag << layout.SEQ_BITS) + contents
        ).ljust(layout.SLOT_SIZE, b"\0")

    def catalogue(self) -> bytes:
        """Give the map ``.rodata.lkst``."""
        assert self.events is not None
        where = layout.control_layout(layout.MAX_EVENTS, layout.MAX_MASKSETS)
        values = {
            "magic": layout.MAGIC,
            "abi_major": layout.ABI_MAJOR,
            "abi_minor": layout.ABI_MINOR,
            "header_size": layout.ENTRY_SIZE,
            "event_size": layout.ENTRY_SIZE,
            "field_size": layout.FIELD.size,
            "nr_events": len(self.events),
            "slot_size": layout.SLOT_SIZE,
            "nr_cpus": self.nr_cpus,
            "nr_slots": self.nr_slots,
            "cpu_size": layout.CPU_SIZE,
            "tag": self.tag,
            "start": self.start,
            "real_offset": self.real_offset,
            "boot_id": bytes(range(16)),
            "release": b"6.12.1-test",
            "machine": b"testhost",
            "version": b"0.1",
            "control_size": where.size,
            "max_events": where.max_events,
            "max_masksets": where.max_masksets,
        }
        header = layout.HEADER.pack(*(values[name] for name in layout.HEADER_NAMES))
        entries = [header, *(self._entry(id_, e) for id_, e in enumerate(self.events, 1))]
        return b"".join(entry.ljust(layout.ENTRY_SIZE, b"\0") for entry in entries)

    def _entry(self, id_: int, event: EventSpec) -> bytes:
        texts = (event.name, event.category, event.old_name, event.hook, event.description)
        entry = layout.EVENT.pack(
            layout.EVENT_MAGIC, self.tag, id_, event.by_default, *(text.encode() for text in texts)
        )
        for f in event.fields:
            entry += layout.FIELD.pack(f.name.encode(), f.type.encode(), f.unit.encode(), f.bytes)
        return entry

    def image(self) -> Image:
        """Give the whole memory."""
        assert self.events is not None
        where = layout.control_layout(layout.MAX_EVENTS, layout.MAX_MASKSETS)
        control = bytearray(where.size)
        struct.pack_into("<I", control, 0, self.active)
        for index, name in enumerate(self.masksets):
            struct.pack_into("32s", control, where.maskset + 32 * index, name.encode())
        for id_, event in enumerate(self.events, 1):
            state = self.states.get(event.name, "attached")
            control[where.state + id_] = layout.STATES.index(state)
        cpus = b"".join(
            (
                layout.CPU.pack(layout.CPU_MAGIC, self.tag, cpu, head).ljust(
                    layout.COUNT_OFFSET, b"\0"
                )
                + struct.pack(f"<{layout.MAX_EVENTS}Q", *counts)
            ).ljust(layout.CPU_SIZE, b"\0")
            for cpu, (head, counts) in enumerate(zip(self.heads, self.counts, strict=True))
        )
        return Image(self.catalogue(), bytes(self.rings), cpus, bytes(control))

    def trace(self, facts: Facts | None = None) -> Trace:
        """Decode it."""
        return build_trace(self.image(), facts or Facts())


def _pack(event: EventSpec, values: dict[str, int | str | bytes]) -> bytes:
    payload = b""
    text = b""
    unknown = set(values) - {f.name for f in event.fields}
    assert not unknown, f"{event.name} has no {unknown}"
    for f in event.fields:
        value = values.get(f.name, b"" if f.type in ("comm", "name", "text") else 0)
        if isinstance(value, int):
            payload += (value & (1 << 8 * f.bytes) - 1).to_bytes(f.bytes, "little")
            continue
        raw = value.encode() if isinstance(value, str) else value
        if f.type == "text":
            payload += len(raw).to_bytes(f.bytes, "little")
            text = raw
        else:
            payload += raw[: f.bytes].ljust(f.bytes, b"\0")
    return payload + text
