# SPDX-License-Identifier: GPL-2.0-or-later
"""
ftrace's buffers
----------------

Find the ring buffers of all instances (kernel/trace/trace.h, ring_buffer.c), and the
formats of their events.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
import functools
import struct

from drgn import FaultError, Object, Program, container_of
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.list import list_for_each_entry

from lkst.decode.ftrace import EventFormat, FieldFormat, decode_fields, parse_page
from lkst.locate.names import Finder
from lkst.locate.schedclock import SchedClock, read_sched_clock
from lkst.trace.foreign import Entry, ForeignTrace

__all__ = ("read_ftrace",)

_FAULTS = (AttributeError, FaultError, LookupError, ValueError)

#: Bits of a pointer in a list of pages: RB_PAGE_HEAD, RB_PAGE_UPDATE.
_FLAGS = 3
_HEAD = 1

_PAGE_SIZE = 4096
_MAX_ORDER = 9
_MAX_PAGES = 1 << 20
_MAX_INSTANCES = 1 << 10
_MAX_FIELDS = 256

#: Names in trace_clocks[] -> clocks of lkst.trace.foreign; "local" is sched_clock().
_CLOCKS = {"local": "sched", "global": "local", "perf": "local", "mono": "mono"}

#: struct trace_entry: type, flags, preempt_count, pid
_ENTRY = struct.Struct("<HBBi")

#: Fields of every entry, which Entry has as attributes.
_COMMON = ("common_type", "common_flags", "common_preempt_count", "common_pid")


def read_ftrace(
    prog: Program, find_symbols: Finder, symbol: Callable[[int], str | None]
) -> list[ForeignTrace]:
    """
    Read the buffers of all instances; empty ones are left out.

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    :param symbol: names a kernel address
    """
    found = []
    try:
        formats = _Formats(prog)
        cpus = 1 + max(for_each_possible_cpu(prog))
        clock = read_sched_clock(prog, find_symbols, cpus)
        arrays = list_for_each_entry(
            "struct trace_array", prog["ftrace_trace_arrays"].address_of_(), "list"
        )
        for number, array in enumerate(arrays):
            if number > _MAX_INSTANCES:
                break
            other = _read_instance(prog, array, formats, symbol)
            if other.clock == "sched":
                _convert(other, clock)
            if other.entries or other.notes:
                found.append(other)
    except _FAULTS:
        pass
    return found


def _read_instance(
    prog: Program, array: Object, formats: "_Formats", symbol: Callable[[int], str | None]
) -> ForeignTrace:
    name = _string(array.name) if array.name else ""
    other = ForeignTrace(f"ftrace:{name}" if name else "ftrace", _clock(prog, array), [])
    buffer = array.array_buffer.buffer
    try:
        # Since 6.8 (2808e31ec12e); a page before.
        size = _PAGE_SIZE << min(buffer.subbuf_order.value_(), _MAX_ORDER)
    except AttributeError:
        size = _PAGE_SIZE
    for cpu in for_each_possible_cpu(prog):
        try:
            per_cpu = buffer.buffers[cpu]
            if per_cpu:
                other.entries += _read_cpu(per_cpu, size, cpu, formats, symbol)
        except _FAULTS as error:
            other.notes.append(f"{other.origin}, CPU {cpu}: {' '.join(str(error).split())}")
    return other


def _convert(other: ForeignTrace, clock: SchedClock) -> None:
    """Convert times of sched_clock() to another clock."""
    other.clock = clock.clock
    for place, entry in enumerate(other.entries):
        ts, error = clock.convert(entry.ts or 0, entry.cpu or 0)
        other.entries[place] = replace(entry, ts=ts)
        other.error = max(other.error, error)


def _clock(prog: Program, array: Object) -> str:
    """Return the clock of an instance: an index of trace_clocks[], which has no type."""
    try:
        symbol = prog.symbol("trace_clocks")
        # { u64 (*func)(void); const char *name; int in_ns; }
        entry = symbol.address + 24 * array.clock_id.value_()
        name = prog.read_c_string(prog.read_u64(entry + 8), max_size=32).decode("ascii", "replace")
    except _FAULTS:
        return "unknown"
    return _CLOCKS.get(name, "unknown")


def _read_cpu(
    buffer: Object,
    size: int,
    cpu: int,
    formats: "_Formats",
    symbol: Callable[[int], str | None],
) -> Iterator[Entry]:
    for page in _pages(buffer):
        data = buffer.prog_.read(page.page.value_(), size)
        read = page.read.value_()
        events, lost = parse_page(data)
        for event in events:
            if event.offset < read or len(event.data) < _ENTRY.size:
                continue
            type_, _, _, pid = _ENTRY.unpack_from(event.data)
            format_ = formats.get(type_)
            flags = ("lost-before",) if lost else ()
            lost = False
            if format_ is None:
                yield Entry(event.ts, f"type#{type_}", cpu=cpu, pid=pid, flags=flags)
                continue
            fields = _shown(format_, decode_fields(format_, event.data), symbol)
            yield Entry(event.ts, format_.name, fields=fields, cpu=cpu, pid=pid, flags=flags)


def _shown(
    event: EventFormat, values: dict[str, int | str], symbol: Callable[[int], str | None]
) -> dict[str, int | str]:
    """Name addresses of functions, which ftrace's own events have."""
    for name in ("ip", "parent_ip"):
        value = values.get(name)
        if event.system == "ftrace" and isinstance(value, int):
            address = value & (1 << 64) - 1
            values[name] = (symbol(address) or hex(address)).removesuffix("+0x0")
    return values


