# SPDX-License-Identifier: GPL-2.0-or-later
"""
Calls and handlers
------------------

Spans that a CPU enters and leaves: system calls, interrupts, softirqs, page faults; and
the context of each CPU at any time.
"""

import numpy as np

from lkst.sql.columns import Column, Names, TableColumns
from lkst.sql.pairs import keys, pair
from lkst.sql.spans import either, maybe, since, span_columns, sure
from lkst.sql.view import BIGINT, BOOLEAN, INTEGER, SPAN, TEXT, UBIGINT, ColumnInfo, View
from lkst.trace.event_table import I64

__all__ = ("VIEWS",)

_MAX_ERRNO = 4095  # include/linux/err.h


def _cpu(columns: TableColumns, rows: I64) -> I64:
    return columns.cpu[rows].astype(np.int64)


def _pid(columns: TableColumns, rows: I64) -> I64:
    return columns.pid[rows].astype(np.int64)


def _syscalls(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table("sys_enter", "nr", "compat")
    end = columns.table("sys_exit", "nr", "compat", "ret")
    tasks = _pid(columns, begin.rows), _pid(columns, end.rows)
    pairs = pair(tasks[0], begin.rows, tasks[1], end.rows)
    # execve() into another ABI and a restarted call return as another call.
    both = (pairs.begin >= 0) & (pairs.end >= 0)
    both[both] = begin["nr"][pairs.begin[both]] != end["nr"][pairs.end[both]]
    pairs = sure(columns, begin.rows, end.rows, pairs.cut(both), "task")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    nr = either(begin["nr"], end["nr"], pairs)
    compat = either(begin["compat"], end["compat"], pairs)
    table["nr"] = nr
    table["name"] = columns.named("syscall", (nr & 0xFFFFFFFF | compat << 32).view(np.uint64))
    table["compat"] = (compat & 1) != 0
    table["ret"] = maybe(end["ret"], pairs.end)
    failed = (pairs.end >= 0) & (end["ret"][pairs.end] < 0) if len(end) else pairs.end >= 0
    failed &= end["ret"][pairs.end] >= -_MAX_ERRNO if len(end) else False
    errors = np.where(failed, end["ret"][pairs.end] if len(end) else 0, 0)
    named = columns.named("ret", errors)
    table["error"] = Names(named.names, np.where(failed, named.codes, -1))
    return table


def _irqs(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table("irq_handler_entry", "handler", "irq")
    end = columns.table("irq_handler_exit", "irq", "handled")
    group = keys((_cpu(columns, begin.rows), begin["irq"]), (_cpu(columns, end.rows), end["irq"]))
    pairs = pair(group[0], begin.rows, group[1], end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "cpu")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    table["irq"] = either(begin["irq"], end["irq"], pairs)
    table["name"] = columns.texts(begin.rows, "name")[pairs.begin]
    table["handler"] = columns.symbols(begin["handler"])[pairs.begin]
    handled = maybe(end["handled"], pairs.end)
    table["handled"] = handled
    return table


def _softirqs(columns: TableColumns) -> dict[str, Column]:
    begin, end = columns.table("softirq_entry", "vec"), columns.table("softirq_exit", "vec")
    raised = columns.table("softirq_raise", "vec")
    group = keys(
        *(((_cpu(columns, t.rows), t["vec"])) for t in (begin, end, raised)),
    )
    pairs = pair(group[0], begin.rows, group[1], end.rows)
    pairs = sure(columns, begin.rows, end.rows, pairs, "cpu")
    table = span_columns(columns, begin.rows, end.rows, pairs)
    table["vec"] = vec = either(begin["vec"], end["vec"], pairs)
    table["name"] = columns.named("softirq", vec)
    # If it is raised again while pending, the first time counts.
    first = pair(group[2], raised.rows, group[0], begin.rows, first=True)
    first = sure(columns, raised.rows, begin.rows, first, "cpu")
    whole = first.select((first.begin >= 0) & (first.end >= 0))
    by_entry = np.full(len(begin), -1)
    by_entry[whole.end] = raised.rows[whole.begin]
    row = np.where(pairs.begin < 0, -1, by_entry[pairs.begin]) if len(begin) else pairs.begin
    table["raised_ns"] = maybe(columns.ts, row)
    table["delay_ns"] = since(columns, row, begin.rows, pairs.begin)
    return table


def _page_faults(columns: TableColumns) -> dict[str, Column]:
    begin = columns.table(("page_fault_user", "page_fault_kernel"), "address", "ip", "error")
    end = columns.table("handle_mm_fault", "address", "result")
    tasks = _pid(columns, begin.rows), _pid(columns, end.rows)
    pairs = pair(tasks[0], begin.rows, tasks[1], end.rows)
    # handle_mm_fault() also runs without a fault: ignore such ends.
    pairs = pairs.select(pairs.begin >= 0)
    pairs = sure(columns, begin.rows, end.rows, pairs, "task")
    pairs = pairs.select(pairs.begin >= 0)
    table = span_columns(columns, begin.rows, end.rows, pairs)
    user = [e.id for e in columns.trace.catalogue.events.values() if e.name == "page_fault_user"]
    kernel = ~np.isin(columns.event[begin.rows], user)
    table["address"] = begin["address"][pairs.begin].view(np.uint64)
    table["mode"] = Names(["user", "kernel"], kernel[pairs.begin].astype(np.int64))
    ip = begin["ip"].view(np.uint64)
    symbols = columns.symbols(np.where(kernel, begin["ip"], 0))
    table["ip"] = ip[pairs.begin]
    table["ip_name"] = symbols[pairs.begin]
    table["error"] = columns.named("pf_error", begin["error"] & 0xFFFFFFFF)[pairs.begin]
    table["result"] = columns.named("vm_fault", end["result"] & 0xFFFFFFFF)[pairs.end]
    return table


_CONTEXTS = ["task", "idle", "softirq", "irq"]
_TASK, _IDLE, _SOFTIRQ, _IRQ = range(4)


def _contexts(columns: TableColumns) -> dict[str, Column]:
    # Split each CPU's time at the records that change its context.
    names = (
        "sched_switch",
        "softirq_entry",
        "softirq_exit",
        "irq_handler_entry",
        "irq_handler_exit",
    )
    ids = {e.name: e.id for e in columns.trace.catalogue.events.values()}
    rows = columns.table(names).rows
    rows = rows[np.argsort(columns.cpu[rows], kind="stable")]
    event, cpu, ts = columns.event[rows], columns.cpu[rows], columns.ts[rows]
    switch, s_in, s_out, i_in = (event == ids.get(name, 0) for name in names[:4])
    index = np.arange(len(rows))
    new = np.ones(len(rows), bool)
    new[1:] = cpu[1:] != cpu[:-1]
    gap = np.zeros(len(rows), bool)
    for holes in (columns.holes, columns.unrecorded_switches):
        gap[1:] |= holes.on_cpu(cpu[1:], ts[:-1], ts[1:]) & ~new[1:]
    start = np.maximum.accumulate(np.where(new | gap, index, 0))
    # The last record before that shows whether a softirq runs, and which task.
    about = np.maximum.accumulate(np.where(s_in | s_out | switch, index, -1))
    soft = (about >= start) & s_in[about] if len(rows) else s_in
    pid = columns.pid[rows].astype(np.int64)
    switches = columns.table("sched_switch", "next_pid")
    if switch.any():
        pid[switch] = switches["next_pid"][np.searchsorted(switches.rows, rows[switch])]
    context = np.where(pid == 0, _IDLE, _TASK)
    context[soft & ~switch] = _SOFTIRQ
    context[i_in] = _IRQ
    last = np.ones(len(rows), bool)
    last[:-1] = new[1:] | gap[1:]
    # Nothing is known before a CPU's first record.
    comm = columns.comms(np.where(switch, -1, rows))
    named = columns.texts(np.where(switch, rows, 0), "next_comm")
    base = len(comm.names)
    codes = np.where(switch, np.where(named.codes < 0, -1, named.codes + base), comm.codes)
    following = np.where(last, -1, index + 1)
    end = maybe(ts, following)
    return {
        "start_ns": ts,
        "end_ns": end,
        "duration_ns": type(end)(end.values - ts, end.valid),
        "open": Names(["end"], np.where(last, 0, -1)),
        "cpu": cpu,
        "pid": pid,
        "comm": Names([*comm.names, *named.names], codes),
        "context": Names(_CONTEXTS, context),
    }


VIEWS = (
    View(
        "syscalls",
        "A system call, from entry to return.",
        ("sys_enter", "sys_exit"),
        (
            *SPAN,
            ColumnInfo("nr", INTEGER, "", "number of the system call"),
            ColumnInfo("name", TEXT, "", "name of the system call"),
            ColumnInfo("compat", BOOLEAN, "", "whether it is a 32-bit call"),
            ColumnInfo("ret", BIGINT, "", "return value; NULL: it did not return"),
            ColumnInfo("error", TEXT, "", "-ENOENT, ...; NULL: no error"),
        ),
        _syscalls,
    ),
    View(
        "irqs",
        "A run of a device's interrupt handler.",
        ("irq_handler_entry", "irq_handler_exit"),
        (
            *SPAN,
            ColumnInfo("irq", INTEGER, "", "interrupt number"),
            ColumnInfo("name", TEXT, "", "device; NULL: the entry is not in the trace"),
            ColumnInfo(
                "handler", TEXT, "", "handler function; NULL: the entry is not in the trace"
            ),
            ColumnInfo("handled", INTEGER, "", "irqreturn_t: 0 none, 1 handled, 2 wake thread"),
        ),
        _irqs,
    ),
    View(
        "softirqs",
        "A run of a softirq.",
        ("softirq_entry", "softirq_exit"),
        (
            *SPAN,
            ColumnInfo("vec", INTEGER, "", "softirq number"),
            ColumnInfo("name", TEXT, "", "TIMER, NET_RX, ..."),
            ColumnInfo("raised_ns", BIGINT, "ns", "when it was first requested; NULL: not known"),
            ColumnInfo("delay_ns", BIGINT, "ns", "from raised_ns to start_ns; NULL: not known"),
        ),
        _softirqs,
    ),
    View(
        "page_faults",
        "A page fault, until handle_mm_fault() returns.",
        ("page_fault_user page_fault_kernel", "handle_mm_fault"),
        (
            *SPAN,
            ColumnInfo("address", UBIGINT, "", "faulting address"),
            ColumnInfo("mode", TEXT, "", "user or kernel: origin of the access"),
            ColumnInfo("ip", UBIGINT, "", "address of the instruction"),
            ColumnInfo("ip_name", TEXT, "", "ip as a symbol, if it is in the kernel"),
            ColumnInfo("error", TEXT, "", "kind of access, as lkst replay shows it"),
            ColumnInfo("result", TEXT, "", "VM_FAULT_*; NULL: not known"),
        ),
        _page_faults,
    ),
    View(
        "contexts",
        "Time of a CPU in one context: a task, idle, a softirq or an interrupt handler.",
        ("sched_switch", "irq_handler_entry", "softirq_entry"),
        (*SPAN, ColumnInfo("context", TEXT, "", "task, idle, softirq or irq")),
        _contexts,
    ),
)
