# SPDX-License-Identifier: GPL-2.0-or-later
"""Many records that hang together: tasks that run, call, fault and are interrupted."""

import numpy as np
from synthetic import Synthetic

from lkst.abi import layout
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace

__all__ = ("plenty",)

#: What happens over and over on a CPU: events, and ns until the next one.
_ROUND = (
    ("sched_switch", 2_000),
    ("sys_exit", 900),
    ("sys_enter", 1_500),
    ("irq_handler_entry", 700),
    ("irq_handler_exit", 100),
    ("softirq_entry", 2_500),
    ("softirq_exit", 400),
    ("sys_exit", 1_100),
    ("page_fault_user", 3_000),
    ("sys_enter", 600),
)
_TASKS = 50


def plenty(count: int, nr_cpus: int = 2) -> Trace:
    """
    Make a trace.

    :param count: records of each CPU, a power of two
    """
    made = Synthetic(nr_cpus=nr_cpus, nr_slots=count)
    random = np.random.default_rng(1)
    slots = np.zeros((nr_cpus, count, layout.SLOT_SIZE // 8), np.uint64)
    place = np.arange(count) % len(_ROUND)
    ids = np.array([made.id(name) for name, _ in _ROUND])[place]
    gaps = np.array([gap for _, gap in _ROUND])[place]
    turn = np.arange(count) // len(_ROUND)
    # The end: the newest record is that of a panic.
    ids[-1] = made.id("panic")
    names = [int.from_bytes(f"task{n:<3}".encode(), "little") for n in range(_TASKS)]
    for cpu in range(nr_cpus):
        ring = slots[cpu]
        pid = 100 + cpu * _TASKS + random.integers(0, _TASKS, turn[-1] + 2)
        switch = place == 0
        own = np.where(switch, pid[turn], pid[turn + 1])
        ring[:, 0] = np.arange(count) | made.tag << layout.SEQ_BITS
        ring[:, 1] = ids | cpu << 16 | own << layout.PID_SHIFT | 1 << layout.NR_SHIFT
        ring[:, 2] = 10**9 + np.cumsum(gaps + random.integers(0, 500, count))
        comm = np.array(names)
        # prev_comm, next_comm, prev_state and next_pid of sched_switch.
        ring[switch, 3] = comm[pid[turn[switch]] % _TASKS]
        ring[switch, 5] = comm[pid[turn[switch] + 1] % _TASKS]
        ring[switch, 7] = pid[turn[switch] + 1].astype(np.uint64) << np.uint64(32)
        # arg0 and nr of sys_enter; ret and nr of sys_exit
        ring[place == 2, 3] = ring[place == 9, 3] = 3
        for at, word, number in ((2, 7, 0), (7, 4, 0), (9, 7, 1), (1, 4, 1)):
            ring[place == at, word] = number
    made.heads[:] = [count] * nr_cpus
    image = made.image()
    image.buffers[0].rings = slots.tobytes()
    return build_trace(image, Facts())
