# SPDX-License-Identifier: GPL-2.0-or-later
"""
Control
-------

``struct lkst_control`` of ``recorder/layout.h`` for Python: what the programs read at each
event, and what they count. The control side maps and writes it; the reading side finds it
in a dump.
"""

import ctypes
from ctypes import c_char, c_int64, c_uint8, c_uint16, c_uint32, c_uint64

from lkst.abi import layout

__all__ = (
    "Cgroup",
    "Clause",
    "Clock",
    "Control",
    "ControlBuffer",
    "Filter",
    "Hist",
    "Pattern",
    "Rules",
    "Step",
    "Term",
    "Trigger",
    "event_state",
    "name_of",
    "prog_ids",
    "read_control",
)


class _Name(ctypes.Structure):
    _fields_ = (("text", c_char * layout.NAME_SIZE),)


class ControlBuffer(ctypes.LittleEndianStructure):
    """A set of rings."""

    _fields_ = (
        ("name", c_char * layout.NAME_SIZE),
        ("state", c_uint32),
        ("map_id", c_uint32),
        ("nr_slots", c_uint32),
        ("tag", c_uint32),
        ("reserved", c_uint32 * 4),
    )


class Pattern(ctypes.LittleEndianStructure):
    """A name of tasks, or how it begins."""

    _fields_ = (("comm", c_uint8 * 16), ("size", c_uint32), ("reserved", c_uint32))


class Cgroup(ctypes.LittleEndianStructure):
    """A cgroup, with all below it."""

    _fields_ = (("id", c_uint64), ("level", c_uint32), ("used", c_uint32))


