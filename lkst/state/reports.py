# SPDX-License-Identifier: GPL-2.0-or-later
"""
Reports
-------

What the kernel reports when it finds something wrong: an event of the category
trouble, and the console lines that follow it on the same CPU. Their format is that of
``lib/dump_stack.c``, ``arch/x86/kernel/dumpstack.c`` and ``mm/oom_kill.c``.
"""

from dataclasses import dataclass, field
import re

import numpy as np

from lkst.state.naming import function_of
from lkst.trace.event_table import I64
from lkst.trace.trace import Trace

__all__ = ("Report", "console_lines", "is_helper", "message", "read_report", "troubles")

#: Maximum number of lines to read after the first.
_MAX_LINES = 250

_RIP = re.compile(r"RIP: 0010:([\w.]+)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[([\w-]+))?")
_CALL = re.compile(r"^\s*([\w.]+)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[([\w-]+))?")
_COMM = re.compile(r"CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.*?) (?:Tainted|Not tainted|Kdump)")
_IN = re.compile(r"BUG: (?:KFENCE|KASAN): .* in ([\w.]+)")

#: Prefixes of functions that detect or report a fault, are generic helpers of their callers, or
#: wait for somebody else.
_HELPERS = (
    "refcount_",
    "__refcount_",
    "__warn",
    "warn_",
    "report_bug",
    "handle_bug",
    "exc_",
    "asm_",
    "die_",
    "__die",
    "oops_",
    "page_fault_oops",
    "panic",
    "vpanic",
    "dump_stack",
    "show_regs",
    "show_stack",
    "show_trace",
    "__list_",
    "usercopy_abort",
    "__check_heap_object",
    "__check_object_size",
    "check_object",
    "check_panic_on_warn",
    "check_slab",
    "kfence_",
    "kasan_",
    "__kasan_",
    "print_address",
    "print_report",
    "print_trailer",
    "object_err",
    "memcpy",
    "memset",
    "memmove",
    "memcmp",
    "memchr",
    "__memcpy",
    "__memset",
    "__memmove",
    "strcpy",
    "strcat",
    "strchr",
    "strcmp",
    "strlcpy",
    "strlen",
    "strn",
    "strscpy",
    "strstr",
    "rep_",
    "copy_from_",
    "copy_to_",
    "copy_user_",
    "_copy_",
    "native_",
    "queued_",
    "__pv_",
    "_raw_",
    "mutex_",
    "__mutex_",
    "rwsem_",
    "down_",
    "__down",
    "percpu_",
    "__percpu_",
    "schedule",
    "__schedule",
    "io_schedule",
    "msleep",
    "__x64_sys_",
    "__do_sys_",
    "__se_sys_",
    "do_syscall_",
    "x64_sys_call",
    "entry_SYSCALL_",
    "ret_from_fork",
    "sysvec_",
    "__sysvec_",
    "irq_exit",
    "__irq_exit",
    "irqentry_",
    "handle_softirqs",
    "__do_softirq",
    "cpu_relax",
    "pvpanic_",
    "notifier_call_chain",
    "atomic_notifier_call_chain",
    "stop_this_cpu",
    "nmi_",
    "default_do_nmi",
    "end_repeat_nmi",
    "wait_for_",
    "wait_on_",
    "wait_woken",
    "__wait_",
    "prepare_to_wait",
    "rcu_read_",
    "preempt_",
    "blk_",
    "bit_wait",
    "__wait_on_bit",
    "out_of_line_wait_on_bit",
    "bpf_",
)


@dataclass
class Report:
    """A report of the kernel."""

    #: Row of the event.
    row: int
    #: Name of the event: oops, warn, ...
    event: str
    message: str
    #: Function of the RIP line.
    rip: str = ""
    #: Functions of the call trace, the innermost first.
    calls: list[str] = field(default_factory=list)
    #: function -> module, for functions of modules.
    modules: dict[str, str] = field(default_factory=dict)
    cpu: int | None = None
    pid: int | None = None
    comm: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def function(self) -> str:
        """The innermost function that is not a helper of the kernel."""
        named = _IN.search(self.message)
        if named:
            return function_of(named[1])
        for name in (self.rip, *self.calls):
            # A function of a module may have any name.
            if name and (name in self.modules or not is_helper(name)):
                return function_of(name)
        return function_of(self.rip)


def is_helper(function: str) -> bool:
    """Check whether a function only detects or reports a fault, or waits."""
    return function.startswith(_HELPERS) or function_of(function) == "die"


def troubles(trace: Trace, *names: str) -> list[int]:
    """Return the rows of events of the category trouble, in order."""
    ids = [event.id for event in trace.catalogue.events.values() if event.name in names]
    rows: list[int] = np.flatnonzero(np.isin(trace.event, ids)).tolist()
    return rows


def message(trace: Trace, row: int) -> str:
    """Return the message of a record, as it was printed."""
    event = trace.catalogue.events.get(int(trace.event[row]))
    for text in event.fields if event else ():
        if text.type == "text" and text.is_number:
            return trace.texts(text, np.array([row]))[0].strip()
    return ""


def console_lines(trace: Trace, rows: I64) -> list[str]:
    """Return the console text of some rows."""
    event = next((e for e in trace.catalogue.events.values() if e.name == "console"), None)
    text = event.field("text") if event else None
    if event is None or text is None or not text.is_number:
        return []
    return trace.texts(text, rows[trace.event[rows] == event.id])


def read_report(trace: Trace, row: int) -> Report:
    """Read the report that begins with a record; most of it is printed after the panic."""
    whole = trace.whole
    event = trace.catalogue.events[int(trace.event[row])]
    report = Report(row, event.name, message(trace, row))
    start = int(trace.position[row])
    same = np.flatnonzero(whole.cpu[start + 1 :] == trace.cpu[row])[:_MAX_LINES] + start + 1
    report.lines = [line.rstrip("\n") for line in console_lines(whole, same)]
    for line in report.lines:
        if "end trace" in line and report.rip:
            break
        if not report.rip and (found := _RIP.search(line)):
            report.rip = found[1]
            if found[2]:
                report.modules[found[1]] = found[2]
        elif found := _CALL.search(line):
            report.calls.append(found[1])
            if found[2]:
                report.modules[found[1]] = found[2]
        elif report.pid is None and (found := _COMM.search(line)):
            report.cpu, report.pid, report.comm = int(found[1]), int(found[2]), found[3]
    return report
