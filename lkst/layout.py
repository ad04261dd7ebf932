# SPDX-License-Identifier: GPL-2.0-or-later
"""
Layout
------

``recorder/layout.h`` for Python: where things lie in the recorder's memory.
Both sides share it, the one that loads a recorder and the one that reads it.

Sizes that a later minor ABI version may change are taken from the header that
lies in memory, never from here.
"""

import struct
from typing import NamedTuple

MAGIC = b"LKST recorder\0\0\0"
ABI_MAJOR = 1
ABI_MINOR = 0

MAX_EVENTS = 256
MAX_MASKSETS = 16

SLOT_SIZE = 64
SEQ_BITS = 48
SEQ_MASK = (1 << SEQ_BITS) - 1
PAYLOAD_OFFSET = 24  # in struct lkst_slot
PAYLOAD_SIZE = 40
MORE_OFFSET = 16  # in struct lkst_more

CPU_SHIFT = 16
PID_SHIFT = 32
PID_MASK = (1 << 22) - 1
NR_SHIFT = 54
NR_MASK = 31
FLAGS_SHIFT = 59
FLAG_TRUNCATED = 1

# struct lkst_cpu: one page
CPU = struct.Struct("<8sIIQ")
CPU_MAGIC = b"LKSTcpu\0"
CPU_SIZE = 4096
HEAD_OFFSET = 16
COUNT_OFFSET = 64

#: struct lkst_header
HEADER = struct.Struct("<16sHHIIIIIIIIIQq16s64s64s32sIII20x")
HEADER_NAMES = (
    "magic abi_major abi_minor header_size event_size field_size nr_events slot_size nr_cpus"
    " nr_slots cpu_size tag start real_offset boot_id release machine version control_size"
    " max_events max_masksets"
).split()

#: struct lkst_event, without its fields
EVENT = struct.Struct("<8sIII32s16s32s40s64s")
EVENT_MAGIC = b"LKSTevt\0"
EVENT_TAG_OFFSET = 8

#: Entries of the catalogue: a divisor of the page size.
ENTRY_SIZE = 1024

#: struct lkst_field
FIELD = struct.Struct("<20s20s12sI")

# enum lkst_state, in order
STATES = ("unused", "attached", "absent", "unattached")

# enum lkst_handler, in order
HANDLERS = ("off", "record")


class ControlLayout(NamedTuple):
    """Offsets in struct lkst_control, in bytes."""

    handler: int
    maskset: int
    state: int
    prog_id: int
    size: int
    max_events: int
    max_masksets: int


MASKSET_NAME_SIZE = 32


def control_layout(max_events: int, max_masksets: int) -> ControlLayout:
    """
    Lay out struct lkst_control.

    :param max_events: ``LKST_MAX_EVENTS`` of the recorder
    :param max_masksets: ``LKST_MAX_MASKSETS`` of the recorder
    """
    handler = 64
    maskset = handler + max_events * max_masksets
    state = maskset + MASKSET_NAME_SIZE * max_masksets
    prog_id = state + max_events
    return ControlLayout(
        handler, maskset, state, prog_id, prog_id + 4 * max_events, max_events, max_masksets
    )


def heads(cpus: bytes, cpu_size: int) -> list[int]:
    """
    Read how many slots each CPU has ever claimed.

    :param cpus: struct lkst_cpu of every CPU
    :param cpu_size: of one, in bytes
    """
    offsets = range(HEAD_OFFSET, len(cpus) - 7, cpu_size)
    return [int.from_bytes(cpus[offset : offset + 8], "little") for offset in offsets]


def active_maskset(control: bytes, where: ControlLayout) -> str:
    """
    Name the maskset that is active.

    :param control: struct lkst_control
    :return: its name, or "" if the bytes do not tell
    """
    if len(control) < where.size:
        return ""
    active = int.from_bytes(control[:4], "little") % where.max_masksets
    start = where.maskset + active * MASKSET_NAME_SIZE
    name = control[start : start + MASKSET_NAME_SIZE].split(b"\0")[0]
    return "".join(c for c in name.decode("ascii", "replace") if c.isprintable())


def event_state(control: bytes, where: ControlLayout, event: int) -> str:
    """
    Tell what became of an event's hook.

    :param control: struct lkst_control
    :param event: its id
    :return: one of STATES, or "unknown"
    """
    if len(control) < where.size or not 0 <= event < where.max_events:
        return "unknown"
    state = control[where.state + event]
    return STATES[state] if state < len(STATES) else "unknown"


def prog_ids(control: bytes, where: ControlLayout) -> dict[int, int]:
    """
    Give the ids of the BPF programs that feed events.

    :param control: struct lkst_control
    :return: event id -> program id
    """
    if len(control) < where.size:
        return {}
    ids = struct.unpack_from(f"<{where.max_events}I", control, where.prog_id)
    return {event: prog for event, prog in enumerate(ids) if prog}
