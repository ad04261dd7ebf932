# SPDX-License-Identifier: GPL-2.0-or-later
"""
Segments
--------

Cut the records that were written to a buffer since the last save out of it, as a smaller
buffer. A log consists of such segments.
"""

from collections.abc import Sequence

import numpy as np

from lkst.abi import layout
from lkst.abi.layout import Place
from lkst.decode.image import BufferImage

__all__ = ("cut_segment",)


def cut_segment(buffer: BufferImage, lows: Sequence[int]) -> BufferImage | None:
    """
    Cut the newest slots out of a buffer.

    The next segment begins at the heads in this one's ``places``.

    :param buffer: with the places of all CPUs
    :param lows: by CPU, the sequence number of the first slot to keep
    :return: None if there are no new slots
    """
    bounds = [_bounds(buffer, cpu, low) for cpu, low in enumerate(lows)]
    longest = max((high - low for low, high in bounds), default=0)
    if not longest:
        return None
    size = 1 << (longest - 1).bit_length()
    words = layout.SLOT_SIZE // 8
    old = np.frombuffer(buffer.rings, "<u8").reshape(-1, words)
    new = np.zeros((len(bounds) * size, words), np.uint64)
    unreadable = []
    for cpu, (low, high) in enumerate(bounds):
        number = np.arange(low, high)
        source = cpu * buffer.nr_slots + number % buffer.nr_slots
        target = cpu * size + number % size
        new[target] = old[source]
        for start, length in buffer.unreadable:
            lost = target[
                (source * layout.SLOT_SIZE < start + length)
                & ((source + 1) * layout.SLOT_SIZE > start)
            ]
            unreadable += [(slot * layout.SLOT_SIZE, layout.SLOT_SIZE) for slot in lost.tolist()]
    return BufferImage(
        number=buffer.number,
        name=buffer.name,
        state=buffer.state,
        nr_slots=size,
        rings=new.tobytes(),
        places=[
            Place(high, place.limit) for (_, high), place in zip(bounds, buffer.places, strict=True)
        ],
        unreadable=unreadable,
        lows=[low for low, _ in bounds],
    )


def _bounds(buffer: BufferImage, cpu: int, low: int) -> tuple[int, int]:
    """Return the slots of a ring that are requested and complete: first, and last plus one."""
    head = buffer.places[cpu].head
    high = head if buffer.heads_before is None else min(head, buffer.heads_before[cpu])
    low = max(low, head - buffer.nr_slots, buffer.lows[cpu] if buffer.lows else 0)
    return min(low, high), high
