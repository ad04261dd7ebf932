# SPDX-License-Identifier: GPL-2.0-or-later
"""The argument SOURCE of commands, or the source of the host; and reports of its damage."""

from pathlib import Path

import click

from lkst.errors import Damaged, NotFound, Usage
from lkst.source import open_source
from lkst.source.host import Host
from lkst.source.source import Source, take_source
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = (
    "newest",
    "open_traces",
    "opened",
    "output_option",
    "report_damage",
    "report_faults",
    "source_argument",
)

output_option = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.",
)


def _take_source(
    ctx: click.Context, param: click.Parameter, words: tuple[str, ...]
) -> Source | None:
    if not words:
        return None
    source, rest = take_source(words)
    if rest:
        raise click.UsageError(f"Got unexpected extra argument ({rest[0]})", ctx)
    return source


#: One word, or all parts of a split dump.
source_argument = click.argument("source", nargs=-1, metavar="[SOURCE]", callback=_take_source)


def open_traces(source: Source | None) -> list[Trace]:
    """Read the traces of the given source, or of the host."""
    where = opened(source)
    if not isinstance(where, Host):
        return open_source(where)
    traces = where.traces()
    if not traces:
        raise NotFound(f"{where.source}: contains no recorder")
    return traces


def opened(source: Source | None) -> Source | Host:
    """Return the source: the given one, or the host's."""
    host = click.get_current_context().obj
    if not isinstance(host, Host):
        if source is None:
            raise Usage(
                "SOURCE is missing: a vmcore, a .lkst file or a folder of them, live, kcore or"
                " qemu:ADDRESS"
            )
        return source
    if source is not None:
        raise Usage(f"SOURCE cannot be given here: it is {host.source}")
    return host


def newest(source: Source | None) -> Trace:
    """Read the trace of the recorder that was started last."""
    traces = open_traces(source)
    if len(traces) > 1:
        click.echo(f"lkst: {len(traces)} recorders found; showing the one started last", err=True)
    return traces[0]


def report_damage(*traces: Trace) -> int:
    """Print the damage of a source in one line, and return the exit status for it."""
    faults = []
    for trace in traces:
        faults += [*trace.facts.notes, *trace.image.faults, *trace.faults]
        for what in ("torn", "unreadable"):
            lost = {loss.cpu: count for loss in trace.losses if (count := getattr(loss, what))}
            if lost:
                faults.append(_lost_slots(lost, what))
    return report_faults(traces[0], faults)


#: With more CPUs than this, a message does not list them.
_MAX_CPUS_NAMED = 4


def _lost_slots(lost: dict[int, int], what: str) -> str:
    """
    Return a message about unusable slots of CPUs.

    :param lost: number of slots by CPU
    """
    if len(lost) > _MAX_CPUS_NAMED:
        return f"{sum(lost.values())} slots of {len(lost)} CPUs are {what}"
    return f"{' and '.join(f'{n} slots of CPU {cpu}' for cpu, n in lost.items())} are {what}"


def report_faults(trace: Trace, faults: list[str]) -> int:
    """Print the damage of a source in one line, and return the exit status for it."""
    if not faults:
        return 0
    line = "; ".join(clean(fault) for fault in dict.fromkeys(faults))
    click.echo(f"lkst: {trace.facts.source}: {line}", err=True)
    return Damaged.status
