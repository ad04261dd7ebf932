# SPDX-License-Identifier: GPL-2.0-or-later
"""
Layout
------

``recorder/layout.h`` for Python: the layout of the recorder's memory, shared by the loader
and the readers. Sizes that a later minor ABI version may change are taken from the header in
memory, never from here.
"""

import struct
from typing import NamedTuple

MAGIC = b"LKST recorder\0\0\0"
ABI_MAJOR = 2
ABI_MINOR = 2

MAX_EVENTS = 256
MAX_MASKSETS = 16
MAX_BUFFERS = 16
MAX_TRIGGERS = 32
MAX_CLAUSES = 64
MAX_TERMS = 4
MAX_HISTS = 32
MAX_USER = 4
MAX_PROBES = 64
MAX_STEPS = 64
MAX_FIELDS = 10
MAX_PATTERNS = 4
FILTER_CPUS = 1024
NAME_SIZE = 32

SLOT_SIZE = 64
SEQ_BITS = 48
SEQ_MASK = (1 << SEQ_BITS) - 1
PAYLOAD_OFFSET = 24  # in struct lkst_slot
PAYLOAD_SIZE = 40
CONTINUATION_OFFSET = 16  # in struct lkst_continuation

CPU_SHIFT = 16
PID_SHIFT = 32
PID_MASK = (1 << 22) - 1
NR_SHIFT = 54
NR_MASK = 31
FLAGS_SHIFT = 59
FLAG_TRUNCATED = 1
FLAG_STACK = 2

STACK_SLOTS = 4

# struct lkst_cpu: one page
CPU = struct.Struct("<8sIIQ")
CPU_MAGIC = b"LKSTcpu\0"
CPU_SIZE = 4096
REFUSED_OFFSET = 16
PLACE_OFFSET = 64
PLACE_SIZE = 16
COUNT_OFFSET = PLACE_OFFSET + PLACE_SIZE * MAX_BUFFERS
FLOW_OFFSET = COUNT_OFFSET + 8 * MAX_EVENTS
#: struct lkst_flow
FLOW = struct.Struct("<QIIQ")

#: The limit of a ring that is not frozen.
NO_LIMIT = (1 << 64) - 1

# struct lkst_counts: some pages
COUNTS = struct.Struct("<8sII")
COUNTS_MAGIC = b"LKSTcnt\0"
COUNTED_OFFSET = 64
SUM_OFFSET = COUNTED_OFFSET + 8 * MAX_EVENTS
BUCKET_OFFSET = SUM_OFFSET + 8 * MAX_HISTS
BUCKETS = 64

#: struct lkst_header
HEADER = struct.Struct("<16sHHIIIIIIIIIQq16s64s64s32sIIIII12x")
HEADER_NAMES = (
    "magic abi_major abi_minor header_size event_size field_size nr_events slot_size nr_cpus"
    " nr_slots cpu_size tag start real_offset boot_id release machine version control_size"
    " max_events max_masksets counts_size nr_probes"
).split()

#: struct lkst_event, without its fields
EVENT = struct.Struct("<8sIII32s16s32s40s64s")
EVENT_MAGIC = b"LKSTevt\0"
EVENT_TAG_OFFSET = 8
#: by_default of a probe that is recorded with the stack
DEFAULT_STACK = 2
#: struct lkst_event behind its fields: since, until, enums
EVENT_REST = struct.Struct("<QQ184s")

#: Entries of the catalogue: a divisor of the page size.
ENTRY_SIZE = 1024

#: struct lkst_field
FIELD = struct.Struct("<20s20s12sI")
EVENT_REST_OFFSET = -(-(EVENT.size + (MAX_FIELDS + 1) * FIELD.size) // 8) * 8

# enum lkst_state, in order
STATES = ("unused", "attached", "absent", "unattached")

# enum lkst_handler, in order
HANDLERS = ("off", "record", "stack", "count", "hist")
HANDLER_USER = 8
HANDLER_MASK = 0x0F
EVALUATE = 0x80

# enum lkst_buffer_state, in order
BUFFER_STATES = ("free", "spare", "written")

# enum lkst_trigger_state
TRIGGER_ON = 1
TRIGGER_COMING = 2

# enum lkst_op, in order
OPS = ("==", "!=", "<", "<=", ">", ">=", "&", "!&")

# enum lkst_filter_flags
BY_CPU = 1
BY_PID = 2
BY_COMM = 4
BY_CGROUP = 8

# enum lkst_action
DO_NOTIFY = 1
DO_MASK = 2
DO_FREEZE = 4
DO_SWITCH = 8
DO_STACK = 16

CONTROL_MAGIC = b"LKSTctl\0"

#: struct lkst_notice, without the record's slot
NOTICE = struct.Struct("<II")


class Place(NamedTuple):
    """One CPU's ring in one buffer: struct lkst_place."""

    #: Slots ever claimed.
    head: int
    #: Where it freezes.
    limit: int


class Flow(NamedTuple):
    """What a CPU lets through of a probe: struct lkst_flow."""

    #: CLOCK_MONOTONIC in ns, when it began to count anew, and records since then.
    since: int
    taken: int
    #: Calls whose beginning or end is not known.
    unpaired: int
    #: Records that the limit held back.
    held: int


def places(cpus: bytes, cpu_size: int, buffer: int) -> list[Place]:
    """
    Read where each CPU is in a buffer.

    :param cpus: struct lkst_cpu of every CPU
    :param cpu_size: of one, in bytes
    :param buffer: its number
    """
    offset = PLACE_OFFSET + buffer * PLACE_SIZE
    return [
        Place(*struct.unpack_from("<QQ", cpus, start + offset))
        for start in range(0, len(cpus) - offset - PLACE_SIZE + 1, cpu_size)
    ]
