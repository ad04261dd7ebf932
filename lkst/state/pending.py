# SPDX-License-Identifier: GPL-2.0-or-later
"""
In flight
---------

What one has begun and another was to end: block requests, block I/O, work items.
"""

import numpy as np
from numpy.typing import NDArray

from lkst.state.model import Pending
from lkst.state.tables import Table, ends_are_recorded, open_ones, table
from lkst.state.words import Words
from lkst.trace.trace import Trace

__all__ = ("find_pending",)

_SECTOR = 512

#: kind; events that begin it, that end it; field that tells which; field and type of its name;
#: flag that has to be set. Bios of drivers that make requests of them end as requests.
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
    """
    Tell which requests were merged into another one while they were queued.

    Nothing is recorded then (attempt_merge() of block/blk-merge.c), but that one is issued
    with their sectors, and they never are.
    """
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


def find_pending(trace: Trace, words: Words) -> tuple[list[Pending], list[str]]:
    """
    Find what is in flight, the oldest first.

    :return: it, and what cannot be known
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
            notes.append(f"{ends[0]} was not recorded: {kind}s in flight are not known")
            continue
        end = table(trace, ends, key)
        open_ = begin.select(open_ones((begin[key],), begin.rows, (end[key],), end.rows))
        if kind == "request":
            open_ = open_.select(~_merged(trace, open_))
        texts = words.fields(open_.rows)
        for row, value, text in zip(open_.rows.tolist(), open_[name].tolist(), texts, strict=True):
            named = words.address(value) if type_ == "ksym" else words.named(type_, value)
            found.append(Pending(kind, row, int(trace.ts[row]), named, text))
    return sorted(found, key=lambda p: p.row), notes
