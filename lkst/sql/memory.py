# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables about memory: allocations, direct reclaim and compaction."""

import numpy as np

from lkst.sql.columns import Column, Names, TableColumns
from lkst.sql.pairs import keys, pair
from lkst.sql.spans import either, joined, maybe, span_columns, sure
from lkst.sql.view import BIGINT, BOOLEAN, INTEGER, SPAN, TEXT, UBIGINT, ColumnInfo, View

__all__ = ("VIEWS",)

_PAGE = 4096

#: Kind; events that allocate; events that free; field with the address.
_KINDS = (
    ("page", "mm_page_alloc", "mm_page_free", "page"),
    ("kmalloc", "kmalloc", "kfree", "ptr"),
    ("slab", "kmem_cache_alloc", "kmem_cache_free", "ptr"),
)


def _allocations(columns: TableColumns) -> dict[str, Column]:
    parts = [_allocation(columns, *kind) for kind in _KINDS]
    first, second, third = parts
    return {name: joined(joined(first[name], second[name]), third[name]) for name in first}


def _allocation(
    columns: TableColumns, kind: str, alloc: str, free: str, field: str
) -> dict[str, Column]:
    size = {"page": "order", "kmalloc": "bytes_alloc", "slab": "size"}[kind]
    begin = columns.table(alloc, field, size)
    end = columns.table(free, field)
    # A failed allocation has no address and is never freed.
    failed = begin[field] == 0
    got, not_got = np.flatnonzero(~failed), np.flatnonzero(failed)
    group = keys((begin[field][got],), (end[field],))
    pairs = pair(group[0], begin.rows[got], group[1], end.rows)
    pairs = sure(columns, begin.rows[got], end.rows, pairs, "object")
    index = np.where(pairs.begin < 0, -1, got[pairs.begin]) if len(got) else pairs.begin
    begun = np.concatenate((index, not_got))
    ended = np.concatenate((pairs.end, np.full(len(not_got), -1)))
    pairs = type(pairs)(begun, ended)
    table = span_columns(columns, begin.rows, end.rows, pairs)
    lost = (begun >= 0) & (failed[begun] if len(failed) else False)
    open_ = table["open"]
    assert isinstance(open_, Names)
    table["open"] = Names(open_.names, np.where(lost, -1, open_.codes))
    table["kind"] = Names([kind], np.zeros(len(begun), np.int64))
    table["ptr"] = either(begin[field], end[field], pairs).view(np.uint64)
    bytes_ = begin[size]
    table["bytes"] = maybe(_PAGE << np.clip(bytes_, 0, 30) if kind == "page" else bytes_, begun)
    sites = columns.table(alloc, field, "call_site")
    table["call_site"] = (
        columns.symbols(sites["call_site"])[begun]
        if len(sites)
        else Names([], np.full(len(begun), -1))
    )
    table["cache"] = columns.texts(begin.rows, "cache")[begun]
    table["failed"] = lost
    return table


#: Kind; events that begin and end it; field with the order; field with the result.
_STALLS = (
    ("reclaim", "mm_vmscan_direct_reclaim_begin", "mm_vmscan_direct_reclaim_end"),
    ("compaction", "mm_compaction_begin", "mm_compaction_end"),
)


def _reclaims(columns: TableColumns) -> dict[str, Column]:
    first, second = (_stall(columns, *stall) for stall in _STALLS)
    return {name: joined(first[name], second[name]) for name in first}


def _stall(columns: TableColumns, kind: str, starts: str, stops: str) -> dict[str, Column]:
    begin, end = columns.table(starts, "order", "gfp_flags"), columns.table(stops)
    tasks = (columns.pid[t.rows].astype(np.int64) for t in (begin, end))
    begin_pid, end_pid = tasks
    pairs = pair(begin_pid, begin.rows, end_pid, end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "task")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    table["kind"] = Names([kind], np.zeros(len(pairs), np.int64))
    table["order"] = maybe(begin["order"], pairs.begin)
    table["gfp_flags"] = columns.named("gfp", begin["gfp_flags"] & 0xFFFFFFFF)[pairs.begin]
    pages = columns.table(stops, "nr_reclaimed")
    place = pairs.end if len(pages) else np.full(len(pairs), -1)
    table["reclaimed"] = maybe(pages["nr_reclaimed"], place)
    return table


VIEWS = (
    View(
        "allocations",
        "Allocated memory, from allocation to free.",
        ("mm_page_alloc kmalloc kmem_cache_alloc", "mm_page_free kfree kmem_cache_free"),
        (
            *SPAN,
            ColumnInfo("kind", TEXT, "", "page, kmalloc or slab"),
            ColumnInfo("ptr", UBIGINT, "", "address of the memory; page: of its struct page"),
            ColumnInfo("bytes", BIGINT, "bytes", "size; NULL: not known"),
            ColumnInfo(
                "call_site", TEXT, "", "function that allocated it; NULL: a page, or not known"
            ),
            ColumnInfo("cache", TEXT, "", "name of the slab cache; NULL: not a slab"),
            ColumnInfo("failed", BOOLEAN, "", "whether the allocation failed"),
        ),
        _allocations,
    ),
    View(
        "reclaims",
        "Direct reclaim or direct compaction by a task that allocates memory.",
        (
            "mm_vmscan_direct_reclaim_begin mm_compaction_begin",
            "mm_vmscan_direct_reclaim_end mm_compaction_end",
        ),
        (
            *SPAN,
            ColumnInfo("kind", TEXT, "", "reclaim or compaction"),
            ColumnInfo("order", INTEGER, "", "order of the allocation: log2 of its pages"),
            ColumnInfo("gfp_flags", TEXT, "", "GFP flags of the allocation"),
            ColumnInfo("reclaimed", BIGINT, "pages", "pages freed; NULL: not known"),
        ),
        _reclaims,
    ),
)
