# SPDX-License-Identifier: GPL-2.0-or-later
"""Formats of the cost of recording."""

import json
import math
from typing import Any

from lkst.record.cost import Cost, EventCost
from lkst.replay.formats import objects_text
from lkst.util.tables import plain_table

__all__ = ("show_cost",)


def show_cost(cost: Cost, form: str) -> str:
    """
    Format the cost of a maskset; ends with a newline.

    :param form: text, json, or of its events: jsonl, csv
    """
    if form == "text":
        return _text(cost)
    if form == "json":
        return _json(cost)
    events = [_event(entry) for entry in cost.events]
    return objects_text(events, form, list(events[0]) if events else ())


def _text(cost: Cost) -> str:
    """Format it as a table."""
    rows = [
        (
            f"{entry.name} ({entry.by})" if entry.by else entry.name,
            f"{entry.run.calls:.0f}",
            f"{entry.ns:.0f}",
            f"{entry.share:.3%}",
            f"{entry.ring_bytes:.0f}",
            f"{entry.run.suppressed:.0f}",
        )
        if not entry.counted_at
        else (entry.name, "-", "-", f"see {entry.counted_at}", f"{entry.ring_bytes:.0f}", "-")
        for entry in cost.events
    ]
    table = plain_table(
        rows,
        ["event", "calls/s", "ns per call", "of one CPU", "ring bytes/s", "suppressed/s"],
        "lrrrrr",
    )
    summary = plain_table(
        [
            ("maskset", f"{cost.maskset}, measured for {cost.seconds:.1f} s"),
            ("CPU time", f"{cost.share:.3%} of all CPUs"),
            ("rings", f"{cost.ring_bytes:.0f} bytes/s"),
            (
                "last",
                f"a ring of {cost.ring_size >> 10} KiB {_time(cost.mean)}, that of the busiest CPU"
                f" {_time(cost.shortest)}",
            ),
            *([("silent", f"{cost.silent} events did not happen")] if cost.silent else []),
        ]
    )
    return f"{table}\n\n{summary}\n"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if math.isfinite(seconds) else "forever"


def _json(cost: Cost) -> str:
    """Format it as a JSON object; ends with a newline."""
    answer = {
        "maskset": cost.maskset,
        "seconds": cost.seconds,
        "share": cost.share,
        "ring_bytes": cost.ring_bytes,
        "ring_size": cost.ring_size,
        "lasts": {
            name: value if math.isfinite(value) else None
            for name, value in (("shortest", cost.shortest), ("mean", cost.mean))
        },
        "silent": cost.silent,
        "events": [_event(entry) for entry in cost.events],
    }
    return json.dumps(answer, indent=2) + "\n"


def _event(entry: EventCost) -> dict[str, Any]:
    return {
        "event": entry.name,
        "calls": entry.run.calls,
        "ns": entry.ns,
        "share": entry.share,
        "records": entry.records,
        "ring_bytes": entry.ring_bytes,
        "suppressed": entry.run.suppressed,
        "told_at": entry.counted_at or None,
        "by": entry.by or None,
    }