def _pages(buffer: Object) -> Iterator[Object]:
    """Yield the pages of a CPU's ring that are not empty, the oldest first."""
    prog = buffer.prog_
    reader, commit = buffer.reader_page, buffer.commit_page
    yield reader
    if reader == commit:
        return
    # A bit of the pointer to a page marks the head.
    node = buffer.head_page.list.address_of_()
    for _ in range(_MAX_PAGES):
        if node.prev.next.value_() & _FLAGS == _HEAD:
            break
        node = _next(prog, node)
    for _ in range(_MAX_PAGES):
        page = container_of(node, "struct buffer_page", "list")
        yield page
        if page == commit:
            return
        node = _next(prog, node)


def _next(prog: Program, node: Object) -> Object:
    return Object(prog, node.type_, node.next.value_() & ~_FLAGS)


def _string(pointer: Object) -> str:
    raw: bytes = pointer.string_()
    return raw.decode("utf-8", "replace")


class _Formats:
    """Formats of events, read when one is met."""

    def __init__(self, prog: Program) -> None:
        self._prog = prog
        self._tracepoint = prog.constant("TRACE_EVENT_FL_TRACEPOINT")
        self._calls: dict[int, Object] = {}
        for call in list_for_each_entry(
            "struct trace_event_call", prog["ftrace_events"].address_of_(), "list"
        ):
            self._calls[call.event.type.value_()] = call
            if len(self._calls) > 1 << 16:
                break
        self.get = functools.cache(self._read)

    def _read(self, type_: int) -> EventFormat | None:
        call = self._calls.get(type_)
        if call is None:
            return None
        try:
            traced = call.flags.value_() & self._tracepoint
            name = _string(call.tp.name if traced else call.name)
            class_ = call.member_("class")
            system = _string(class_.system)
            fields = tuple(self._fields(call, class_, name))
        except _FAULTS:
            return None
        return EventFormat(type_, system, name, fields)

    def _fields(self, call: Object, class_: Object, name: str) -> Iterator[FieldFormat]:
        head = class_.fields.address_of_()
        if name.startswith("sys_enter_") and (not head.next or head.next == head):
            # kernel/trace/trace_syscalls.c: the fields of sys_enter_* belong to the system call.
            data = Object(self._prog, "struct syscall_metadata *", call.data.value_())
            head = data.enter_fields.address_of_()
        found: list[FieldFormat] = []
        for field in list_for_each_entry("struct ftrace_event_field", head, "link"):
            if len(found) > _MAX_FIELDS:
                break
            name = _string(field.name)
            if name not in _COMMON:
                found.append(
                    FieldFormat(
                        name,
                        _string(field.type),
                        field.offset.value_(),
                        field.size.value_(),
                        bool(field.is_signed.value_()),
                    )
                )
        # The list starts with the last field.
        yield from sorted(found, key=lambda f: f.offset)
