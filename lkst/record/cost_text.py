# SPDX-License-Identifier: GPL-2.0-or-later
"""What recording costs, as text and as JSON."""

import json

from tabulate import tabulate

from lkst.record.cost import Cost

__all__ = ("cost_json", "cost_text")


def cost_text(cost: Cost) -> str:
    """Show what a maskset costs as a table; ends with a line's end."""
    rows = [
        (
            entry.event.name,
            f"{entry.calls:.0f}",
            f"{entry.ns:.0f}",
            f"{entry.share:.3%}",
            f"{entry.ring_bytes:.0f}",
            f"{entry.suppressed:.0f}",
        )
        for entry in cost.events
    ]
    table = tabulate(
        rows,
        ["event", "calls/s", "ns per call", "of one CPU", "ring bytes/s", "suppressed/s"],
        tablefmt="plain",
        disable_numparse=True,
        colalign=("left", *["right"] * 5),
    )
    lasts = f"{cost.lasts:.1f} s" if cost.lasts != float("inf") else "for ever"
    return (
        f"maskset {cost.maskset}, measured for {cost.seconds:.1f} s: {cost.share:.3%} of all CPUs,"
        f" {cost.ring_bytes:.0f} bytes/s of ring; the busiest CPU's ring lasts {lasts}\n\n{table}\n"
    )


def cost_json(cost: Cost) -> str:
    """Show the same as a JSON object; ends with a line's end."""
    answer = {
        "maskset": cost.maskset,
        "seconds": cost.seconds,
        "share": cost.share,
        "ring_bytes": cost.ring_bytes,
        "lasts": cost.lasts if cost.lasts != float("inf") else None,
        "events": [
            {
                "event": entry.event.name,
                "calls": entry.calls,
                "ns": entry.ns,
                "share": entry.share,
                "ring_bytes": entry.ring_bytes,
                "suppressed": entry.suppressed,
            }
            for entry in cost.events
        ],
    }
    return json.dumps(answer, indent=2) + "\n"
