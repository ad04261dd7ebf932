# SPDX-License-Identifier: GPL-2.0-or-later
"""
Watching
--------

Prints notices as they arrive, and runs a command for each.
"""

from collections.abc import Callable, Iterator
import json
import os
import subprocess
from typing import NamedTuple

from lkst.errors import LkstError
from lkst.follow.notices import Notice, Notices, notice_trace
from lkst.live.recorder import Recorder
from lkst.replay.serialize import replay_jsonl
from lkst.replay.text import text_lines
from lkst.source.live import live_facts
from lkst.trace.trace import Trace

__all__ = ("Commands", "PrintedNotice", "watch")

#: Interval of checks that the recorder still runs, in seconds.
_PATIENCE = 1.0

#: Most commands that run at the same time; further notices are only printed.
_MAX_RUNNING = 16


class PrintedNotice(NamedTuple):
    """A notice as it is printed."""

    trigger: str
    event: str
    #: The trigger, and the record as in a replay.
    text: str
    #: The record as in ``replay --format jsonl``, with ``trigger``.
    json: str


def watch(report: Callable[[str], None]) -> Iterator[PrintedNotice]:
    """
    Yield notices as they arrive.

    :param report: called with a message if notices were lost
    :raises NotFound: if no recorder runs
    :raises LkstError: if it is stopped
    """
    facts = live_facts()
    with Recorder() as recorder, Notices(recorder) as notices:
        missed = 0
        while True:
            came = notices.read(_PATIENCE)
            # Report losses first, also to callers that stop after some notices.
            if notices.missed() > missed:
                report(f"{notices.missed() - missed} notices were lost: lkst watch was too slow")
                missed = notices.missed()
            for notice in came:
                catalogue = recorder.catalogue_now()
                yield _format_notice(
                    notice, notice_trace(notice, catalogue, recorder.header, facts)
                )
            if not came and not recorder.runs():
                raise LkstError("the recorder was stopped")


def _format_notice(notice: Notice, trace: Trace) -> PrintedNotice:
    text = f"{notice.trigger}: {''.join(text_lines(trace, time='wall'))}"
    record = json.loads("".join(replay_jsonl(trace)))
    return PrintedNotice(
        notice.trigger, record["event"], text, json.dumps({"trigger": notice.trigger, **record})
    )


class Commands:
    """Runs a command for each notice, without waiting for it."""

    def __init__(self, command: str) -> None:
        """:param command: for the shell; the notice is in its environment"""
        self._command = command
        self._running: list[subprocess.Popen[bytes]] = []

    def run(self, said: PrintedNotice) -> bool:
        """
        Run the command for a notice.

        :return: False: too many are still running
        """
        self._running = [process for process in self._running if process.poll() is None]
        if len(self._running) >= _MAX_RUNNING:
            return False
        told = {
            "LKST_TRIGGER": said.trigger,
            "LKST_EVENT": said.event,
            "LKST_RECORD": said.json,
        }
        self._running.append(
            subprocess.Popen(["/bin/sh", "-c", self._command], env={**os.environ, **told})
        )
        return True
