# SPDX-License-Identifier: GPL-2.0-or-later
"""
BPF ring buffers of other programs
----------------------------------

The records that had not been read when the machine died. The kernel does not time stamp
them, but programs often do.
"""

import re

from drgn import FaultError, Object, Program, container_of
from drgn.helpers.linux.bpf import bpf_map_for_each

from lkst.decode.ringbuf import RingRecord, parse_ring
from lkst.locate.btftypes import Typed, record_types
from lkst.trace.foreign import Entry, ForeignTrace, Value

__all__ = ("read_ringbufs",)

_FAULTS = (AttributeError, FaultError, LookupError, ValueError)

_RINGBUF = 27  # BPF_MAP_TYPE_RINGBUF of include/uapi/linux/bpf.h
_OVERWRITE = 1 << 19  # BPF_F_RB_OVERWRITE
_MAX_RING = 1 << 30

#: Usual names of fields with a time of bpf_ktime_get_ns(), which is CLOCK_MONOTONIC.
_TIME = re.compile(r"(?:.*\.)?(?:ts|time|timestamp|ktime|when)(?:_ns)?")


def read_ringbufs(prog: Program) -> list[ForeignTrace]:
    """Read all ring buffers that hold records."""
    found = []
    try:
        types = record_types(prog)
        for map_ in bpf_map_for_each(prog):
            if map_.map_type.value_() == _RINGBUF:
                other = _read(prog, map_, types.get(map_.value_()))
                if other.entries or other.notes:
                    found.append(other)
    except _FAULTS:
        pass
    return found


def _read(prog: Program, map_: Object, typed: Typed | None) -> ForeignTrace:
    name = map_.name.string_().decode("utf-8", "replace")
    other = ForeignTrace(f"ringbuf:{name or map_.id.value_()}", "mono", [])
    try:
        ring = container_of(map_, "struct bpf_ringbuf_map", "map").rb
        size = ring.mask.value_() + 1
        if size > _MAX_RING:
            raise ValueError(f"invalid ring size: {size} bytes")
        begin, end = ring.consumer_pos.value_(), ring.producer_pos.value_()
        if map_.map_flags.value_() & _OVERWRITE:
            # Since 6.19 old records can be overwritten, read or unread.
            begin = max(begin, ring.overwrite_pos.value_())
        data = prog.read(ring.data.address_, size)
    except _FAULTS as error:
        other.notes.append(f"{other.origin}: {' '.join(str(error).split())}")
        return other
    records, damaged = parse_ring(data, begin, end)
    if damaged:
        other.notes.append(f"{other.origin} is damaged: the rest of it is missing")
    other.entries = [_entry(record, typed) for record in records]
    return other


def _entry(record: RingRecord, typed: Typed | None) -> Entry:
    flags = ("in-flight",) if record.busy else ()
    found = typed(record.data) if typed else None
    if found is None:
        fields: dict[str, Value] = {"size": len(record.data), "data": record.data.hex()}
        return Entry(None, "record", fields=fields, flags=flags)
    name, fields = found
    times = (value for key, value in fields.items() if _TIME.fullmatch(key))
    ts = next((value for value in times if isinstance(value, int) and value > 0), None)
    return Entry(ts, name, fields=fields, flags=flags)
