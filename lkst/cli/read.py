# SPDX-License-Identifier: GPL-2.0-or-later
"""
The commands that read a source.

Imports that only one command needs are inside the command: a replay must start fast.
"""

from collections.abc import Iterator
import math
import os
from pathlib import Path
import sys
from typing import Any

import click

from lkst.cli.completion import complete_event
from lkst.cli.filter_options import filter_options
from lkst.cli.source import (
    newest,
    open_traces,
    opened,
    output_option,
    report_damage,
    report_faults,
    source_argument,
)
from lkst.decode.catalogue import Catalogue
from lkst.errors import Damaged, LkstError, NotFound, Usage
from lkst.replay.colour import use_colour
from lkst.replay.formats import format_option, json_array
from lkst.replay.text import replay_text
from lkst.replay.times import TIMES
from lkst.source.host import Host
from lkst.source.source import Source, is_source, take_source
from lkst.trace.filters import Filters, apply, parse_patterns
from lkst.trace.foreign import KINDS
from lkst.trace.trace import Trace
from lkst.util.lists import split_list
from lkst.util.pager import paged, write
from lkst.util.printable import clean

__all__ = (
    "counts_command",
    "events_command",
    "list_command",
    "replay_command",
    "save_command",
    "slice_command",
)


@click.command("list")
@source_argument
@format_option
def list_command(source: Source | None, form: str) -> int:
    """
    Show the recorders in SOURCE: the records of each CPU, their time span, and what was lost.

    Formats: jsonl and csv have a row for each CPU, json has an object for each recorder.
    """
    from lkst.replay.listing import list_json, list_rows, list_text

    traces = open_traces(source)
    with paged() as stream:
        if form in ("jsonl", "csv"):
            stream.write(list_rows(traces, form))
        else:
            for trace in traces:
                stream.write(list_text(trace) if form == "text" else list_json(trace))
    return report_damage(*traces)


@click.command("replay")
@source_argument
@filter_options
@format_option
@click.option(
    "--time",
    type=click.Choice(TIMES),
    default=TIMES[0],
    help="Times: seconds before the panic, wall clock (UTC), or CLOCK_MONOTONIC.",
)
@click.option(
    "--with",
    "others",
    metavar="LIST",
    multiple=True,
    help="Add lines of dmesg, ftrace, or ringbuf (BPF ring buffers of other programs).",
)
def replay_command(
    source: Source | None, filters: Filters, form: str, time: str, others: tuple[str, ...]
) -> int:
    """Print the sequence of events of SOURCE up to the panic."""
    if others:
        return _replay_timeline(source, filters, form, time, _kinds(",".join(others)))
    trace = newest(source)
    chosen = apply(trace, filters)
    with paged(at_end=True) as stream:
        write(stream, _replayed(chosen, form, time))
    status = report_damage(trace)
    if not len(chosen) and not status:
        raise NotFound("no record matched" if len(trace) else "the recorder has no records")
    return status


def _replayed(trace: Trace, form: str, time: str) -> Iterator[str]:
    if form == "text":
        return replay_text(trace, use_colour(sys.stdout), time)
    from lkst.replay.serialize import replay_csv, replay_jsonl

    if form == "csv":
        return replay_csv(trace)
    return replay_jsonl(trace) if form == "jsonl" else json_array(replay_jsonl(trace))


def _kinds(text: str) -> list[str]:
    kinds = split_list(text, "name")
    for kind in kinds:
        if kind not in KINDS:
            raise Usage(f"--with: {kind!r} is unknown: use {', '.join(KINDS)}")
    return kinds


def _replay_timeline(
    source: Source | None, filters: Filters, form: str, time: str, kinds: list[str]
) -> int:
    if form == "csv":
        raise Usage("--with needs the format text or jsonl: CSV has no column for the origin")
    from lkst.replay.timeline import timeline_jsonl, timeline_text
    from lkst.trace.timeline import build_timeline

    trace = newest(source)
    line = build_timeline(trace, kinds, filters)
    with paged(at_end=True) as stream:
        if form != "text":
            lines = timeline_jsonl(line)
            write(stream, lines if form == "jsonl" else json_array(lines))
        else:
            write(stream, timeline_text(line, use_colour(sys.stdout), time))
    status = report_damage(trace)
    if not len(line.trace) and not line.entries and not status:
        raise NotFound("nothing matched")
    return status


