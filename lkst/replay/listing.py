# SPDX-License-Identifier: GPL-2.0-or-later
"""
List
----

What the recorder in a source contains and has lost, without its records.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lkst.replay.formats import objects_text
from lkst.replay.header import identity, ranges, wrap
from lkst.replay.summary import EventSummary, find_panic, sum_buffers, sum_cpus, sum_events
from lkst.replay.times import relative
from lkst.trace.gaps import unrecorded_switches
from lkst.trace.trace import Trace
from lkst.util.printable import as_json, clean
from lkst.util.tables import plain_table

__all__ = ("list_json", "list_rows", "list_text")

_CPU_COLUMNS = (
    "CPU",
    "records",
    "from",
    "to",
    "span (s)",
    "claimed",
    "overwritten",
    "in flight",
    "torn",
    "unreadable",
)
_BUFFER_COLUMNS = ("buffer", "state", "slots", "records", "from", "to", "span (s)")
_EVENT_COLUMNS = ("event", "category", "records", "ever", "overwritten", "suppressed", "state")


def list_text(trace: Trace) -> str:
    """Format CPUs and events as tables; the text ends with a newline."""
    events = sum_events(trace)
    shown = [entry for entry in events if entry.records or entry.ever or entry.suppressed]
    pieces = [identity(trace), _cpu_table(trace), _missing_text(trace), _buffer_table(trace)]
    if shown:
        pieces.append(_event_table(shown))
    rest = [entry for entry in events if entry not in shown]
    states = sorted({entry.state for entry in rest})
    for state in states:
        names = ", ".join(entry.event.name for entry in rest if entry.state == state)
        pieces.append(f"{state}, never recorded:\n  {wrap(names, 2)}\n")
    return "\n".join(filter(None, pieces))


def _cpu_table(trace: Trace) -> str:
    cpus = sum_cpus(trace)
    # Only logs lose slots before they are saved.
    gaps = any(cpu.loss.unsaved for cpu in cpus)
    rows = []
    for cpu in cpus:
        if cpu.silent:
            continue
        loss = cpu.loss
        losses = (loss.claimed, loss.overwritten, loss.in_flight, loss.torn, loss.unreadable)
        unsaved = (loss.unsaved,) if gaps else ()
        rows.append((cpu.cpu, cpu.records, *_span(trace, cpu.first, cpu.last), *losses, *unsaved))
    silent = [cpu.cpu for cpu in cpus if cpu.silent]
    columns = (*_CPU_COLUMNS, "unsaved") if gaps else _CPU_COLUMNS
    table = plain_table(rows, columns, "l" + "r" * (len(columns) - 1)) + "\n"
    return table + (f"never recorded anything: CPU {ranges(silent)}\n" if silent else "")


def _missing_switches(trace: Trace) -> dict[int, int] | None:
    # CPU -> threads that ran there without a recorded switch to them; None: not known.
    gaps = unrecorded_switches(trace)
    if gaps is None:
        return None
    cpus, counts = np.unique(trace.cpu[gaps.rows], return_counts=True)
    return dict(zip(cpus.tolist(), counts.tolist(), strict=True))


def _missing_text(trace: Trace) -> str:
    # CPUs with unrecorded switches.
    missing = _missing_switches(trace)
    if not missing:
        return ""
    counts = ", ".join(f"CPU {cpu}: {count}" for cpu, count in missing.items())
    text = (
        f"switches without a record: {counts} at least; some threads ran there without a recorded "
        "switch to them; times around those switches are not known"
    )
    return wrap(text, 2) + "\n"


def _span(trace: Trace, first: int | None, last: int | None) -> tuple[str, str, str]:
    if first is None or last is None:
        return "-", "-", "-"
    return relative(trace, first), relative(trace, last), f"{(last - first) / 1e9:.3f}"


def _buffer_table(trace: Trace) -> str:
    # No table for a single buffer that is not frozen.
    buffers = sum_buffers(trace)
    if len(buffers) < 2 and not any(buffer.state == "frozen" for buffer in buffers):
        return ""
    rows = [
        (
            clean(buffer.name),
            buffer.state,
            buffer.nr_slots,
            buffer.records,
            *_span(trace, buffer.first, buffer.last),
        )
        for buffer in buffers
    ]
    return plain_table(rows, _BUFFER_COLUMNS, "llrrrrr") + "\n"


def _event_table(events: list[EventSummary]) -> str:
    rows = [
        (
            entry.event.name,
            entry.event.category,
            entry.records,
            *("-" if n is None else n for n in (entry.ever, entry.overwritten, entry.suppressed)),
            entry.state,
        )
        for entry in events
    ]
    return plain_table(rows, _EVENT_COLUMNS, "llrrrrl") + "\n"


def list_rows(traces: Sequence[Trace], form: str) -> str:
    """
    Format the CPUs of all recorders as jsonl or csv, with the names of the recorders.

    Times are ns of CLOCK_MONOTONIC; null: not known.
    """
    rows = [
        {
            "source": trace.facts.source,
            "boot_id": trace.header.boot_id,
            "start": trace.header.start,
            **cpu,
        }
        for trace in traces
        for cpu in _cpu_objects(trace)
    ]
    return objects_text(rows, form, list(rows[0]) if rows else ())


def _cpu_objects(trace: Trace) -> list[dict[str, Any]]:
    missing = _missing_switches(trace)
    return [
        {
            "cpu": cpu.cpu,
            "records": cpu.records,
            "first": cpu.first,
            "last": cpu.last,
            "claimed": cpu.loss.claimed,
            "overwritten": cpu.loss.overwritten,
            "in_flight": cpu.loss.in_flight,
            "torn": cpu.loss.torn,
            "unreadable": cpu.loss.unreadable,
            "unsaved": cpu.loss.unsaved,
            "head_guessed": cpu.loss.head_guessed,
            "unrecorded_switches": None if missing is None else missing.get(cpu.cpu, 0),
        }
        for cpu in sum_cpus(trace)
    ]


def list_json(trace: Trace) -> str:
    """
    Format the list as one JSON object; the text ends with a newline.

    Times are ns of CLOCK_MONOTONIC; null: not known.
    """
    header, facts = trace.header, trace.facts
    panic = find_panic(trace)
    answer = {
        "source": facts.source,
        "kind": facts.kind,
        "release": facts.release or header.release,
        "machine": facts.machine or header.machine,
        "panic": panic and {"message": panic.message, "cpu": panic.cpu, "task": panic.task},
        "end": trace.end,
        "wall_offset": trace.wall_clock.offset(trace.end),
        "recorder": {
            "version": header.version,
            "abi": list(header.abi),
            "boot_id": header.boot_id,
            "start": header.start,
            "rings": header.nr_cpus,
            "ring_size": header.ring_size,
        },
        "buffers": [
            {
                "buffer": buffer.name,
                "number": buffer.number,
                "state": buffer.state,
                "slots": buffer.nr_slots,
                "records": buffer.records,
                "first": buffer.first,
                "last": buffer.last,
            }
            for buffer in sum_buffers(trace)
        ],
        "cpus": _cpu_objects(trace),
        "events": [
            {
                "event": entry.event.name,
                "category": entry.event.category,
                "records": entry.records,
                "ever": entry.ever,
                "overwritten": entry.overwritten,
                "suppressed": entry.suppressed,
                "state": entry.state,
            }
            for entry in sum_events(trace)
        ],
        "notes": facts.notes,
        "faults": [*trace.image.faults, *trace.records.faults],
    }
    return as_json(answer, indent=2) + "\n"
