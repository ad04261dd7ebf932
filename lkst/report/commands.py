# SPDX-License-Identifier: GPL-2.0-or-later
"""The command that writes a page."""

from collections.abc import Callable
from pathlib import Path

import click

from lkst.commands import newest, output_option, source_argument, told_status
from lkst.errors import NotFound, Usage
from lkst.report.build import write_report
from lkst.slice.progress import told
from lkst.trace.filters import Filters, apply, parse_last, parse_time

__all__ = ("report_command",)

#: Records that a page shows unless more are asked for.
_LAST = 1_000_000


def _read(name: str, parse: Callable[[str], int], text: str | None) -> int | None:
    try:
        return None if text is None else parse(text)
    except Usage as error:
        raise Usage(f"--{name}: {error}") from None


@click.command("report")
@source_argument
@output_option
@click.option("--last", metavar="N", help=f"The last N records, {_LAST} if nothing is said.")
@click.option("--since", metavar="TIME", help="From then on, counted from the panic: -2s")
@click.option("--until", metavar="TIME", help="Up to then: -0.5s, -300ms, -20us")
def report_command(
    source: str | None, output: Path, last: str | None, since: str | None, until: str | None
) -> int:
    """
    Write an HTML page about SOURCE that needs no network.

    It has what looks wrong, a timeline of all CPUs, the state, measures with plots, the kernel's
    log and the records; --last, --since and --until say which records.
    """
    filters = Filters(
        last=_read("last", parse_last, last) or _LAST,
        since=_read("since", parse_time, since),
        until=_read("until", parse_time, until),
    )
    trace = newest(source)
    shown = apply(trace, filters)
    if len(trace) and not len(shown):
        raise NotFound("no record matched")
    with told() as tell:
        write_report(trace, output, shown, tell)
    status = told_status(trace)
    if not len(trace) and not status:
        raise NotFound("the recorder has no record")
    return status
