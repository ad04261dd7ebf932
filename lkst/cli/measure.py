# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst measure``."""

from functools import partial
from pathlib import Path

import click

from lkst.cli.filter_options import MEASURED, filter_options_of
from lkst.cli.source import newest, report_damage
from lkst.errors import NotFound, Usage
from lkst.measure.find import find_measure, find_measures
from lkst.measure.missing import find_missing
from lkst.measure.result import Result
from lkst.measure.run import BINS, GROUPS, WORST, run_measure
from lkst.measure.serialize import bins_rows, buckets_rows, result_json, statistics_rows
from lkst.measure.text import (
    histogram_text,
    measures_rows,
    measures_text,
    missing_text,
    narrowed_text,
    over_time_text,
    overlay_text,
    result_text,
)
from lkst.replay.formats import format_option_of
from lkst.source.host import Host
from lkst.source.source import Source, is_source, take_source
from lkst.sql.write import FORMATS, check_output, put
from lkst.trace.filters import Filters
from lkst.util.files import replacing
from lkst.util.pager import paged
from lkst.util.progress import show_progress

__all__ = ("measure_command",)

#: Suffixes of text files.
_TEXT_SUFFIXES = ("", ".txt")


@click.command("measure")
@click.argument("words", nargs=-1, metavar="[SOURCE] [NAME]")
@click.option(
    "--by",
    metavar="COLUMNS",
    help="Group values by these columns: task, cpu, ...; '': do not group.",
)
@filter_options_of(MEASURED)
@click.option(
    "--only",
    multiple=True,
    metavar="COLUMN=PATTERN",
    help="Only values whose COLUMN matches: name=read, 'lock=*_lock'.",
)
@click.option("--hist", is_flag=True, help="Show a histogram of the values.")
@click.option("--over-time", is_flag=True, help="Show the values over time.")
@click.option("--overlay", metavar="NAME", help="Show another measure over the same time.")
@click.option(
    "--bins", type=click.IntRange(1, 10_000), default=BINS, help="Intervals that --over-time shows."
)
@click.option(
    "--worst", type=click.IntRange(0, 100_000), default=WORST, help="Worst cases to show."
)
@click.option(
    "--groups",
    type=click.IntRange(1, 1_000_000),
    default=GROUPS,
    help="Groups to show: those with the largest totals.",
)
@format_option_of(FORMATS)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; .png, .svg or .pdf: a plot of --hist, --over-time or --overlay.",
)
@click.option(
    "--measure-path",
    "paths",
    multiple=True,
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="Folder or file with more measures.",
)
def measure_command(
    words: tuple[str, ...],
    by: str | None,
    filters: Filters,
    only: tuple[str, ...],
    hist: bool,
    over_time: bool,
    overlay: str | None,
    bins: int,
    worst: int,
    groups: int,
    form: str,
    output: Path | None,
    paths: tuple[Path, ...],
) -> int:
    """
    Find out what was slow in SOURCE, how often, and when.

    Without NAME, list the measures. Look at the times of the worst cases with
    'lkst replay --around TIME'. What begins or ends outside of the trace is counted as open.
    """
    measures = find_measures(paths)
    source, name = _split(words, set(measures))
    kinds = [
        kind for kind, wanted in (("hist", hist), ("over-time", over_time or overlay)) if wanted
    ]
    if name is None:
        if kinds or output or only or by is not None:
            raise Usage("NAME of the measure is missing")
        return _list(source, paths, form)
    measure = find_measure(name, measures)
    other = find_measure(overlay, measures) if overlay else None
    if overlay and (hist or by is not None):
        raise Usage("--overlay shows two measures over time: remove --hist and --by")
    check_output(form, output)
    _check_suffix(form, output, kinds)
    from lkst.sql.connect import connect

    trace = newest(source)
    connection = connect(trace)
    with show_progress() as report:
        report(f"measuring {measure.name}")
        ran = partial(run_measure, connection, trace, bins=bins, worst=worst, groups=groups)
        results = [ran(measure, by, filters, only=_only(only))]
        if other:
            report(f"measuring {other.name}")
            results.append(ran(other, "", filters))
    status = report_damage(trace)
    found = True
    for result in results:
        for missing in result.missing:
            click.echo(f"lkst: {missing_text(result.measure, missing)}", err=True)
        found = found and bool(result.whole.count or result.whole.open)
    if output and _is_plot(output):
        for result in results:
            if not result.whole.count:
                open_ = f" ({result.whole.open} are open)" if result.whole.open else ""
                raise NotFound(f"{result.measure.name}: no values to draw{open_}")
        from lkst.measure.plot import plot

        plot(results, kinds, output, [narrowed_text(filters, only), narrowed_text(filters)])
    elif found or form != "text":
        _write(results, kinds, form, output)
    if not found and not status:
        if any(result.missing for result in results):
            return NotFound.status
        raise NotFound(f"{measure.name}: the trace has no records for it")
    return status


