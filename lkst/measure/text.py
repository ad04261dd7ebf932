# SPDX-License-Identifier: GPL-2.0-or-later
"""Results of a measure as text."""

from collections.abc import Iterable, Iterator, Sequence
import shutil
import textwrap

from lkst.measure.find import Measure
from lkst.measure.result import Bin, Case, Missing, Result, Statistics
from lkst.replay.bars import amount, bars, bucket_text
from lkst.trace.filters import Filters
from lkst.util.printable import clean
from lkst.util.tables import plain_table

__all__ = (
    "bin_value",
    "histogram_text",
    "measures_rows",
    "measures_text",
    "missing_text",
    "narrowed_text",
    "over_time_text",
    "overlay_text",
    "result_text",
)

_NAMES = ("count", "total", "min", "mean", "p50", "p95", "p99", "max")


def result_text(result: Result) -> Iterator[str]:
    """Yield the statistics and the worst cases as text."""
    measure = result.measure
    unit = "" if measure.unit == "ns" else f", in {clean(measure.unit)}"
    yield f"{clean(measure.title)}{unit}: {clean(measure.description)}\n\n"
    open_ = any(own.open for own in (result.whole, *result.groups))
    names = [clean(name) for name in result.by] or [""]
    rows = [_row(own, result, open_) for own in result.groups]
    rows.append(_row(result.whole, result, open_, "all"))
    heads = [*names, *_NAMES, *(["open"] if open_ else [])]
    align = "l" * len(names) + "r" * (len(heads) - len(names))
    yield _table(rows, heads, align)
    if result.worst and measure.over_time != "count":
        yield "\nworst\n"
        yield _worst(result.worst, measure)


def _table(rows: Sequence[Sequence[str]], heads: Sequence[str], align: str) -> str:
    text = plain_table(rows, heads, align)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _row(own: Statistics, result: Result, open_: bool, name: str = "") -> list[str]:
    unit = result.measure.unit
    group = [clean(text) for text in own.group] or [name] + [""] * (max(len(result.by), 1) - 1)
    # Lengths of queues do not add up.
    total = None if result.measure.over_time == "max" else own.total
    values = (total, own.min, own.mean, own.p50, own.p95, own.p99, own.max)
    shown = ["" if value is None else _value(value, unit) for value in values]
    return [*group, str(own.count), *shown, *([str(own.open)] if open_ else [])]


def _value(value: float, unit: str) -> str:
    if unit == "ns":
        return amount(value, unit)
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _worst(worst: Sequence[Case], measure: Measure) -> str:
    names = list(worst[0].columns)
    rows = [
        [case.around, _value(case.value, measure.unit), *(clean(v or "") for v in columns)]
        for case in worst
        for columns in [case.columns.values()]
    ]
    heads = ["--around", measure.unit if measure.unit != "ns" else "", *map(clean, names)]
    return _table(rows, heads, "rr" + "l" * len(names))


def histogram_text(result: Result) -> str:
    """Return the histogram as text."""
    unit = result.measure.unit
    texts = [bucket_text(own.low, own.high, unit) for own in result.histogram]
    title = f"\n{clean(result.measure.title)}: {result.whole.count} values\n"
    return title + bars(texts, [own.count for own in result.histogram])


def bin_value(own: Bin, measure: Measure) -> float | None:
    """Return the value of a time bin, aggregated as the measure says."""
    if measure.over_time == "count":
        return own.count
    if measure.over_time == "sum":
        return own.total
    return own.max if measure.over_time == "max" else own.mean


def over_time_text(result: Result) -> str:
    """Return the values over time as text."""
    measure = result.measure
    values = [bin_value(own, measure) for own in result.over_time]
    texts = [_since(own, result) for own in result.over_time]
    title = f"\n{clean(measure.title)}: {measure.over_time} over time\n"
    shown = ["" if value is None else _value(value, measure.unit) for value in values]
    return title + bars(texts, [max(value or 0, 0) for value in values], shown)


def _since(own: Bin, result: Result) -> str:
    return f"{(own.start_ns - result.end_ns) / 1e9:+.6f}"


def overlay_text(first: Result, second: Result) -> str:
    """Return two results over the same time as text."""
    lines = [f"\n{clean(own.measure.title)}: {own.measure.over_time}" for own in (first, second)]
    parts = []
    for result in (first, second):
        values = [bin_value(own, result.measure) for own in result.over_time]
        shown = ["" if v is None else _value(v, result.measure.unit) for v in values]
        texts = [""] * len(values)
        parts.append(bars(texts, [max(v or 0, 0) for v in values], shown).splitlines())
    times = [_since(own, first) for own in first.over_time]
    rows = [
        f"  {time}{left}  {right.strip()}\n"
        for time, left, right in zip(times, *parts, strict=True)
    ]
    return "".join([f"{lines[0]} | {lines[1].strip()}\n", *rows])


def missing_text(measure: Measure, missing: Missing) -> str:
    """Return which events are missing, and how to record them."""
    names = " or ".join(clean(name) for name in missing.events)
    if not missing.maskset:
        return f"{measure.name}: needs {names}, which this recorder does not have"
    return (
        f"{measure.name}: {names} was not recorded; maskset {clean(missing.maskset)} records it:"
        f" lkst mask use {clean(missing.maskset)}"
    )


def narrowed_text(filters: Filters, only: Sequence[str] = ()) -> str:
    """Return the filters as text; empty if there are none."""
    words = list(only)
    if filters.cpus is not None:
        words.append(f"cpu {_list(sorted(filters.cpus))}")
    if filters.pids is not None:
        words.append(f"pid {_list(sorted(filters.pids))}")
    if filters.comms is not None:
        words.append(f"comm {_list(filters.comms)}")
    for name, ns in (("since", filters.since), ("until", filters.until)):
        if ns is not None:
            words.append(f"{name} {ns / 1e9:g} s")
    return ", ".join(words)


def _list(values: Iterable[object]) -> str:
    return "|".join(map(str, values))


def measures_text(measures: dict[str, Measure], missing: dict[str, list[Missing]] | None) -> str:
    """
    List measures.

    :param missing: events that each measure lacks; None: not known
    """
    parts = []
    width = shutil.get_terminal_size().columns
    margin = 4 * " "
    for name, measure in measures.items():
        unit = f" ({clean(measure.unit)})" if measure.unit else ""
        parts.append(f"{clean(name)}{unit}\n")
        lacks = "; ".join(" or ".join(own.events) for own in (missing or {}).get(name, ()))
        for text in (clean(measure.description), clean(lacks) and f"not recorded: {clean(lacks)}"):
            parts += [f"{line}\n" for line in _wrap(text, width, margin)]
    return "".join(parts)


def _wrap(text: str, width: int, margin: str) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=margin,
        subsequent_indent=margin,
        break_on_hyphens=False,
        break_long_words=False,
    )


def measures_rows(
    measures: dict[str, Measure], missing: dict[str, list[Missing]] | None
) -> tuple[list[str], list[list[object]]]:
    """
    List measures as rows.

    :return: names of the columns, rows
    """
    rows: list[list[object]] = []
    for name, measure in measures.items():
        lacks = None
        if missing is not None:
            lacks = "; ".join(" or ".join(own.events) for own in missing.get(name, ()))
        rows.append([name, measure.unit, measure.description, lacks])
    return ["measure", "unit", "description", "not_recorded"], rows
