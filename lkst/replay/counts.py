# SPDX-License-Identifier: GPL-2.0-or-later
"""
Counts
------

What was counted instead of recorded: how often each event occurred, and how the
values of its fields were spread.
"""

from collections.abc import Iterable

from tabulate import tabulate

from lkst import layout
from lkst.decode.catalogue import Catalogue
from lkst.decode.counts import Counts, Histogram
from lkst.replay.clean import as_json, clean
from lkst.trace.filters import match_events

__all__ = ("chosen_counts", "counts_json", "counts_text")

_BAR = 40

#: Units from which a number is shown in the next one, by the unit that it is in.
_STEPS = {
    "ns": ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns")),
    "": (
        (1 << 60, "E"),
        (1 << 50, "P"),
        (1 << 40, "T"),
        (1 << 30, "G"),
        (1 << 20, "M"),
        (1 << 10, "K"),
        (1, ""),
    ),
}


def chosen_counts(counts: Counts, catalogue: Catalogue, patterns: Iterable[str] | None) -> Counts:
    """
    Give what was counted of some events.

    :param patterns: as ``--event`` takes them; None: all
    :raises Usage: if one of them matches nothing
    """
    if patterns is None:
        return counts
    wanted = {event.id for event in match_events(catalogue, patterns)}
    return Counts(
        {id_: count for id_, count in counts.events.items() if id_ in wanted},
        [hist for hist in counts.histograms if hist.event.id in wanted],
        counts.faults,
    )


def counts_text(counts: Counts, catalogue: Catalogue) -> str:
    """Show counts as a table and histograms; ends with a line's end."""
    rows = [
        (catalogue.events[id_].name, catalogue.events[id_].category, count)
        for id_, count in sorted(counts.events.items())
    ]
    align = ("left", "left", "right")
    table = tabulate(
        rows,
        ["event", "category", "counted"],
        tablefmt="plain",
        disable_numparse=True,
        colalign=align if rows else None,
    )
    return "\n".join([table + "\n", *map(_histogram, counts.histograms)])


def _histogram(hist: Histogram) -> str:
    unit = hist.field.unit if hist.field else ""
    filled = [number for number, count in enumerate(hist.buckets) if count]
    most = max(hist.buckets)
    lines = [
        f"{hist.event.name} {_field(hist)}: {hist.count} values, mean {_mean(hist.mean, unit)}\n"
    ]
    texts = [_range(number, unit) for number in range(filled[0], filled[-1] + 1)]
    width = max(map(len, texts))
    digits = len(str(most))
    for number, text in enumerate(texts, filled[0]):
        count = hist.buckets[number]
        bar = "@" * round(_BAR * count / most)
        lines.append(f"  {text:<{width}}  {count:>{digits}} |{bar:<{_BAR}}|\n")
    return "".join(lines)


def _field(hist: Histogram) -> str:
    """Name the field, with its unit."""
    if hist.field is None:
        return "?"
    name = clean(hist.field.name)
    return f"{name} ({clean(hist.field.unit)})" if hist.field.unit not in _STEPS else name


def _bounds(number: int) -> tuple[int | None, int | None]:
    """Give the least value of a bucket and the one behind the greatest; None: there is none."""
    low = 1 << (number - 1) if number else None
    return low, 1 << number if number < layout.BUCKETS - 1 else None


def _range(number: int, unit: str) -> str:
    low, high = _bounds(number)
    if low is None:
        return "0 or less"
    return f"[{_amount(low, unit)}, {'...' if high is None else _amount(high, unit)})"


def _amount(value: float, unit: str) -> str:
    steps = _STEPS.get(unit, _STEPS[""])
    size, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    scaled = value / size
    text = f"{scaled:.0f}" if scaled == int(scaled) or abs(scaled) >= 100 else f"{scaled:.3g}"
    return text + name


def _mean(value: float, unit: str) -> str:
    return _amount(value, unit) if unit == "ns" else f"{value:.6g}"


def counts_json(counts: Counts, catalogue: Catalogue) -> str:
    """Show the same as one JSON object; bounds of buckets are null where there is none."""
    answer = {
        "events": [
            {
                "event": catalogue.events[id_].name,
                "category": catalogue.events[id_].category,
                "counted": count,
            }
            for id_, count in sorted(counts.events.items())
        ],
        "histograms": [
            {
                "event": hist.event.name,
                "field": hist.field.name if hist.field else None,
                "unit": hist.field.unit if hist.field else "",
                "count": hist.count,
                "sum": hist.total,
                "mean": hist.mean,
                "buckets": [
                    dict(zip(("low", "high", "count"), (*_bounds(number), count), strict=True))
                    for number, count in enumerate(hist.buckets)
                    if count
                ],
            }
            for hist in counts.histograms
        ],
        "faults": counts.faults,
    }
    return as_json(answer, indent=2) + "\n"