def _is_plot(output: Path) -> bool:
    from lkst.measure.plot import SUFFIXES

    return output.suffix.lower() in SUFFIXES


def _check_suffix(form: str, output: Path | None, kinds: list[str]) -> None:
    """
    Check that a file's suffix matches its content.

    :raises Usage: if it does not
    """
    if output is None:
        return
    if _is_plot(output):
        if form != "text":
            raise Usage(f"{output}: a plot cannot have the format {form}: remove --format")
        if not kinds:
            raise Usage(f"{output}: nothing to draw: add --hist, --over-time or --overlay")
    elif form == "text" and output.suffix.lower() not in _TEXT_SUFFIXES:
        from lkst.measure.plot import SUFFIXES

        raise Usage(
            f"{output}: type {output.suffix} is not known: plots are {', '.join(SUFFIXES)}, text is"
            " .txt, other formats are asked for with --format"
        )


def _only(words: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for word in words:
        column, separator, pattern = word.partition("=")
        if not separator or not column:
            raise Usage(f"--only: {word!r} is not COLUMN=PATTERN")
        pairs[column.strip()] = pattern
    return pairs


def _split(words: tuple[str, ...], names: set[str]) -> tuple[Source | None, str | None]:
    rest = list(words)
    source: Source | None = None
    hosted = isinstance(click.get_current_context().obj, Host)
    if rest and not hosted and (len(rest) > 1 or rest[0] not in names or is_source(rest[0])):
        source, rest = take_source(rest)
    name = rest.pop(0) if rest else None
    if rest:
        raise Usage(f"unexpected: {' '.join(rest)}")
    return source, name


def _list(source: Source | None, paths: tuple[Path, ...], form: str) -> int:
    measures = find_measures(paths)
    trace = missing = None
    if source is not None or isinstance(click.get_current_context().obj, Host):
        trace = newest(source)
        missing = {name: find_missing(trace, measure) for name, measure in measures.items()}
    if form == "parquet":
        raise Usage("the list of measures cannot be written as parquet: give NAME")
    if form == "text":
        with paged() as stream:
            stream.write(measures_text(measures, missing))
    else:
        put(*measures_rows(measures, missing), form, None)
    return report_damage(trace) if trace is not None else 0


def _write(results: list[Result], kinds: list[str], form: str, output: Path | None) -> None:
    first = results[0]
    if form == "json":
        _put_text(result_json(results), output)
    elif form == "text":
        _put_text("".join(_tables(results, kinds)), output)
    elif len(kinds) > 1 or len(results) > 1:
        raise Usage(f"--format {form} holds one table: use --hist or --over-time, with one measure")
    else:
        rows = {"hist": buckets_rows, "over-time": bins_rows}.get(
            kinds[0] if kinds else "", statistics_rows
        )
        put(*rows(first), form, output)


def _tables(results: list[Result], kinds: list[str]) -> list[str]:
    parts = [part for result in results for part in (*result_text(result), "\n")]
    if "hist" in kinds:
        parts.append(histogram_text(results[0]))
    if "over-time" in kinds:
        parts.append(overlay_text(*results) if len(results) > 1 else over_time_text(results[0]))
    return parts


def _put_text(text: str, output: Path | None) -> None:
    if output is None:
        with paged() as stream:
            stream.write(text)
        return
    with replacing(output) as file:
        file.write(text.encode())
