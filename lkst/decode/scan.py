# SPDX-License-Identifier: GPL-2.0-or-later
"""
Scanning slots
--------------

What the slots of a ring say they are. Each is looked at once, a block at a time, so
that whatever is worked out of it is still in the processor's cache.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lkst import layout

__all__ = ("Scan", "scan_slots")

U64 = NDArray[np.uint64]
Bools = NDArray[np.bool_]

#: Slots at a time.
_BLOCK = 1 << 14

_NUMBERS = np.arange(_BLOCK, dtype=np.uint64)
_CPU = np.uint64(0xFFFF << layout.CPU_SHIFT)
_NR = np.uint64(layout.NR_MASK << layout.NR_SHIFT)
#: Of the second word all but the event and the pid: CPU, number of slots, flags.
_KIND = _CPU | np.uint64((1 << 64) - (1 << layout.NR_SHIFT))


@dataclass(frozen=True)
class Scan:
    """Slots in the order of their numbers."""

    #: Their second words and times.
    what: U64
    ts: U64
    #: Whether a record begins there.
    begins: Bools
    #: Whether it is a further slot of a record.
    more: Bools
    #: Whether all are records of one slot that have no flags.
    plain: bool


def scan_slots(slots: U64, low: int, count: int, *, tag: int, cpu: int, known: Bools) -> Scan:
    """
    Look at the slots of a ring.

    :param slots: all that it has
    :param low: number of the first one that is wanted
    :param count: how many are wanted
    :param tag: upper 16 bits of a first word, at their place
    :param known: by id, whether there is such an event
    """
    scan = Scan(
        what=np.empty(count, np.uint64),
        ts=np.empty(count, np.uint64),
        begins=np.ones(count, bool),
        more=np.zeros(count, bool),
        plain=True,
    )
    plain = True
    size = len(slots)
    start = 0
    while start < count:
        place = (low + start) % size
        end = min(start + _BLOCK, start + size - place, count)
        rows = slots[place : place + end - start]
        plain &= _scan_block(scan, slice(start, end), rows, tag + low + start, cpu, known)
        start = end
    return Scan(scan.what, scan.ts, scan.begins, scan.more, plain)


def _scan_block(scan: Scan, where: slice, rows: U64, word: int, cpu: int, known: Bools) -> bool:
    """
    Look at some slots.

    :param word: what the first of them begins with if it is committed
    :return: whether all are plain
    """
    what = scan.what[where]
    what[:] = rows[:, 1]
    scan.ts[where] = rows[:, 2]
    committed = rows[:, 0] == _NUMBERS[: len(rows)] + np.uint64(word)
    event = what.view("<u2")[::4]
    own = np.uint64(cpu << layout.CPU_SHIFT)
    one = what & _KIND == own | np.uint64(1 << layout.NR_SHIFT)
    one &= committed
    one &= known[event]
    if one.all():
        return True
    committed &= what & _CPU == own
    scan.begins[where] = committed & known[event] & (what & _NR != 0)
    scan.more[where] = committed & (event == 0)
    return False
