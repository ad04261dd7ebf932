# SPDX-License-Identifier: GPL-2.0-or-later
"""
Plots
-----

Plots of results: a histogram, values over time, two measures on one axis.
"""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lkst.measure.result import Result
from lkst.measure.text import bin_value
from lkst.replay.bars import amount, bucket_text
from lkst.sql.connect import need
from lkst.util.files import replacing
from lkst.util.printable import clean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ("SUFFIXES", "draw", "plot")

#: File types, with metadata that make the output reproducible.
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": "lkst"},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
SUFFIXES = tuple(_METADATA)

#: Ratio of the greatest to the least value from which an axis is logarithmic.
_WIDE = 100
_COLOURS = ("#2166ac", "#b2182b")
_DPI = 150


def plot(
    results: Sequence[Result], kinds: Sequence[str], output: Path, narrowed: Sequence[str] = ()
) -> None:
    """
    Draw one measure, or two on one time axis.

    :param kinds: ``hist`` and ``over-time``
    :param output: its suffix, one of SUFFIXES, selects the file type
    :param narrowed: for each result, its filters as text, for the title
    :raises LkstError: if matplotlib is not installed, or the file cannot be written
    """
    need("plot", "matplotlib")
    import matplotlib as mpl

    # Do not parse text from a dump as formulas; keep text as text in SVG.
    with mpl.rc_context({"text.parse_math": False, "svg.fonttype": "none"}):
        _save(draw(results, kinds, narrowed), output)


def draw(results: Sequence[Result], kinds: Sequence[str], narrowed: Sequence[str] = ()) -> "Figure":
    """Return the figure that :func:`plot` writes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4 * len(kinds)), layout="constrained")
    for number, kind in enumerate(kinds, 1):
        axes = figure.add_subplot(len(kinds), 1, number)
        (_draw_histogram if kind == "hist" else _draw_over_time)(axes, results)
        axes.set_title(_title(results if kind != "hist" else results[:1], narrowed))
    return figure


def _title(results: Sequence[Result], narrowed: Sequence[str]) -> str:
    named = zip_longest(results, narrowed[: len(results)], fillvalue="")
    titles = [
        clean(result.measure.title) + (f" ({clean(text)})" if text else "")
        for result, text in named
        if not isinstance(result, str)
    ]
    return " and ".join(titles)


def _save(figure: "Figure", output: Path) -> None:
    suffix = output.suffix.lower()
    with replacing(output) as file:
        figure.savefig(file, format=suffix[1:], dpi=_DPI, metadata=_METADATA[suffix])


def _draw_histogram(axes: Any, results: Sequence[Result]) -> None:
    result = results[0]
    unit = result.measure.unit
    texts = [bucket_text(own.low, own.high, unit) for own in result.histogram]
    counts = [own.count for own in result.histogram]
    axes.bar(range(len(texts)), counts, color=_COLOURS[0])
    axes.set_xticks(range(len(texts)), texts, rotation=45, ha="right")
    axes.set_ylabel("values")
    if _is_wide(counts):
        axes.set_yscale("log")
        # Keep a single value visible.
        axes.set_ylim(bottom=0.5)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _is_wide(values: Sequence[float]) -> bool:
    positive = [value for value in values if value > 0]
    return bool(positive) and max(positive) / min(positive) >= _WIDE


def _draw_over_time(axes: Any, results: Sequence[Result]) -> None:
    for place, (result, colour) in enumerate(zip(results, _COLOURS, strict=False)):
        own = axes if not place else axes.twinx()
        measure = result.measure
        times = [(bin_.start_ns - result.end_ns) / 1e9 for bin_ in result.over_time]
        values = [bin_value(bin_, measure) for bin_ in result.over_time]
        numbers = [float("nan") if value is None else value for value in values]
        own.plot(times, numbers, color=colour, marker="o", markersize=2.5, linewidth=1)
        own.set_ylabel(f"{clean(measure.title)} ({measure.over_time})", color=colour)
        positive = [value for value in numbers if value > 0]
        if not _is_wide(positive):
            own.set_ylim(bottom=0)
        elif 0 in numbers:
            # Linear up to the least value, so that zeros can be drawn.
            own.set_yscale("symlog", linthresh=min(positive))
            own.set_ylim(bottom=0)
        else:
            own.set_yscale("log")
        if measure.unit == "ns" and measure.over_time != "count":
            own.yaxis.set_major_formatter(lambda value, _: amount(value, "ns"))
    bins = results[0].over_time
    if bins:
        end = results[0].end_ns
        axes.set_xlim((bins[0].start_ns - end) / 1e9, (bins[-1].end_ns - end) / 1e9)
    axes.set_xlabel("seconds from the end")
