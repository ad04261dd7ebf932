# SPDX-License-Identifier: GPL-2.0-or-later
"""
Heartbeat
---------

A process reports regularly that user space is alive. If it stops, a timer in the kernel
fires an ordinary trigger: ``heartbeat_age > 5s``.
"""

from lkst.errors import LkstError, Usage
from lkst.live.recorder import Recorder
from lkst.record.lifecycle.changes import change_recorder
from lkst.record.lifecycle.config import Heartbeat
from lkst.record.lifecycle.configured import add_from_text
from lkst.record.lifecycle.triggers import remove_trigger
from lkst.record.trigger.table import list_triggers
from lkst.record.trigger.timers import check_timers, set_heartbeat, update_timers
from lkst.util.units import format_duration

__all__ = ("NAME", "HeartbeatSender")

#: Name of its trigger.
NAME = "heartbeat"


class HeartbeatSender:
    """Sends a heartbeat, which is expected while this is open."""

    def __init__(self, wanted: Heartbeat) -> None:
        """
        Check the settings.

        :raises Usage: if they contradict each other
        """
        if wanted.miss <= wanted.every:
            raise Usage(
                f"--miss {format_duration(wanted.miss)} is not longer than --every"
                f" {format_duration(wanted.every)}: --miss must be longer"
            )
        self._when = f"heartbeat_age > {format_duration(wanted.miss)}"
        self._actions = wanted.do
        self._recorder: Recorder | None = None

    def __enter__(self) -> "HeartbeatSender":
        """
        Start to expect heartbeats.

        :raises NotFound: if no recorder runs
        """
        with change_recorder() as recorder:
            check_timers(recorder)
            control = recorder.live
            # Take over from a process that died.
            if any(trigger.name == NAME for trigger in list_triggers(control)):
                remove_trigger(recorder, NAME)
            set_heartbeat(control)
            add_from_text(recorder, NAME, self._when, self._actions, None)
            update_timers(recorder)
        self._recorder = Recorder(writable=True)
        return self

    def beat(self) -> None:
        """
        Send one heartbeat.

        :raises LkstError: if the recorder was stopped
        """
        assert self._recorder
        if not self._recorder.runs():
            raise LkstError("the recorder was stopped")
        set_heartbeat(self._recorder.live)

    def __exit__(self, *_: object) -> None:
        """Stop expecting it."""
        assert self._recorder
        if not self._recorder.runs():
            return
        with change_recorder() as recorder:
            set_heartbeat(recorder.live, expected=False)
            if any(trigger.name == NAME for trigger in list_triggers(recorder.live)):
                remove_trigger(recorder, NAME)
