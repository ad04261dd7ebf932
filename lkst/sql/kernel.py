# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables about deferred work and waits: work items, timers, locks, wait queues."""

import numpy as np

from lkst.sql.columns import Column, Names, TableColumns
from lkst.sql.pairs import keys, pair
from lkst.sql.spans import either, joined, maybe, since, span_columns, sure
from lkst.sql.view import BIGINT, INTEGER, SPAN, TEXT, UBIGINT, ColumnInfo, View
from lkst.trace.event_table import I64, Table

__all__ = ("VIEWS",)


def _pid(columns: TableColumns, table: Table) -> I64:
    return columns.pid[table.rows].astype(np.int64)


def _earlier(columns: TableColumns, before: Table, begin: Table, key: str) -> I64:
    # For each of ``begin``: the row of the first of ``before`` since the previous begin.
    group = keys((before[key],), (begin[key],))
    pairs = pair(group[0], before.rows, group[1], begin.rows, first=True)
    pairs = sure(columns, before.rows, begin.rows, pairs, "object")
    pairs = pairs.select((pairs.begin >= 0) & (pairs.end >= 0))
    rows = np.full(len(begin), -1)
    rows[pairs.end] = before.rows[pairs.begin]
    return rows


def _picked(rows: I64, which: I64) -> I64:
    return np.where(which < 0, -1, rows[which]) if len(rows) else np.full(len(which), -1)


