# SPDX-License-Identifier: GPL-2.0-or-later
"""
Made-up recorders
-----------------

Writes a recorder's memory by hand, record by record, as the programs in
``recorder/`` do it, so that what is read can be compared with what was meant.
The events are those of ``recorder/events.h``, or whatever a test wants.
"""

from collections.abc import Sequence
import ctypes
from dataclasses import dataclass, field
import functools
from pathlib import Path
import re
import struct

from lkst.abi import layout
from lkst.abi.control import Clock, Control, Hist, Step
from lkst.decode.image import BufferImage, Image
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace

__all__ = ("COUNTS_SIZE", "EventSpec", "FieldSpec", "Synthetic", "recorder_events")

#: sizeof(struct lkst_counts)
COUNTS_SIZE = 5 * 4096

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
    #: Of category ``probe``, which come last.
    since: int = 0
    until: int = 0
    enums: str = ""


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


class Rings:
    """The rings of a buffer in the making."""

    def __init__(self, name: str, nr_slots: int, nr_cpus: int) -> None:
        self.name = name
        self.nr_slots = nr_slots
        self.memory = bytearray(nr_cpus * nr_slots * layout.SLOT_SIZE)
        self.heads = [0] * nr_cpus
        self.limits = [layout.NO_LIMIT] * nr_cpus


