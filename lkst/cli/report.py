# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst report``."""

from dataclasses import replace
from pathlib import Path

import click

from lkst.cli.filter_options import filter_options_of
from lkst.cli.source import newest, output_option, report_damage, source_argument
from lkst.errors import NotFound
from lkst.report.build import write_report
from lkst.source.source import Source
from lkst.trace.filters import Filters, apply
from lkst.util.progress import show_progress

__all__ = ("report_command",)

#: Default number of records on a page.
_LAST = 1_000_000


@click.command("report")
@source_argument
@output_option
@filter_options_of(("last", "since", "until"))
def report_command(source: Source | None, output: Path, filters: Filters) -> int:
    """
    Write an HTML page about SOURCE that needs no network.

    The page shows what looks wrong, a timeline of all CPUs, the state, measures with plots, the
    kernel's log and the records: the last million, or those that --last, --since and --until
    choose.
    """
    trace = newest(source)
    shown = apply(trace, replace(filters, last=filters.last or _LAST))
    if len(trace) and not len(shown):
        raise NotFound("no record matched")
    with show_progress() as report:
        write_report(trace, output, shown, report)
    status = report_damage(trace)
    if not len(trace) and not status:
        raise NotFound("the recorder has no records")
    return status
