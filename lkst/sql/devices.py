# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables about devices: block requests and packets."""

import numpy as np
from numpy.typing import NDArray

from lkst.sql.columns import Column, Maybe, Names, TableColumns
from lkst.sql.pairs import Pairs, keys, last_before, pair
from lkst.sql.spans import either, maybe, since, span_columns, sure
from lkst.sql.view import BIGINT, BOOLEAN, INTEGER, SPAN, TEXT, UBIGINT, ColumnInfo, View
from lkst.trace.event_table import I64

__all__ = ("VIEWS",)

_BLOCK = ("sector", "bytes", "dev", "op")


def _block_requests(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table("block_rq_issue", "rq", *_BLOCK)
    end = columns.table(("block_rq_complete", "block_rq_requeue"), "rq", *_BLOCK)
    insert = columns.table("block_rq_insert", "rq")
    group = keys((begin["rq"],), (end["rq"],), (insert["rq"],))
    pairs = pair(group[0], begin.rows, group[1], end.rows)
    pairs = pairs.select(~_again(columns, end.rows, group[1], pairs))
    pairs = sure(columns, begin.rows, end.rows, pairs, "object")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    for name in _BLOCK:
        table[name] = either(begin[name], end[name], pairs)
    table["rq"] = either(begin["rq"], end["rq"], pairs).view(np.uint64)
    table["dev"] = columns.named("dev", either(begin["dev"], end["dev"], pairs))
    table["op"] = columns.named("blk_op", either(begin["op"], end["op"], pairs))
    # It waits from insert or requeue until it is issued.
    waits = pair(group[2], insert.rows, group[0], begin.rows, first=True)
    waits = sure(columns, insert.rows, begin.rows, waits, "object")
    waits = waits.select((waits.begin >= 0) & (waits.end >= 0))
    inserted = np.full(len(begin), -1)
    inserted[waits.end] = insert.rows[waits.begin]
    row = inserted[pairs.begin] if len(begin) else pairs.begin
    row = np.where(pairs.begin < 0, -1, row)
    table["insert_ns"] = maybe(columns.ts, row)
    table["wait_ns"] = since(columns, row, begin.rows, pairs.begin)
    complete = columns.table("block_rq_complete", "status")
    done = (pairs.end >= 0) & np.isin(_rows(end.rows, pairs.end), complete.rows)
    place = np.searchsorted(complete.rows, _rows(end.rows, pairs.end))
    table["status"] = columns.named("blk_status", complete["status"])[np.where(done, place, -1)]
    table["requeued"] = (pairs.end >= 0) & ~done
    table["depth"] = _depth(begin["dev"], begin.rows, end["dev"], end.rows, pairs.begin, pairs.end)
    return table


def _again(columns: TableColumns, end: I64, keys_: I64, pairs: Pairs) -> NDArray[np.bool_]:
    # Find further ends of a request that has already ended. A request that completes in parts
    # has several ends, and so has a write with a flush (blk_flush_complete_seq() of
    # block/blk-flush.c).
    again = np.zeros(len(pairs), bool)
    lone = np.flatnonzero(pairs.begin < 0)
    if len(lone):
        rows = end[pairs.end[lone]]
        before = last_before(keys_, end, keys_[pairs.end[lone]], rows)
        earlier = end[np.maximum(before, 0)]
        hole = columns.holes.anywhere(columns.ts[earlier], columns.ts[rows])
        again[lone] = (before >= 0) & ~hole
    return again


def _rows(rows: I64, which: I64) -> I64:
    return rows[which] if len(rows) else np.zeros(len(which), np.int64)


def _depth(
    begin_dev: I64,
    begin: I64,
    end_dev: I64,
    end: I64,
    first: I64,
    last: I64,
) -> Maybe:
    # Count the requests of the device in the driver when one is issued.
    # Requests issued before the trace began have ends without a begin.
    lone = first < 0
    group = keys((begin_dev,), (end_dev,))
    depth = np.zeros(len(begin), np.int64)
    for number in np.unique(group[0]).tolist():
        own = np.flatnonzero(group[0] == number)
        ended = np.sort(end[last[(last >= 0)]][group[1][last[last >= 0]] == number])
        before = int((group[1][last[lone]] == number).sum())
        issued = np.arange(len(own)) + 1
        depth[own] = before + issued - np.searchsorted(ended, begin[own])
    return maybe(depth, first)


def _packets(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table(("netif_receive_skb", "net_dev_xmit"), "skb", "len")
    end = columns.table(("consume_skb", "kfree_skb"), "skb")
    group = keys((begin["skb"],), (end["skb"],))
    pairs = pair(group[0], begin.rows, group[1], end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "object")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    row = np.where(pairs.begin < 0, -1, _rows(begin.rows, pairs.begin))
    stop = np.where(pairs.end < 0, -1, _rows(end.rows, pairs.end))
    received = columns.table("netif_receive_skb", "protocol")
    dropped = columns.table("kfree_skb", "location", "reason", "protocol")
    table["skb"] = either(begin["skb"], end["skb"], pairs).view(np.uint64)
    code = np.where(row < 0, -1, np.where(np.isin(row, received.rows), 0, 1))
    table["direction"] = Names(["in", "out"], code)
    table["dev"] = columns.texts(begin.rows, "dev")[pairs.begin]
    table["bytes"] = maybe(begin["len"], pairs.begin)
    place = np.where(code == 0, np.searchsorted(received.rows, row), -1)
    table["protocol"] = columns.named("ethertype", received["protocol"])[place]
    drop = np.isin(stop, dropped.rows) & (stop >= 0)
    place = np.where(drop, np.searchsorted(dropped.rows, stop), -1)
    table["dropped"] = drop
    table["reason"] = columns.named("drop_reason", dropped["reason"])[place]
    table["location"] = columns.symbols(dropped["location"])[place]
    return table


VIEWS = (
    View(
        "block_requests",
        "A block request in the driver, from issue to completion or requeue.",
        ("block_rq_issue", "block_rq_complete"),
        (
            *SPAN,
            ColumnInfo("rq", UBIGINT, "", "address of the request"),
            ColumnInfo("dev", TEXT, "", "major:minor of the device"),
            ColumnInfo("op", TEXT, "", "READ, WRITE, FLUSH, ..."),
            ColumnInfo("sector", BIGINT, "512 bytes", "first sector; -1: none"),
            ColumnInfo("bytes", BIGINT, "bytes", "size of the transfer"),
            ColumnInfo(
                "insert_ns",
                BIGINT,
                "ns",
                "when it was inserted into the I/O scheduler; NULL: not known",
            ),
            ColumnInfo("wait_ns", BIGINT, "ns", "from insert_ns to start_ns; NULL: not known"),
            ColumnInfo("status", TEXT, "", "OK, IOERR, ...; NULL: not completed"),
            ColumnInfo("requeued", BOOLEAN, "", "whether the driver requeued it"),
            ColumnInfo(
                "depth", INTEGER, "", "requests of the device in the driver, this one included"
            ),
        ),
        _block_requests,
    ),
    View(
        "packets",
        "A packet that was received or sent, until its skb is freed.",
        ("netif_receive_skb net_dev_xmit", "consume_skb kfree_skb"),
        (
            *SPAN,
            ColumnInfo("skb", UBIGINT, "", "address of the struct sk_buff"),
            ColumnInfo("direction", TEXT, "", "in or out; NULL: only its end is in the trace"),
            ColumnInfo("dev", TEXT, "", "name of the device"),
            ColumnInfo("bytes", BIGINT, "bytes", "length of the packet"),
            ColumnInfo("protocol", TEXT, "", "protocol of a received packet: IPv4, ARP, ..."),
            ColumnInfo("dropped", BOOLEAN, "", "whether it was dropped"),
            ColumnInfo("reason", TEXT, "", "why"),
            ColumnInfo("location", TEXT, "", "function that dropped it"),
        ),
        _packets,
    ),
)
