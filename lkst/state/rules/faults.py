# SPDX-License-Identifier: GPL-2.0-or-later
"""
Faults
------

What the kernel reports about the code that it was running: an oops, a BUG, a WARN, a
report of KASAN or KFENCE.
"""

from collections.abc import Iterator

from lkst.state.cpus import contexts_at
from lkst.state.model import State
from lkst.state.naming import Naming, function_of, who
from lkst.state.reports import is_helper, message, read_report, troubles
from lkst.state.rules.base import Suspicion, rule
from lkst.util.printable import clean

__all__ = ()

_EVENTS = ("oops", "warn", "kasan", "kfence")

#: Number of reports to look at, the last ones.
_MAX = 4


@rule("fault")
def find_faults(state: State) -> Iterator[Suspicion]:
    """Name the function in which the kernel found a fault, and its context."""
    trace = state.trace
    naming = Naming(trace)
    # A WARN alone is not fatal: it may be a symptom of an earlier fault.
    deadly = any("panic_on_warn" in message(trace, row) for row in troubles(trace, "panic"))
    for row in troubles(trace, *_EVENTS)[-_MAX:]:
        report = read_report(trace, row)
        contexts = contexts_at(trace, naming, row, state.tasks)
        faults = [c for c in contexts if c.kind == "exception"]
        inside = [c for c in contexts if c.kind not in ("task", "exception", "idle")]
        function = report.function or (function_of(faults[-1].name) if faults else "")
        pid = int(trace.pid[row])
        task = who(naming.comms([row])[0], pid)
        where = f" in {inside[-1].kind} {inside[-1].name}" if inside else ""
        text = f"{clean(report.message)}: in {function or 'an unknown function'},{where}"
        yield Suspicion(
            "fault",
            "oddity" if report.event == "warn" and not deadly else "fault",
            function or task,
            f"{text} of {task} on CPU {trace.cpu[row]}",
            int(trace.ts[row]),
            (*(c.row for c in faults), row),
            -float(state.when - int(trace.ts[row])),
        )


@rule("module-panic")
def find_panicking_modules(state: State) -> Iterator[Suspicion]:
    """Name the function of a module that called panic()."""
    trace = state.trace
    for row in troubles(trace, "panic")[-1:]:
        report = read_report(trace, row)
        function = next((name for name in report.calls if not is_helper(name)), "")
        module = report.modules.get(function)
        if module:
            yield Suspicion(
                "module-panic",
                "fault",
                function_of(function),
                f"{clean(report.message)}: {function_of(function)} of module {module} panicked",
                int(trace.ts[row]),
                (row,),
                0.0,
            )
