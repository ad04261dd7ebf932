# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names of tasks
--------------

Which name a task had when, from the records that carry names. It names tasks
that are long gone from the dump.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lkst import layout

if TYPE_CHECKING:
    from lkst.trace.trace import Trace

__all__ = ("TaskNames", "decode_comm", "factorize")

I64 = NDArray[np.int64]

# Each CPU has an idle task of its own, all with pid 0.
_IDLE = layout.PID_MASK + 1
# A record has fewer names than this.
_PLACES = 16
_TIME_BITS = 40


class TaskNames:
    """Names of tasks over time."""

    def __init__(self, trace: "Trace") -> None:
        """
        Collect every name that a record carries.

        :param trace: a whole trace
        """
        keys = [np.zeros(0, np.int64)]
        comms = [np.zeros(0, "S16")]
        for event in trace.catalogue.events.values():
            fields = [f for f in event.fields if f.type == "comm" and f.size == 16]
            rows = trace.rows(event) if fields else np.zeros(0, np.int64)
            if not len(rows):
                continue
            for place, comm in enumerate(fields):
                named = event.field(comm.unit)
                if named and named.is_number:
                    pid = trace.column(named, rows).astype(np.int64)
                else:
                    pid = trace.pid[rows]
                task = _task(pid, trace.cpu[rows])
                keys.append(task << _TIME_BITS | rows * _PLACES + place)
                comms.append(trace.column(comm, rows))
        key = np.concatenate(keys)
        order = np.argsort(key)
        self._key = key[order]
        #: Names, each once, and for every key which.
        self._comms, self._code = factorize(np.concatenate(comms)[order])
        self._alive = trace.facts.task_name

    def codes(self, trace: "Trace") -> tuple[list[str], I64]:
        """
        Name the current task of every record.

        A task has the name that was recorded last before; failing that the first
        after; failing that the one that it had at the end.

        :return: names, and for each row the index of its own
        """
        task = _task(trace.pid, trace.cpu)
        names = [decode_comm(name) for name in self._comms.tolist()]
        code = self._find(task, trace.position)
        for key in np.unique(task[code < 0]).tolist():
            code[(task == key) & (code < 0)] = len(names)
            names.append(self._at_end(key))
        return names, code

    def _find(self, task: I64, row: I64) -> I64:
        if not len(self._key):
            return np.full(len(task), -1)
        wanted = task << _TIME_BITS | row * _PLACES + _PLACES - 1
        after = np.searchsorted(self._key, wanted, side="right")
        code = np.full(len(task), -1)
        # Later assignments win: the name before beats the one after.
        for place in (np.minimum(after, len(self._key) - 1), np.maximum(after - 1, 0)):
            same = self._key[place] >> _TIME_BITS == task
            code[same] = self._code[place[same]]
        return code

    def _at_end(self, key: int) -> str:
        if key >= _IDLE:
            return f"swapper/{key - _IDLE}"
        return self._alive(key)


def _task(pid: I64, cpu: I64) -> I64:
    return np.where(pid == 0, _IDLE + cpu, pid & layout.PID_MASK)


def decode_comm(raw: bytes) -> str:
    """Read a name: up to its first zero byte, whatever follows."""
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def factorize(comms: NDArray[np.bytes_]) -> tuple[NDArray[np.bytes_], I64]:
    """Give each name once, and for every entry which; integers sort faster than text."""
    words = np.ascontiguousarray(comms).view("<u8").reshape(-1, 2)
    mixed = words[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ words[:, 1] * np.uint64(
        0xC2B2AE3D27D4EB4F
    )
    _, first, code = np.unique(mixed, return_index=True, return_inverse=True)
    return comms[first], code