@click.command("counts")
@source_argument
@click.option(
    "--event",
    "events",
    metavar="NAMES",
    multiple=True,
    help="Events, by name, category or LKST's old name: 'sched_*,irq'",
)
@format_option
def counts_command(source: Source | None, events: tuple[str, ...], form: str) -> int:
    """
    Show what was counted instead of recorded: counts of events, and histograms.

    Formats: jsonl and csv have a row for each event that was counted, and one for each bucket of a
    histogram, low <= value < high of the field.
    """
    from lkst.decode.counts import read_counts
    from lkst.replay.counts import chosen_counts, show_counts

    trace = newest(source)
    patterns = parse_patterns(",".join(events)) if events else None
    counts = chosen_counts(read_counts(trace.image, trace.catalogue), trace.catalogue, patterns)
    if counts.events or counts.histograms:
        with paged() as stream:
            stream.write(show_counts(counts, trace.catalogue, form))
    # Damage in the rings is not reported: that would need to decode all of them.
    status = report_faults(
        trace,
        [*trace.facts.notes, *trace.image.faults, *trace.catalogue.faults, *counts.faults],
    )
    if not (counts.events or counts.histograms or status):
        raise NotFound("nothing was counted: no event has the handler count or hist")
    return status


@click.command("save")
@source_argument
@output_option
@filter_options
def save_command(source: Source | None, output: Path, filters: Filters) -> int:
    """Save the trace of SOURCE, or the records that match, to a file."""
    from lkst.source.saved import save_trace

    trace = newest(source)
    chosen = apply(trace, filters)
    if not len(chosen):
        raise NotFound("no record matched")
    save_trace(chosen, output)
    return report_damage(trace)


@click.command("slice")
@source_argument
@output_option
def slice_command(source: Source | None, output: Path) -> int:
    """Cut the smallest vmcore that still replays out of SOURCE, a vmcore."""
    from lkst.slice import cut_slice

    where = opened(source)
    result = cut_slice(where.program if isinstance(where, Host) else where, output)
    click.echo(str(result))
    if result.faults:
        click.echo(f"lkst: {clean('; '.join(result.faults))}", err=True)
    return Damaged.status if result.faults else 0


@click.command("events")
@click.argument("words", nargs=-1, metavar="[SOURCE] [PATTERN]", shell_complete=complete_event)
@format_option
@click.option(
    "--cost",
    is_flag=False,
    flag_value=5.0,
    type=click.FloatRange(0.1, 3600),
    metavar="[SECONDS]",
    help="Measure what each event costs on this machine now, for 5 s or SECONDS.",
)
@click.option("--maskset", help="With --cost: measure this maskset, in a temporary recorder.")
def events_command(
    words: tuple[str, ...], form: str, cost: float | None, maskset: str | None
) -> int:
    """
    Show the catalogue of events: of SOURCE, or of this version of lkst.

    PATTERN selects events by name, category, or name in the LKST of 2001-2005: sched_switch, irq,
    'sched_*', PROCESS_WAKEUP.

    --cost shows what each event of the active maskset costs, or of the maskset "default" if no
    recorder runs. If several events share a BPF program, one of them shows its cost. --cost
    switches on the kernel's BPF statistics for that time; they make each call a little slower,
    and are part of the cost.
    """
    if cost is not None:
        if math.isnan(cost):
            raise Usage("nan is not a time: give a number of seconds")
        if words:
            raise Usage("--cost measures a maskset: remove SOURCE and PATTERN")
        click.echo(_cost(cost, maskset, form), nl=False)
        return 0
    if maskset:
        raise Usage("--maskset needs --cost")
    from lkst.replay.events import show_events

    source, pattern = _split_words(words)
    trace = _given_trace(source)
    text = show_events(_known_catalogue() if trace is None else trace.catalogue, pattern, form)
    with paged() as stream:
        stream.write(text)
    return 0 if trace is None else report_damage(trace)


def _cost(seconds: float, name: str | None, form: str) -> str:
    from lkst.cli.cost_text import show_cost
    from lkst.live.recorder import PINS
    from lkst.record.cost import measure_cost, temporary_recorder
    from lkst.record.maskset.store import open_store
    from lkst.util.progress import show_progress

    if os.geteuid() != 0:
        raise LkstError("only root may measure what recording costs")
    with show_progress() as report:
        report(f"measuring for {seconds:g} s")
        if name is None and PINS.is_dir():
            cost = measure_cost(seconds)
        else:
            with temporary_recorder(open_store().load(name or "default")) as pins:
                cost = measure_cost(seconds, pins)
    return show_cost(cost, form)


def _split_words(words: tuple[str, ...]) -> tuple[Source | None, str | None]:
    source: Source | None = None
    pattern = None
    rest = list(words)
    if rest and is_source(rest[0]):
        source, rest = take_source(rest)
    if rest:
        pattern = rest.pop(0)
    if rest:
        raise Usage(f"unexpected: {' '.join(rest)}")
    return source, pattern


def _given_trace(source: Source | None) -> Trace | None:
    """Read the newest trace of the source or the host; None: there is neither."""
    host: Any = click.get_current_context().obj
    return open_traces(source)[0] if source is not None or isinstance(host, Host) else None


def _known_catalogue() -> Catalogue:
    from lkst.record.programs.catalogue import known_catalogue

    return known_catalogue()
