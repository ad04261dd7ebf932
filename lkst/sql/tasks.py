# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables about lifetimes of tasks and time in the scheduler."""

import numpy as np

from lkst.sql.columns import Column, Maybe, Names, TableColumns
from lkst.sql.pairs import Pairs, pair
from lkst.sql.spans import either, maybe, span_columns, sure
from lkst.sql.view import INTEGER, SPAN, TEXT, ColumnInfo, View
from lkst.trace.event_table import I64
from lkst.util.quoting import well_formed

__all__ = ("VIEWS",)


def _processes(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table("sched_process_fork", "child_pid", "child_tgid")
    end = columns.table("sched_process_exit", "tgid", "exit_code")
    left = columns.pid[end.rows].astype(np.int64)
    pairs = pair(begin["child_pid"], begin.rows, left, end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "object")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    table["pid"] = either(begin["child_pid"], left, pairs)
    table["tgid"] = either(begin["child_tgid"], end["tgid"], pairs)
    table["comm"] = _comms(columns, either(begin["child_pid"], left, pairs), pairs, begin.rows)
    row = np.where(pairs.begin < 0, -1, begin.rows[pairs.begin]) if len(begin) else pairs.begin
    table["parent_pid"] = maybe(columns.pid, row)
    table["parent_comm"] = columns.comms(row)
    code = columns.named("exit_code", end["exit_code"] & 0xFFFFFFFF)
    table["exit_code"] = code[pairs.end]
    return _with_others(columns, table)


def _comms(columns: TableColumns, pids: I64, pairs: Pairs, begin: I64) -> Names:
    # The last known names of tasks.
    names = columns.trace.task_names
    child = columns.texts(begin, "child_comm")[pairs.begin]
    found = [well_formed(names.last(pid)) for pid in pids.tolist()]
    every = {name: code for code, name in enumerate(dict.fromkeys([*found, *child.names]))}
    codes = [
        every[name] if name else every[child.names[code]] if code >= 0 else -1
        for name, code in zip(found, child.codes.tolist(), strict=True)
    ]
    return Names(list(every), np.array(codes, np.int64))


def _with_others(columns: TableColumns, table: dict[str, Column]) -> dict[str, Column]:
    # Add the tasks that lived before the trace began and after its end.
    forked = table["pid"]
    assert isinstance(forked, np.ndarray)
    others = np.setdiff1d(np.unique(columns.pid), np.append(forked, 0))
    count = len(others)
    names = [well_formed(columns.trace.task_names.last(pid)) for pid in others.tolist()]
    last = np.zeros(int(columns.pid.max(initial=0)) + 1, np.int64)
    last[columns.pid] = columns.cpu
    none = np.zeros(count, bool)
    result: dict[str, Column] = {}
    for name, column in table.items():
        if isinstance(column, Maybe):
            more = np.zeros(count, column.values.dtype)
            valid = np.concatenate((column.valid, none))
            result[name] = Maybe(np.concatenate((column.values, more)), valid)
        elif isinstance(column, Names):
            codes = np.full(count, -1)
            texts = column.names
            if name == "open":
                codes = np.full(count, texts.index("both"))
            elif name == "comm":
                codes, texts = len(texts) + np.arange(count), [*texts, *names]
            result[name] = Names(texts, np.concatenate((column.codes, codes)))
        else:
            add = {"pid": others, "cpu": last[others], "tgid": np.full(count, -1)}[name]
            result[name] = np.concatenate((column, add))
    tgid = result["tgid"]
    assert isinstance(tgid, np.ndarray)
    result["tgid"] = Maybe(tgid, tgid >= 0)
    return result


def _schedules(columns: TableColumns) -> dict[str, Column]:
    begin, end = columns.table("schedule", "state"), columns.table("schedule_exit", "run_delay")
    cpus = columns.cpu[begin.rows].astype(np.int64), columns.cpu[end.rows].astype(np.int64)
    pairs = pair(cpus[0], begin.rows, cpus[1], end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "cpu")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    table["state"] = columns.named("task_state", begin["state"] & 0xFFFFFFFF)[pairs.begin]
    row = np.where(pairs.end < 0, -1, end.rows[pairs.end]) if len(end) else pairs.end
    table["next_pid"] = maybe(columns.pid, row)
    table["next_comm"] = columns.comms(row)
    return table


VIEWS = (
    View(
        "processes",
        "Lifetime of a task, from fork to exit; also tasks of which neither is in the trace.",
        ("sched_process_fork", "sched_process_exit"),
        (
            *SPAN,
            ColumnInfo("tgid", INTEGER, "", "process id; NULL: not known"),
            ColumnInfo("parent_pid", INTEGER, "", "thread id of the parent; NULL: not known"),
            ColumnInfo("parent_comm", TEXT, "", "name of that task"),
            ColumnInfo("exit_code", TEXT, "", "exit status or signal; NULL: still alive"),
        ),
        _processes,
    ),
    View(
        "schedules",
        "A CPU is in schedule(), from entry until a task continues.",
        ("schedule", "schedule_exit"),
        (
            *SPAN,
            ColumnInfo("state", TEXT, "", "state of the task at entry"),
            ColumnInfo(
                "next_pid", INTEGER, "", "thread id of the task that continues; NULL: not known"
            ),
            ColumnInfo("next_comm", TEXT, "", "name of that task"),
        ),
        _schedules,
    ),
)