class Filter(ctypes.LittleEndianStructure):
    """Which tasks and CPUs a maskset is about."""

    _fields_ = (
        ("flags", c_uint32),
        ("reserved", c_uint32),
        ("comm", Pattern * layout.MAX_PATTERNS),
        ("cgroup", Cgroup * layout.MAX_PATTERNS),
        ("cpus", c_uint64 * (layout.FILTER_CPUS // 64)),
    )


class Hist(ctypes.LittleEndianStructure):
    """The field that a histogram is of."""

    _fields_ = (
        ("event", c_uint16),
        ("offset", c_uint8),
        ("size", c_uint8),
        ("is_signed", c_uint8),
        ("reserved", c_uint8 * 3),
    )


class Term(ctypes.LittleEndianStructure):
    """A comparison with a field."""

    _fields_ = (
        ("offset", c_uint8),
        ("size", c_uint8),
        ("op", c_uint8),
        ("is_signed", c_uint8),
        ("reserved", c_uint32),
        ("value", c_uint64 * 2),
    )


class Clause(ctypes.LittleEndianStructure):
    """Comparisons that must all hold."""

    _fields_ = (
        ("event", c_uint16),
        ("trigger", c_uint8),
        ("nr_terms", c_uint8),
        ("reserved", c_uint32),
        ("term", Term * layout.MAX_TERMS),
    )


class Rules(ctypes.LittleEndianStructure):
    """Clauses, sorted by event."""

    _fields_ = (
        ("first", c_uint8 * layout.MAX_EVENTS),
        ("nr", c_uint8 * layout.MAX_EVENTS),
        ("clause", Clause * layout.MAX_CLAUSES),
    )


class Trigger(ctypes.LittleEndianStructure):
    """What to do when a condition holds, and how often that was."""

    _fields_ = (
        ("name", c_char * layout.NAME_SIZE),
        ("when", c_char * 192),
        ("action", c_char * 96),
        ("used", c_uint32),
        ("actions", c_uint32),
        ("maskset", c_uint32),
        ("reserved", c_uint32),
        ("duration", c_uint64),
        ("freeze", c_uint64),
        ("interval", c_uint64),
        ("fired", c_uint64),
        ("held", c_uint64),
        ("last", c_uint64),
    )


class Step(ctypes.LittleEndianStructure):
    """A step of the wall clock."""

    _fields_ = (
        ("since", c_uint64),
        ("ts", c_uint64),
        ("real_offset", c_int64),
        ("boot_offset", c_int64),
    )


class Clock(ctypes.LittleEndianStructure):
    """The last steps of the wall clock."""

    _fields_ = (
        ("timekeeper", c_uint64),
        ("checked", c_uint64),
        ("real_offset", c_int64),
        ("boot_offset", c_int64),
        ("watched", c_uint32),
        ("reserved", c_uint32),
        ("nr", c_uint64),
        ("step", Step * layout.MAX_STEPS),
    )


class Control(ctypes.LittleEndianStructure):
    """All of it."""

    #: A member that does not exist cannot be set by mistake.
    __slots__ = ()
    _fields_ = (
        ("magic", c_char * 8),
        ("tag", c_uint32),
        ("active_maskset", c_uint32),
        ("current_buffer", c_uint32),
        ("base_maskset", c_uint32),
        ("active_until", c_uint64),
        ("last_heartbeat", c_uint64),
        ("timer_period", c_uint64),
        ("lost_notices", c_uint64),
        ("failed_switches", c_uint64),
        ("tasks_not_followed", c_uint64),
        ("active_rules", c_uint32),
        ("follow_children", c_uint32),
        ("first_buffer", c_uint32),
        ("unused", c_uint32),
        ("reserved", c_uint32 * 10),
        ("buffer", ControlBuffer * layout.MAX_BUFFERS),
        ("handler", c_uint8 * layout.MAX_EVENTS * layout.MAX_MASKSETS),
        ("handler_argument", c_uint8 * layout.MAX_EVENTS * layout.MAX_MASKSETS),
        ("maskset_name", _Name * layout.MAX_MASKSETS),
        ("filter", Filter * layout.MAX_MASKSETS),
        ("subject_offset", c_uint8 * layout.MAX_EVENTS),
        ("event_state", c_uint8 * layout.MAX_EVENTS),
        ("prog_id", c_uint32 * layout.MAX_EVENTS),
        ("user_handler", _Name * layout.MAX_USER),
        ("hist", Hist * layout.MAX_HISTS),
        ("trigger", Trigger * layout.MAX_TRIGGERS),
        ("rules", Rules * 2),
        ("clock", Clock),
    )


def read_control(data: bytes) -> Control | None:
    """
    Read it from a recorder's memory.

    Members that came with ABI 2.2 are zero if the recorder is older.

    :return: None if the bytes are none
    """
    whole = len(data) >= ctypes.sizeof(Control) or len(data) == Control.clock.offset
    if not whole or data[:8] != layout.CONTROL_MAGIC:
        return None
    return Control.from_buffer_copy(data.ljust(ctypes.sizeof(Control), b"\0"))


def name_of(raw: bytes) -> str:
    """Return a name that is safe to print, whatever a dump holds."""
    return "".join(c for c in raw.decode("ascii", "replace") if c.isprintable())


def event_state(control: Control | None, event: int) -> str:
    """
    Return the state of an event's hook.

    :param event: its id
    :return: one of ``layout.STATES``, or "unknown"
    """
    if control is None or not 0 <= event < layout.MAX_EVENTS:
        return "unknown"
    state = control.event_state[event]
    return layout.STATES[state] if state < len(layout.STATES) else "unknown"


def active_maskset(control: Control | None) -> str:
    """Name the maskset that is active, "" if it is not known."""
    if control is None:
        return ""
    return name_of(control.maskset_name[control.active_maskset % layout.MAX_MASKSETS].text)


def prog_ids(control: Control | None) -> dict[int, int]:
    """
    Return the ids of the BPF programs that feed events.

    :return: event id -> program id
    """
    if control is None:
        return {}
    return {event: prog for event, prog in enumerate(control.prog_id) if prog}
