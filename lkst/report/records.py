# SPDX-License-Identifier: GPL-2.0-or-later
"""
Records in a page
-----------------

All records as columns, and their fields as text in chunks that are unpacked when needed.
"""

import numpy as np

from lkst.replay.rows import FLAGS
from lkst.replay.stacks import Stacks
from lkst.report.lanes import Tasks
from lkst.report.page_columns import PageColumns
from lkst.state.naming import Naming
from lkst.trace.event_table import I64
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = ("CHUNK", "add_records", "describe_events", "describe_tasks")

#: Records in a chunk of texts.
CHUNK = 8192

# JavaScript's numbers are exact up to 2**53. Damaged records may have any time.
_MAX_TIME = 1 << 52


def add_records(columns: PageColumns, trace: Trace, tasks: Tasks) -> None:
    """Add the columns of all records, and their texts."""
    times = np.clip(trace.ts - np.int64(trace.end), -_MAX_TIME, _MAX_TIME)
    times = np.maximum.accumulate(times) + _MAX_TIME
    steps = np.diff(times, prepend=0).astype(np.uint64)
    columns.add("time_low", (steps & np.uint64(0xFFFFFFFF)).astype(np.uint32))
    columns.add("time_high", (steps >> np.uint64(32)).astype(np.uint32))
    columns.add("cpu", trace.cpu)
    columns.add("event", _event_codes(trace))
    columns.add("task", tasks.code)
    columns.add("flags", trace.flags & sum(bit for bit, _ in FLAGS))
    columns.add_texts("fields", _texts(trace))


def _event_codes(trace: Trace) -> I64:
    codes: I64 = np.searchsorted(np.unique(trace.event), trace.event)
    return codes


def describe_events(trace: Trace) -> list[dict[str, str]]:
    """Return the events that have records, in the order of their codes."""
    events = trace.catalogue.events
    described = []
    for id_ in np.unique(trace.event).tolist():
        event = events.get(id_)
        described.append(
            {
                "name": event.name if event else f"event#{id_}",
                "category": event.category if event else "",
                "about": event.description if event else "",
            }
        )
    return described


def describe_tasks(tasks: Tasks) -> list[list[int | str]]:
    """Return pid and name of each task."""
    return [[pid, clean(name) if name else "?"] for pid, name in tasks.tasks]


def _texts(trace: Trace) -> list[bytes]:
    # A line for each record: its fields, then the frames of its stack after tabs.
    naming = Naming(trace)
    stacks = Stacks(trace.facts.names)
    chunks = []
    for start in range(0, len(trace), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(trace)))
        lines = naming.fields(rows)
        for row, frames in zip(*stacks.write(trace.select(rows)), strict=True):
            lines[row] = "\t".join((lines[row], *frames))
        chunks.append("\n".join(lines).encode("utf-8", "replace"))
    return chunks
