# SPDX-License-Identifier: GPL-2.0-or-later
"""
Payload
-------

Decode the payload of records: fields, texts, stacks.
"""

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.abi.kernel_constants import SIGNED
from lkst.decode.catalogue import Field
from lkst.decode.records import Records
from lkst.decode.ring import STACK

__all__ = ("column", "stack", "texts")

I64 = NDArray[np.int64]

#: Frames in a stack.
_FRAMES = layout.STACK_SLOTS * (layout.SLOT_SIZE - layout.CONTINUATION_OFFSET) // 8


def column(records: Records, field: Field, rows: I64) -> NDArray[np.generic]:
    """
    Return a field's values in some rows, all of one event.

    :return: integers, or bytes (``S16``) of names; of a text its length in bytes
    """
    first = records.first.take(rows)
    offset = layout.PAYLOAD_OFFSET + field.offset
    data = records.slots.view(np.uint8)
    if field.is_number:
        kind = "i" if field.type in SIGNED else "u"
        if offset % field.size == 0:
            # One strided gather is faster than a gather of bytes.
            numbers = data.reshape(-1).view(f"<{kind}{field.size}")
            step = layout.SLOT_SIZE // field.size
            return numbers.take(first * step + offset // field.size)
        chosen = data[first, offset : offset + field.size]
        return np.ascontiguousarray(chosen).view(f"<{kind}{field.size}")[:, 0]
    chosen_names: NDArray[np.bytes_]
    if offset % 8 == 0 and field.size % 8 == 0:
        words = records.slots.reshape(-1)
        places = first * (layout.SLOT_SIZE // 8) + offset // 8
        found = np.empty((len(rows), field.size // 8), np.uint64)
        for place in range(field.size // 8):
            words.take(places + place, out=found[:, place], mode="clip")
        chosen_names = found.view(f"S{field.size}")[:, 0]
        return chosen_names
    names = data[:, offset : offset + field.size].view(f"S{field.size}")[:, 0]
    chosen_names = names[first]
    return chosen_names


def texts(records: Records, field: Field, rows: I64) -> list[str]:
    """Return the texts of a field of type ``text``, which can span several slots."""
    slots = records.slots
    data = slots.view(np.uint8)
    firsts = records.first[rows]
    starts, sizes = records.rings.find(firsts)
    lengths = column(records, field, rows)
    counts = _nr(records, rows)
    counts -= np.where(records.flags[rows] & STACK, layout.STACK_SLOTS, 0)
    found = []
    begin = layout.PAYLOAD_OFFSET + field.offset + field.size
    for first, start, size, nr, length in zip(
        *(each.tolist() for each in (firsts, starts, sizes, counts, lengths)), strict=True
    ):
        parts = [data[first, begin:].tobytes()]
        word = int(slots[first, 0])
        for part in range(1, nr):
            slot = start + (first - start + part) % size
            if int(slots[slot, 0]) != word + part:
                break
            parts.append(data[slot, layout.CONTINUATION_OFFSET :].tobytes())
        found.append(b"".join(parts)[:length].decode("utf-8", "replace"))
    return found


def stack(records: Records, rows: I64) -> list[list[int]]:
    """
    Return the kernel stacks of some records.

    :return: return addresses, the innermost first; empty if a record has no stack
    """
    stacks: list[list[int]] = [[] for _ in range(len(rows))]
    nr = _nr(records, rows)
    there = np.flatnonzero((records.flags[rows] & STACK != 0) & (nr > layout.STACK_SLOTS))
    slots = records.slots
    first = records.first[rows[there]]
    start, size = records.rings.find(first)
    # Index within the record of each slot of the stack.
    place = nr[there, None] - layout.STACK_SLOTS + np.arange(layout.STACK_SLOTS)
    slot = start[:, None] + (first[:, None] - start[:, None] + place) % size[:, None]
    whole = slots[slot, 0] == slots[first, 0][:, None] + place.astype(np.uint64)
    frames = slots[slot, layout.CONTINUATION_OFFSET // 8 :] * whole[:, :, None]
    for row, addresses in zip(
        there.tolist(), frames.reshape(len(there), _FRAMES).tolist(), strict=True
    ):
        end = addresses.index(0) if 0 in addresses else len(addresses)
        stacks[row] = addresses[:end]
    return stacks


def _nr(records: Records, rows: I64) -> I64:
    """Count the slots of some records."""
    what = records.what[rows].view(np.int64)
    return what >> layout.NR_SHIFT & layout.NR_MASK
