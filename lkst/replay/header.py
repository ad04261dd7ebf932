# SPDX-License-Identifier: GPL-2.0-or-later
"""
Header and footer
-----------------

Before the first record: the machine, its panic, what was recorded and what was lost.
After the last record: the panic.
"""

from itertools import pairwise
import textwrap

from lkst.abi import layout
from lkst.abi.control import active_maskset, event_state
from lkst.replay.colour import RESET, TROUBLE
from lkst.replay.summary import CPUSummary, find_panic, sum_buffers, sum_cpus
from lkst.replay.times import relative, wall
from lkst.trace.trace import Trace
from lkst.util.printable import clean

__all__ = (
    "event_lines",
    "footer",
    "header",
    "identity",
    "identity_lines",
    "loss_text",
    "ranges",
    "remark_lines",
    "wrap",
)

Line = tuple[str, str]

_NAME_WIDTH = 10
_WIDTH = 100
#: Maximum number of steps of the wall clock to list.
_MAX_STEPS = 4


def header(trace: Trace) -> str:
    """Return the header of a replay; it ends with a newline."""
    lines = _cpus(trace) + event_lines(trace) + remark_lines(trace)
    if trace is not trace.whole:
        lines.append(("shown", f"{len(trace)} of {_count(len(trace.whole), 'record')}"))
    return identity(trace) + _show(lines)


def identity(trace: Trace) -> str:
    """Return source, machine, panic and recorder of a trace; the text ends with a newline."""
    return _show(identity_lines(trace))


def identity_lines(trace: Trace) -> list[Line]:
    """Return source, machine, panic and recorder of a trace: names and values, "" if not known."""
    facts, own = trace.facts, trace.header
    kernel = (facts.release or own.release, facts.version, facts.arch)
    lines = [
        ("source", clean(facts.source) + (f" ({clean(facts.kind)})" if facts.kind else "")),
        ("kernel", " ".join(clean(name) for name in kernel if name)),
        ("machine", clean(facts.machine or own.machine)),
        ("panic", str(find_panic(trace) or "none was recorded")),
    ]
    if len(trace.whole):
        lines.append(("end", f"{wall(trace, trace.end)}, by {clean(trace.wall_clock.how)}"))
        lines += _steps(trace)
    lines.append(("recorder", _recorder(trace)))
    return lines


def _steps(trace: Trace) -> list[Line]:
    # The last steps of the wall clock.
    steps = trace.wall_clock.steps
    lines = []
    if len(steps) > _MAX_STEPS:
        lines.append(("clock", f"stepped {len(steps)} times; the last {_MAX_STEPS} steps:"))
    for step in steps[-_MAX_STEPS:]:
        text = "stepped"
        if step.before is not None:
            change = step.after - step.before
            text += f" by {'-' if change < 0 else '+'}{abs(change) // 10**9}"
            text += f".{abs(change) % 10**9:09} s"
        if step.asleep:
            text += f", after {step.asleep / 1e9:.3f} s asleep,"
        at = relative(trace, step.ts)
        if step.since < step.ts:
            since = relative(trace, step.since)
            text += f" between {since} and {at} s: wall-clock times in between are not known"
        else:
            text += f" at {at} s"
        lines.append(("clock", text))
    return lines


def footer(trace: Trace, colour: bool = False) -> str:
    """Return the panic in one line."""
    panic = find_panic(trace)
    if not panic:
        return "no panic was recorded\n"
    line = f"panic  {panic}"
    return f"{TROUBLE}{line}{RESET}\n" if colour else f"{line}\n"


def _show(lines: list[Line]) -> str:
    return "".join(f"{name:<{_NAME_WIDTH}} {text}\n" for name, text in lines if text)


def _recorder(trace: Trace) -> str:
    own = trace.header
    maskset = active_maskset(trace.control)
    parts = [f"lkst {own.version}, ABI {own.abi[0]}.{own.abi[1]}", _rings(trace)]
    if maskset:
        parts.append(f"maskset {maskset}")
    if len(trace.whole):
        parts.append(f"started at {relative(trace, own.start)} s")
    return ", ".join(parts)


