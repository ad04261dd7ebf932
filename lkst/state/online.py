# SPDX-License-Identifier: GPL-2.0-or-later
"""
Offline CPUs
------------

Found in the dump if there is one, otherwise in the records of CPU hotplug
(include/trace/events/cpuhp.h).
"""

import numpy as np

from lkst.trace.event_table import last_by, table
from lkst.trace.facts import End
from lkst.trace.trace import Trace

__all__ = ("find_offline",)

#: CPUHP_OFFLINE of enum cpuhp_state: target of a CPU that is taken down.
_OFFLINE = 0


def find_offline(trace: Trace, end: End | None = None) -> dict[int, int | None]:
    """
    Find the CPUs that were offline when a trace ends.

    :param end: what the dump says
    :return: CPU -> when it went offline, in ns of CLOCK_MONOTONIC; None: not known
    """
    went = _went(trace)
    panicked = trace.panic_row
    alive = set() if panicked is None else {int(trace.cpu[panicked])}
    if end and end.panic_cpu is not None:
        alive.add(end.panic_cpu)
    last = last_by(trace.cpu, trace.ts)
    known = end.offline if end and end.offline is not None else went.keys()
    return {cpu: went.get(cpu, last.get(cpu)) for cpu in sorted(known) if cpu not in alive}


def _went(trace: Trace) -> dict[int, int]:
    # Find the CPUs whose last hotplug step led down, and when they ran last. A CPU takes the
    # first steps down itself. Once another CPU takes them for it, it no longer runs.
    enter = table(trace, "cpuhp_enter", "cpu_id", "target")
    leave = table(trace, "cpuhp_exit", "cpu_id", "ret")
    if not len(enter) or not len(leave):
        return {}
    enters = last_by(enter["cpu_id"], np.arange(len(enter)))
    leaves = last_by(leave["cpu_id"], np.arange(len(leave)))
    last = last_by(trace.cpu, np.arange(len(trace)))
    found = {}
    for cpu, index in enters.items():
        left = leaves.get(cpu)
        if left is None or enter["target"][index] != _OFFLINE or leave["ret"][left]:
            continue
        row, own = int(leave.rows[left]), last.get(cpu, -1)
        if row > max(own, int(enter.rows[index])) and int(trace.cpu[row]) != cpu:
            found[cpu] = int(trace.ts[own if own >= 0 else row])
    return found