def _work_items(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table("workqueue_execute_start", "function", "work")
    end = columns.table("workqueue_execute_end", "function", "work")
    queue = columns.table("workqueue_queue_work", "work", "function")
    group = keys((_pid(columns, begin), begin["work"]), (_pid(columns, end), end["work"]))
    pairs = pair(group[0], begin.rows, group[1], end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "task")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    table["work"] = either(begin["work"], end["work"], pairs).view(np.uint64)
    table["function"] = columns.symbols(either(begin["function"], end["function"], pairs))
    row = _picked(_earlier(columns, queue, begin, "work"), pairs.begin)
    table["queued_ns"] = maybe(columns.ts, row)
    table["delay_ns"] = since(columns, row, begin.rows, pairs.begin)
    table["queued_by"] = columns.comms(row)
    return table


def _timers(columns: TableColumns) -> dict[str, Column]:
    parts = [_timer_part(columns, "timer"), _timer_part(columns, "hrtimer")]
    return {name: joined(*(part[name] for part in parts)) for name in parts[0]}


def _timer_part(columns: TableColumns, kind: str) -> dict[str, Column]:
    begin = columns.table(f"{kind}_expire_entry", "function", kind)
    end = columns.table(f"{kind}_expire_exit", kind)
    armed = columns.table(f"{kind}_start", kind)
    cpus = (columns.cpu[t.rows].astype(np.int64) for t in (begin, end))
    group = keys(*((cpu, t[kind]) for cpu, t in zip(cpus, (begin, end), strict=True)))
    pairs = pair(group[0], begin.rows, group[1], end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "cpu")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    table["timer"] = either(begin[kind], end[kind], pairs).view(np.uint64)
    table["kind"] = Names([kind], np.zeros(len(pairs), np.int64))
    table["function"] = columns.symbols(begin["function"])[pairs.begin]
    # A timer that is armed again counts from then on.
    group = keys((armed[kind],), (begin[kind],))
    last = pair(group[0], armed.rows, group[1], begin.rows)
    last = sure(columns, armed.rows, begin.rows, last, "object")
    last = last.select((last.begin >= 0) & (last.end >= 0))
    rows = np.full(len(begin), -1)
    rows[last.end] = armed.rows[last.begin]
    row = _picked(rows, pairs.begin)
    table["armed_ns"] = maybe(columns.ts, row)
    table["wait_ns"] = since(columns, row, begin.rows, pairs.begin)
    return table


def _lock_waits(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table("contention_begin", "lock", "flags", "owner")
    end = columns.table("contention_end", "lock", "ret")
    group = keys((_pid(columns, begin), begin["lock"]), (_pid(columns, end), end["lock"]))
    # A waiter that fails to get a mutex by spinning begins a second wait, asleep.
    pairs = pair(group[0], begin.rows, group[1], end.rows, first=True)
    pairs = sure(columns, begin.rows, end.rows, pairs, "task")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    lock = either(begin["lock"], end["lock"], pairs)
    table["lock"] = lock.view(np.uint64)
    table["name"] = columns.symbols(lock)
    table["kind"] = columns.named("lock_flags", begin["flags"] & 0xFFFFFFFF)[pairs.begin]
    named = np.where(begin["owner"] > 0, np.arange(len(begin)), -1)
    owner = _picked(named, pairs.begin)
    table["owner_pid"] = maybe(begin["owner"], owner)
    table["owner_comm"] = columns.texts(begin.rows, "owner_comm")[owner]
    table["ret"] = maybe(end["ret"], pairs.end)
    return table


def _queue_waits(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table(("add_wait_queue", "prepare_to_wait_event"), "queue", "entry")
    end = columns.table(("remove_wait_queue", "finish_wait"), "queue", "entry")
    group = keys((begin["queue"], begin["entry"]), (end["queue"], end["entry"]))
    # A waiter whose condition is still false calls prepare_to_wait() again.
    pairs = pair(group[0], begin.rows, group[1], end.rows, first=True)
    pairs = sure(columns, begin.rows, end.rows, pairs, "object")
    # finish_wait() is called also without a wait.
    first = int(begin.rows[0]) if len(begin) else 0
    pairs = pairs.select((pairs.begin >= 0) | (_picked(end.rows, pairs.end) < first))
    table = span_columns(columns, begin.rows, end.rows, pairs)
    queue = either(begin["queue"], end["queue"], pairs)
    table["queue"] = queue.view(np.uint64)
    table["name"] = columns.symbols(queue)
    return table


VIEWS = (
    View(
        "work_items",
        "A work item that a worker executes.",
        ("workqueue_execute_start", "workqueue_execute_end"),
        (
            *SPAN,
            ColumnInfo("work", UBIGINT, "", "address of the work item"),
            ColumnInfo("function", TEXT, "", "function name"),
            ColumnInfo("queued_ns", BIGINT, "ns", "when it was queued; NULL: not known"),
            ColumnInfo("delay_ns", BIGINT, "ns", "from queued_ns to start_ns; NULL: not known"),
            ColumnInfo("queued_by", TEXT, "", "name of the task that queued it"),
        ),
        _work_items,
    ),
    View(
        "timers",
        "A run of a timer's function.",
        ("timer_expire_entry hrtimer_expire_entry", "timer_expire_exit hrtimer_expire_exit"),
        (
            *SPAN,
            ColumnInfo("timer", UBIGINT, "", "address of the timer"),
            ColumnInfo("kind", TEXT, "", "timer or hrtimer"),
            ColumnInfo("function", TEXT, "", "function name"),
            ColumnInfo("armed_ns", BIGINT, "ns", "when it was last armed; NULL: not known"),
            ColumnInfo("wait_ns", BIGINT, "ns", "from armed_ns to start_ns; NULL: not known"),
        ),
        _timers,
    ),
    View(
        "lock_waits",
        "A wait for a lock, by a task or an interrupt of it.",
        ("contention_begin", "contention_end"),
        (
            *SPAN,
            ColumnInfo("lock", UBIGINT, "", "address of the lock"),
            ColumnInfo("name", TEXT, "", "symbol at that address; NULL: none"),
            ColumnInfo("kind", TEXT, "", "mutex, spin, read, write, rt, percpu"),
            ColumnInfo(
                "owner_pid",
                INTEGER,
                "",
                "thread id of the owner at that time; NULL: the lock does not name it",
            ),
            ColumnInfo("owner_comm", TEXT, "", "name of the owner"),
            ColumnInfo("ret", BIGINT, "", "0: acquired; NULL: not known"),
        ),
        _lock_waits,
    ),
    View(
        "queue_waits",
        "A waiter in a wait queue.",
        ("add_wait_queue prepare_to_wait_event", "remove_wait_queue finish_wait"),
        (
            *SPAN,
            ColumnInfo("queue", UBIGINT, "", "address of the wait queue"),
            ColumnInfo("name", TEXT, "", "symbol at that address; NULL: none"),
        ),
        _queue_waits,
    ),
)