def _rings(trace: Trace) -> str:
    rings = _count(trace.header.nr_cpus, "ring")
    buffers = [(b.name, _size(b.nr_slots * layout.SLOT_SIZE)) for b in sum_buffers(trace)]
    if len(buffers) == 1:
        return f"{rings} of {buffers[0][1]}"
    sizes = ", ".join(f"{clean(name)} {size}" for name, size in buffers)
    return f"{_count(len(buffers), 'buffer')} of {rings} ({sizes})"


def _cpus(trace: Trace) -> list[Line]:
    cpus = [cpu for cpu in sum_cpus(trace) if not cpu.silent]
    spans = [_span(trace, cpu) for cpu in cpus]
    widths = [max(map(len, column)) for column in zip(*spans, strict=True)]
    lines = []
    for cpu, span in zip(cpus, spans, strict=True):
        records, *times = (text.rjust(width) for text, width in zip(span, widths, strict=True))
        text = f"{records}  {' to '.join(times)}  {loss_text(cpu)}"
        lines.append((f"CPU {cpu.cpu}", text.rstrip()))
    silent = [cpu.cpu for cpu in sum_cpus(trace) if cpu.silent]
    if silent:
        lines.append(("silent", f"CPU {ranges(silent)}"))
    return lines


def _span(trace: Trace, cpu: CPUSummary) -> tuple[str, str, str]:
    times = [relative(trace, ts) for ts in (cpu.first, cpu.last) if ts is not None]
    first, last = times or ("", "")
    return _count(cpu.records, "record"), first, last


def loss_text(cpu: CPUSummary) -> str:
    """Return what a CPU's rings have lost."""
    loss = cpu.loss
    parts = [
        f"{count} {what}"
        for count, what in (
            (loss.overwritten, "overwritten"),
            (loss.unsaved, "overwritten before they were saved"),
            (loss.in_flight, "in flight"),
            (loss.torn, "torn"),
            (loss.unreadable, "unreadable"),
        )
        if count
    ]
    return "slots: " + ", ".join(parts) if parts else "nothing lost"


def event_lines(trace: Trace) -> list[Line]:
    """Return the events that could not be recorded: reason, names of events."""
    # A summary would have to count all records.
    events = sorted(trace.catalogue.events.items())
    suppressed = trace.image.suppressed
    if suppressed is None:
        lines = [("suppressed", ["not known: the kernel's counters were not found"])]
    else:
        missed = [(event.name, suppressed.get(id_, 0)) for id_, event in events]
        lines = [("suppressed", [f"{name} {count}" for name, count in missed if count])]
    for state in ("absent", "unattached"):
        names = [event.name for id_, event in events if event_state(trace.control, id_) == state]
        lines.append((state, names))
    return [(name, wrap(", ".join(texts), _NAME_WIDTH + 1)) for name, texts in lines if texts]


def remark_lines(trace: Trace) -> list[Line]:
    """Return what is damaged, guessed or left out."""
    lines = [("note", clean(note)) for note in trace.facts.notes]
    if trace.image.partial:
        lines.append(("note", "records were left out when the trace was saved"))
    faults = (*trace.image.faults, *trace.faults)
    return lines + [("fault", clean(fault)) for fault in faults]


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _size(size: int) -> str:
    return f"{size >> 20} MiB" if size % (1 << 20) == 0 else f"{size / 1024:g} KiB"


def wrap(text: str, indent: int) -> str:
    """
    Break a long list into lines.

    :param indent: indent of all lines but the first
    """
    return ("\n" + " " * indent).join(textwrap.wrap(text, _WIDTH - indent))


def ranges(numbers: list[int]) -> str:
    """
    Format numbers as ``2-5,7``.

    :param numbers: at least one, ascending
    """
    breaks = [0, *(i + 1 for i, (low, high) in enumerate(pairwise(numbers)) if high > low + 1)]
    runs = [numbers[low:high] for low, high in pairwise([*breaks, len(numbers)])]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
