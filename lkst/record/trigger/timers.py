# SPDX-License-Identifier: GPL-2.0-or-later
"""
Timers in the kernel
--------------------

What happens at a time and not when an event fires: the end of a maskset that is active for a
while, and a heartbeat that is missing.
"""

import time

from lkst.abi.control import Control
from lkst.bpf.programs import run_pinned
from lkst.errors import LkstError
from lkst.live import machine
from lkst.live.recorder import Recorder

__all__ = ("beat", "check_timers", "has_timers", "keep_time")

#: How often the kernel side looks at the clock, in ns.
_PERIOD = 50_000_000


def keep_time(recorder: Recorder) -> None:
    """Have timers run on all CPUs just as long as something waits for a time to come."""
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
    """Whether the kernel can do something at a time, and not only when an event fires."""
    return (recorder.pins / "run" / "lkst_tick").exists()


def check_timers(recorder: Recorder) -> None:
    """
    Refuse what needs a timer where there is none.

    :raises LkstError: on such a kernel
    """
    if not has_timers(recorder):
        raise LkstError(
            "this kernel has no BPF timers (CONFIG_PREEMPT_RT): a maskset cannot be active for a"
            " limited time, and a missing heartbeat cannot be detected"
        )


def beat(control: Control, beating: bool = True) -> None:
    """Tell the kernel side that the heart beats, or that none is to be expected."""
    control.last_heartbeat = time.monotonic_ns() if beating else 0