@dataclass
class Synthetic:
    """A recorder's memory in the making."""

    #: None: those of ``recorder/events.h``.
    events: Sequence[EventSpec] | None = None
    nr_cpus: int = 2
    #: Of each ring.
    nr_slots: int = 256
    #: Further buffers: names and slots of each ring.
    more: dict[str, int] = field(default_factory=dict)
    #: Number of the buffer that is written.
    into: int = 0
    tag: int = 0x4B50
    #: CLOCK_MONOTONIC and CLOCK_REALTIME - CLOCK_MONOTONIC at the start, in ns.
    start: int = 1_000_000_000
    real_offset: int = 1_700_000_000_000_000_000
    boot_id: bytes = bytes(range(16))
    #: Steps of the wall clock: since, ts, the new real_offset and boot_offset, in ns.
    steps: Sequence[tuple[int, int, int, int]] = ()
    #: Whether the recorder has found the timekeeper.
    clock: bool = True
    #: Places for probes that are free.
    free: int = 0
    #: Index of the active maskset, and names.
    active: int = 0
    masksets: Sequence[str] = ("default", "off")
    #: By event name, of ``lkst.abi.layout.STATES``; others are attached.
    states: dict[str, str] = field(default_factory=dict)
    buffers: list[Rings] = field(init=False)
    counts: list[list[int]] = field(init=False)
    #: By CPU and event id, what handlers have counted.
    counted: list[list[int]] = field(init=False)
    #: Event and field of each histogram, and the values of each CPU.
    hists: list[tuple[str, str, list[list[int]]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.events is None:
            self.events = recorder_events()
        self.buffers = [
            Rings(name, nr_slots, self.nr_cpus)
            for name, nr_slots in {"main": self.nr_slots, **self.more}.items()
        ]
        self.counts = [[0] * layout.MAX_EVENTS for _ in range(self.nr_cpus)]
        self.counted = [[0] * layout.MAX_EVENTS for _ in range(self.nr_cpus)]

    @property
    def nr_probes(self) -> int:
        """Events that are probes."""
        assert self.events is not None
        return sum(event.category == "probe" for event in self.events)

    @property
    def heads(self) -> list[int]:
        """Heads of the first buffer."""
        return self.buffers[0].heads

    @property
    def rings(self) -> bytearray:
        """Memory of the first buffer."""
        return self.buffers[0].memory

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
        buffer: int = 0,
        stack: Sequence[int] = (),
        **fields: int | str | bytes,
    ) -> int:
        """
        Write a record; fields that are not given are zero.

        :param ts: CLOCK_MONOTONIC, in ns
        :param committed: whether the recorder came to its end
        :param truncated: whether the text is said to have been longer
        :param buffer: number of the one to write to
        :param stack: return addresses, the innermost first
        :return: its sequence number
        """
        assert self.events is not None
        id_ = self.id(event)
        payload = _pack(self.events[id_ - 1], fields)
        room = layout.PAYLOAD_SIZE
        more = layout.SLOT_SIZE - layout.CONTINUATION_OFFSET
        parts = [payload[:room].ljust(room, b"\0")]
        parts += [payload[at : at + more] for at in range(room, len(payload), more)]
        if stack:
            frames = struct.pack(f"<{len(stack)}Q", *stack).ljust(layout.STACK_SLOTS * more, b"\0")
            parts += [frames[at : at + more] for at in range(0, layout.STACK_SLOTS * more, more)]
        heads = self.buffers[buffer].heads
        seq = heads[cpu]
        heads[cpu] += len(parts)
        self.counts[cpu][id_] += 1
        flags = truncated * layout.FLAG_TRUNCATED | bool(stack) * layout.FLAG_STACK
        what = (
            id_
            | cpu << layout.CPU_SHIFT
            | pid << layout.PID_SHIFT
            | len(parts) << layout.NR_SHIFT
            | flags << layout.FLAGS_SHIFT
        )
        first = struct.pack("<QQ", what, ts) + parts[0]
        self.slot(cpu, seq, first, committed=committed, buffer=buffer)
        for place, part in enumerate(parts[1:], 1):
            what = cpu << layout.CPU_SHIFT | place << layout.PID_SHIFT
            rest = struct.pack("<Q", what) + part
            self.slot(cpu, seq + place, rest, committed=committed, buffer=buffer)
        return seq

    def slot(
        self, cpu: int, seq: int, contents: bytes, *, committed: bool = True, buffer: int = 0
    ) -> None:
        """
        Write one slot.

        :param contents: all after its first word
        """
        tag = self.tag | buffer if committed else (self.tag | buffer) ^ 0xFFFF
        rings = self.buffers[buffer]
        start = (cpu * rings.nr_slots + seq % rings.nr_slots) * layout.SLOT_SIZE
        rings.memory[start : start + layout.SLOT_SIZE] = (
            struct.pack("<Q", seq & layout.SEQ_MASK | tag << layout.SEQ_BITS) + contents
        ).ljust(layout.SLOT_SIZE, b"\0")

    def catalogue(self) -> bytes:
        """Give the map ``.data.catalogue``."""
        assert self.events is not None
        values = {
            "magic": layout.MAGIC,
            "abi_major": layout.ABI_MAJOR,
            "abi_minor": layout.ABI_MINOR,
            "header_size": layout.ENTRY_SIZE,
            "event_size": layout.ENTRY_SIZE,
            "field_size": layout.FIELD.size,
            "nr_events": len(self.events) - self.nr_probes,
            "slot_size": layout.SLOT_SIZE,
            "nr_cpus": self.nr_cpus,
            "nr_slots": self.nr_slots,
            "cpu_size": layout.CPU_SIZE,
            "tag": self.tag,
            "start": self.start,
            "real_offset": self.real_offset,
            "boot_id": self.boot_id,
            "release": b"6.12.1-test",
            "machine": b"testhost",
            "version": b"0.1",
            "control_size": ctypes.sizeof(Control),
            "max_events": layout.MAX_EVENTS,
            "max_masksets": layout.MAX_MASKSETS,
            "counts_size": COUNTS_SIZE,
            "nr_probes": self.nr_probes + self.free,
        }
        header = layout.HEADER.pack(*(values[name] for name in layout.HEADER_NAMES))
        entries = [header, *(self._entry(id_, e) for id_, e in enumerate(self.events, 1))]
        first = len(self.events) + 1
        entries += [struct.pack("<8xII", self.tag, first + n) for n in range(self.free)]
        return b"".join(entry.ljust(layout.ENTRY_SIZE, b"\0") for entry in entries)

    def _entry(self, id_: int, event: EventSpec) -> bytes:
        texts = (event.name, event.category, event.old_name, event.hook, event.description)
        entry = layout.EVENT.pack(
            layout.EVENT_MAGIC, self.tag, id_, event.by_default, *(text.encode() for text in texts)
        )
        for f in event.fields:
            entry += layout.FIELD.pack(f.name.encode(), f.type.encode(), f.unit.encode(), f.bytes)
        entry = entry.ljust(layout.EVENT_REST_OFFSET, b"\0")
        return entry + layout.EVENT_REST.pack(event.since, event.until, event.enums.encode())

    def count(self, cpu: int, event: str, times: int = 1) -> None:
        """Count an event as the handler ``count`` does."""
        self.counted[cpu][self.id(event)] += times

    def hist(self, event: str, field: str, *values: Sequence[int]) -> None:
        """
        Add a histogram.

        :param values: of each CPU
        """
        self.hists.append((event, field, [list(own) for own in values]))
        for cpu, own in enumerate(values):
            self.count(cpu, event, len(own))

    def image(self) -> Image:
        """Give the whole memory."""
        cpus = self._cpus()
        return Image(
            self.catalogue(),
            [
                BufferImage(
                    number=number,
                    name=rings.name,
                    state=self._state(number),
                    nr_slots=rings.nr_slots,
                    rings=bytes(rings.memory),
                    places=layout.places(cpus, layout.CPU_SIZE, number),
                )
                for number, rings in enumerate(self.buffers)
            ],
            cpus,
            bytes(self._control()),
            self._counts(),
        )

    def _state(self, number: int) -> str:
        used = number == self.into or any(self.buffers[number].heads)
        return "written" if used else "spare"

    def _cpus(self) -> bytes:
        cpus = b""
        for cpu, counts in enumerate(self.counts):
            page = layout.CPU.pack(layout.CPU_MAGIC, self.tag, cpu, 0).ljust(
                layout.PLACE_OFFSET, b"\0"
            )
            for rings in self.buffers:
                page += struct.pack("<QQ", rings.heads[cpu], rings.limits[cpu])
            page = page.ljust(layout.COUNT_OFFSET, b"\0")
            cpus += (page + struct.pack(f"<{layout.MAX_EVENTS}Q", *counts)).ljust(
                layout.CPU_SIZE, b"\0"
            )
        return cpus

    def _control(self) -> Control:
        assert self.events is not None
        control = Control(
            magic=layout.CONTROL_MAGIC,
            tag=self.tag,
            active_maskset=self.active,
            current_buffer=self.into,
        )
        if self.clock:
            control.clock = Clock(
                timekeeper=1, watched=1, real_offset=self.real_offset, nr=len(self.steps)
            )
            for number, step in enumerate(self.steps):
                control.clock.step[number % layout.MAX_STEPS] = Step(*step)
                control.clock.checked, control.clock.real_offset = step[1], step[2]
        for index, name in enumerate(self.masksets):
            control.maskset_name[index].text = name.encode()
        for number, rings in enumerate(self.buffers):
            entry = control.buffer[number]
            entry.name = rings.name.encode()
            entry.state = layout.BUFFER_STATES.index(self._state(number))
            entry.map_id = 100 + number
            entry.nr_slots = rings.nr_slots
        for id_, event in enumerate(self.events, 1):
            control.event_state[id_] = layout.STATES.index(self.states.get(event.name, "attached"))
        for number, (name, field_name, _) in enumerate(self.hists):
            event = self.events[self.id(name) - 1]
            offset = 0
            for f in event.fields:
                if f.name == field_name:
                    break
                offset += f.bytes
            control.hist[number] = Hist(self.id(name), offset, f.bytes, f.type.startswith("s"))
        return control

    def _counts(self) -> bytes:
        data = b""
        for cpu in range(self.nr_cpus):
            sums = [0] * layout.MAX_HISTS
            buckets = [[0] * layout.BUCKETS for _ in range(layout.MAX_HISTS)]
            for number, (_, _, values) in enumerate(self.hists):
                for value in values[cpu] if cpu < len(values) else ():
                    sums[number] = (sums[number] + max(value, 0)) % (1 << 64)
                    buckets[number][max(value, 0).bit_length()] += 1
            words = [*self.counted[cpu], *sums, *(count for each in buckets for count in each)]
            head = layout.COUNTS.pack(layout.COUNTS_MAGIC, self.tag, cpu)
            head = head.ljust(layout.COUNTED_OFFSET, b"\0")
            data += (head + struct.pack(f"<{len(words)}Q", *words)).ljust(COUNTS_SIZE, b"\0")
        return data

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
