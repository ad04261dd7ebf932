# SPDX-License-Identifier: GPL-2.0-or-later
"""
Timers in the kernel
--------------------

Actions at a time instead of an event: the end of a maskset that is active for a limited
time, and a missing heartbeat.
"""

import time

from lkst.abi.control import Control
from lkst.bpf.programs import run_pinned
from lkst.errors import LkstError
from lkst.live import machine
from lkst.live.recorder import Recorder

__all__ = ("check_timers", "has_timers", "set_heartbeat", "update_timers")

#: Period of the BPF timers, in ns.
_PERIOD = 50_000_000


def update_timers(recorder: Recorder) -> None:
    """Run timers on all CPUs if something needs them, and stop them otherwise."""
    control = recorder.live
    timed = any(trigger.used and trigger.duration for trigger in control.trigger)
    wanted = _PERIOD if timed or control.last_heartbeat or control.active_until else 0
    if control.timer_period == wanted:
        return
    if wanted:
        check_timers(recorder)
    control.timer_period = wanted
    if wanted:
        machine.on_each_cpu(lambda: run_pinned(recorder.pins / "run" / "lkst_tick"))


def has_timers(recorder: Recorder) -> bool:
    """Return whether the kernel has BPF timers."""
    return (recorder.pins / "run" / "lkst_tick").exists()


def check_timers(recorder: Recorder) -> None:
    """
    Check that the kernel has BPF timers.

    :raises LkstError: if it has none
    """
    if not has_timers(recorder):
        raise LkstError(
            "this kernel has no BPF timers (CONFIG_PREEMPT_RT): a maskset cannot be active for a"
            " limited time, and a missing heartbeat cannot be detected"
        )


def set_heartbeat(control: Control, expected: bool = True) -> None:
    """Record a heartbeat, or stop expecting one."""
    control.last_heartbeat = time.monotonic_ns() if expected else 0
