# SPDX-License-Identifier: GPL-2.0-or-later
"""
Buffers
-------

List the buffers of a recorder from its control map, or identify them by their slots.
"""

from collections.abc import Iterator
import ctypes
from typing import NamedTuple

import numpy as np

from lkst.abi import layout
from lkst.abi.control import Control, name_of
from lkst.decode.catalogue import Header, is_ring_size
from lkst.errors import Damaged

__all__ = ("BufferInfo", "first_page", "listed_buffers", "owner", "unnamed")

_PAGE = 4096


class BufferInfo(NamedTuple):
    """The description of a buffer."""

    number: int
    name: str
    #: One of ``lkst.abi.layout.BUFFER_STATES``.
    state: str
    map_id: int
    nr_slots: int

    def size(self, header: Header) -> int:
        """Size of all its rings, in bytes."""
        return self.nr_slots * header.nr_cpus * layout.SLOT_SIZE


def unnamed(number: int, nr_slots: int) -> BufferInfo:
    """Describe a buffer without the control map."""
    return BufferInfo(number, f"#{number}", "written", 0, nr_slots)


def listed_buffers(
    control: Control, header: Header, most: int, faults: list[str]
) -> Iterator[BufferInfo]:
    """
    Yield the buffers that the control map lists.

    :param most: what rings can take, in bytes: more than that is damage
    :param faults: gets a line for each invalid buffer; the others are still yielded
    """
    total = 0
    for number, entry in enumerate(control.buffer):
        if entry.state == layout.BUFFER_STATES.index("free"):
            continue
        try:
            state = layout.BUFFER_STATES[entry.state]
        except IndexError:
            # The buffer may hold records.
            state = "written"
        info = BufferInfo(
            number, name_of(entry.name) or f"#{number}", state, entry.map_id, entry.nr_slots
        )
        size = info.nr_slots
        if not is_ring_size(size):
            faults.append(f"buffer {info.name}: invalid ring size: {size} slots")
        elif total + info.size(header) > most:
            faults.append(f"buffer {info.name}: its rings are larger than memory")
        else:
            total += info.size(header)
            yield info


def first_page(page: bytes) -> Control:
    """Parse the first page of struct lkst_control; the rest is zeros."""
    return Control.from_buffer_copy(page[:_PAGE].ljust(ctypes.sizeof(Control), b"\0"))


def owner(rings: bytes, header: Header) -> int:
    """
    Find the buffer of some rings by the slots' tags.

    :return: its number
    :raises Damaged: if they are not this recorder's
    """
    words = np.frombuffer(rings, "<u8", len(rings) // 8)[:: layout.SLOT_SIZE // 8]
    tags = (words >> np.uint64(layout.SEQ_BITS)).astype(np.int64) - header.tag
    counts = np.bincount(tags[(tags >= 0) & (tags < layout.MAX_BUFFERS)], minlength=1)
    if not counts.any():
        raise Damaged("rings of another recorder")
    return int(counts.argmax())
