# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst trigger``."""

import time

import click

from lkst.live.recorder import Recorder
from lkst.record.lifecycle.changes import change_recorder
from lkst.record.lifecycle.configured import add_from_text
from lkst.record.lifecycle.triggers import remove_trigger
from lkst.record.trigger.actions import parse_actions
from lkst.record.trigger.table import TriggerStatus, list_triggers
from lkst.util.tables import plain_table
from lkst.util.units import format_duration, parse_rate

__all__ = ("trigger_command",)


@click.group("trigger")
def trigger_command() -> None:
    """Make the kernel act when a condition holds."""


@trigger_command.command("add")
@click.argument("name")
@click.option("--when", required=True, metavar="EXPR", help="Condition: 'wakeup_delay > 50ms'")
@click.option(
    "--do", "actions", required=True, metavar="ACTIONS", help="Actions: 'notify, freeze after 2000'"
)
@click.option(
    "--at-most",
    default="10/s",
    metavar="N/TIME",
    help="Highest rate at which the trigger fires; further hits are only counted.",
)
def trigger_add(name: str, when: str, actions: str, at_most: str) -> None:
    """
    Add a trigger: when EXPR holds for a record, the kernel carries out ACTIONS.

    EXPR compares fields of an event (signal_generate.sig == SIGKILL) or a delay that the recorder
    measures (block_time > 1s); 'and', 'or' and 'not' combine comparisons. An event alone
    (mark_victim) holds for each of its records.

    \b
    ACTIONS, separated by commas:
      notify               report to 'lkst watch'
      stack                record the kernel's stack
      mask=NAME [for 5s]   activate a maskset, for good or for a time
      switch               write to a spare buffer, and keep this one
      freeze [after 2000]  stop recording, at once or after 2000 more slots
    """  # noqa: D301
    rate, todo = parse_rate(at_most), parse_actions(actions)
    with change_recorder() as recorder:
        for line in add_from_text(recorder, name, when, todo, rate):
            click.echo(line, err=True)


@trigger_command.command("list")
def trigger_list() -> None:
    """Show the triggers."""
    rows = [(t.name, t.when, t.action, f"1 in {format_duration(t.interval)}") for t in _triggers()]
    click.echo(plain_table(rows, ["trigger", "when", "do", "at most"]))


@trigger_command.command("status")
def trigger_status() -> None:
    """Show how often each trigger has fired, and when it last fired."""
    now = time.monotonic_ns()
    rows = [
        (t.name, t.fired, t.held, f"{(now - t.last) / 1e9:.3f} s ago" if t.last else "never")
        for t in _triggers()
    ]
    click.echo(plain_table(rows, ["trigger", "fired", "held back", "last"], "lrrr"))


def _triggers() -> list[TriggerStatus]:
    with Recorder() as recorder:
        return list_triggers(recorder.read_control())


@trigger_command.command("remove")
@click.argument("name")
def trigger_remove(name: str) -> None:
    """Remove a trigger."""
    with change_recorder() as recorder:
        remove_trigger(recorder, name)
