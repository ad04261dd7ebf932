# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst state``."""

import click

from lkst.cli.source import newest, report_damage, source_argument
from lkst.errors import NotFound
from lkst.replay.formats import format_option
from lkst.source.source import Source
from lkst.state.build import build_state
from lkst.state.rules import find_suspicions
from lkst.state.serialize import state_json, suspicions_text
from lkst.state.text import state_text
from lkst.util.pager import paged, write

__all__ = ("state_command",)


@click.command("state")
@source_argument
@format_option
def state_command(source: Source | None, form: str) -> int:
    """
    Show what every CPU and task of SOURCE was doing at the end, and what looks wrong.

    Suspicions come in this order: faults that the kernel reports; tasks that hold what others wait
    for; tasks that have used up a resource; tasks that wait for long; other oddities. Each has
    times as evidence: look at them with 'lkst replay --around TIME'.

    Formats: jsonl and csv have a row for each suspicion.
    """
    trace = newest(source)
    state = build_state(trace, trace.facts.end())
    suspicions = find_suspicions(state)
    with paged() as stream:
        if form == "json":
            stream.write(state_json(state, suspicions))
        elif form != "text":
            stream.write(suspicions_text(state, suspicions, form))
        else:
            write(stream, state_text(state, suspicions))
    status = report_damage(trace)
    if not len(trace) and not status:
        raise NotFound("the recorder has no records")
    return status
