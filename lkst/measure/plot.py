# SPDX-License-Identifier: GPL-2.0-or-later
"""
Plots
-----

What a measure finds as a picture: a histogram, values over time, two on one axis.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lkst.errors import Usage
from lkst.files import replacing
from lkst.measure.result import Result
from lkst.measure.text import bin_value
from lkst.replay.bars import amount, bucket_text
from lkst.replay.clean import clean
from lkst.sql.connect import need

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ("SUFFIXES", "plot")

SUFFIXES = (".png", ".svg")

_COLOURS = ("#2166ac", "#b2182b")
_DPI = 150


def plot(results: Sequence[Result], kinds: Sequence[str], output: Path) -> None:
    """
    Draw one measure, or two on one time axis.

    :param kinds: ``hist`` and ``over-time``
    :param output: its suffix, one of SUFFIXES, says what it is to be
    :raises LkstError: if matplotlib is not installed, or the file cannot be written
    """
    if output.suffix.lower() not in SUFFIXES:
        raise Usage(f"{output}: plots are .png or .svg")
    need("plot", "matplotlib")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # What comes from a dump is no formula, and a text stays one in SVG.
    with mpl.rc_context({"text.parse_math": False, "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 4 * len(kinds)), layout="constrained")
        for number, kind in enumerate(kinds, 1):
            axes = figure.add_subplot(len(kinds), 1, number)
            (_draw_histogram if kind == "hist" else _draw_over_time)(axes, results)
        _save(figure, output)


def _save(figure: "Figure", output: Path) -> None:
    with replacing(output) as file:
        # Without a date the same trace gives the same file.
        metadata = {"Date": None} if output.suffix.lower() == ".svg" else {"Software": "lkst"}
        figure.savefig(file, format=output.suffix.lower()[1:], dpi=_DPI, metadata=metadata)


def _draw_histogram(axes: Any, results: Sequence[Result]) -> None:
    result = results[0]
    unit = result.measure.unit
    texts = [bucket_text(own.low, own.high, unit) for own in result.histogram]
    axes.bar(range(len(texts)), [own.count for own in result.histogram], color=_COLOURS[0])
    axes.set_xticks(range(len(texts)), texts, rotation=45, ha="right")
    axes.set_ylabel("values")
    axes.set_title(clean(result.measure.title))


def _draw_over_time(axes: Any, results: Sequence[Result]) -> None:
    for place, (result, colour) in enumerate(zip(results, _COLOURS, strict=False)):
        own = axes if not place else axes.twinx()
        measure = result.measure
        times = [(bin_.start_ns - result.end_ns) / 1e9 for bin_ in result.over_time]
        values = [bin_value(bin_, measure) for bin_ in result.over_time]
        numbers = [float("nan") if value is None else value for value in values]
        own.plot(times, numbers, color=colour, marker="o", markersize=2.5, linewidth=1)
        own.set_ylabel(f"{clean(measure.title)} ({measure.over_time})", color=colour)
        own.set_ylim(bottom=0)
        if measure.unit == "ns":
            own.yaxis.set_major_formatter(lambda value, _: amount(value, "ns"))
    axes.set_xlabel("seconds from the end")
    axes.set_title(" and ".join(clean(result.measure.title) for result in results))
