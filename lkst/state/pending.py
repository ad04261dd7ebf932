# SPDX-License-Identifier: GPL-2.0-or-later
"""
In flight
---------

Begun by one context, to be ended by another: block requests, bios, work items.
"""

import numpy as np
from numpy.typing import NDArray

from lkst.state.model import Pending
from lkst.state.naming import Naming
from lkst.trace.event_table import Table, ends_are_recorded, open_ones, table
from lkst.trace.trace import Trace

__all__ = ("find_pending",)

_SECTOR = 512

#: kind; events that begin it; events that end it; key field; field and type of its name; flag
#: that must be set. If a driver turns bios into requests, they end as requests.
_KINDS = (
    (
        "request",
        ("block_rq_insert", "block_rq_issue"),
        ("block_rq_complete", "block_rq_requeue"),
        "rq",
        ("dev", "dev"),
    ),
    ("bio", ("block_bio_queue",), ("block_bio_complete",), "bio", ("dev", "dev"), "bio_based"),
    (
        "work",
        ("workqueue_queue_work",),
        ("workqueue_execute_start",),
        "work",
        ("function", "ksym"),
    ),
)


def _merged(trace: Trace, open_: Table) -> NDArray[np.bool_]:
    # Find the requests that were merged into another one while they were queued. The merge has
    # no tracepoint (attempt_merge() in block/blk-merge.c), but the other request is issued with
    # their sectors, and they are never issued.
    places = ("dev", "sector", "bytes")
    insert, issue = (table(trace, name, *places) for name in ("block_rq_insert", "block_rq_issue"))
    index = np.searchsorted(insert.rows, open_.rows)
    merged = np.zeros(len(open_), bool)
    for number, (row, place) in enumerate(zip(open_.rows.tolist(), index.tolist(), strict=True)):
        if place == len(insert) or insert.rows[place] != row:
            continue  # issued
        ahead = insert["sector"][place] - issue["sector"]
        merged[number] = np.any(
            (issue.rows > row)
            & (issue["dev"] == insert["dev"][place])
            & (ahead >= 0)
            & (ahead * _SECTOR < issue["bytes"])
        )
    return merged


def find_pending(trace: Trace, naming: Naming) -> tuple[list[Pending], list[str]]:
    """
    Find everything in flight, the oldest first.

    :return: what is in flight, and notes about what is not known
    """
    found = []
    notes = []
    for kind, begins, ends, key, (name, type_), *flag in _KINDS:
        begin = table(trace, begins, key, name, *flag)
        if flag:
            begin = begin.select(begin[flag[0]] != 0)
        if not len(begin):
            continue
        if not any(ends_are_recorded(trace, end) for end in ends):
            what = "work item" if kind == "work" else kind
            notes.append(f"{ends[0]} was not recorded: {what}s in flight are not known")
            continue
        end = table(trace, ends, key)
        open_ = begin.select(open_ones((begin[key],), begin.rows, (end[key],), end.rows))
        if kind == "request":
            open_ = open_.select(~_merged(trace, open_))
        texts = naming.fields(open_.rows)
        for row, value, text in zip(open_.rows.tolist(), open_[name].tolist(), texts, strict=True):
            named = naming.address(value) if type_ == "ksym" else naming.named(type_, value)
            found.append(Pending(kind, row, int(trace.ts[row]), named, text))
    return sorted(found, key=lambda p: p.row), notes
