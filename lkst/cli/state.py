# SPDX-License-Identifier: GPL-2.0-or-later
"""The command that tells where it died."""

import click

from lkst.cli.source import newest, report_damage, source_argument
from lkst.errors import NotFound
from lkst.source.source import Source
from lkst.state.build import build_state
from lkst.state.machine import state_json
from lkst.state.rules import find_suspicions
from lkst.state.text import state_text
from lkst.util.pager import paged, write

__all__ = ("state_command",)


@click.command("state")
@source_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Format of the output.",
)
def state_command(source: Source | None, form: str) -> int:
    """
    Show what every CPU and task of SOURCE was doing at the end, and what looks wrong.

    Suspicions come in this order: faults that the kernel reports; tasks that hold what others wait
    for; tasks that have used up a resource; tasks that wait for long; other oddities. Each has
    times as evidence: look at them with 'lkst replay --around TIME'.
    """
    trace = newest(source)
    state = build_state(trace, trace.facts.end())
    suspicions = find_suspicions(state)
    with paged() as stream:
        if form == "json":
            stream.write(state_json(state, suspicions))
        else:
            write(stream, state_text(state, suspicions))
    status = report_damage(trace)
    if not len(trace) and not status:
        raise NotFound("the recorder has no record")
    return status
