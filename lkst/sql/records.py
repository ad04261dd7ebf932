# SPDX-License-Identifier: GPL-2.0-or-later
"""
Records
-------

The records themselves as tables: all records, the records of each event with its fields,
and a summary for each CPU.
"""

from collections.abc import Iterator

import numpy as np

from lkst.decode.catalogue import Catalogue, Event, Field
from lkst.replay.numbers import COMPANIONS, namer_of
from lkst.sql.columns import Column, Maybe, Names, TableColumns
from lkst.sql.holes import EVER
from lkst.sql.view import BIGINT, INTEGER, TEXT, UBIGINT, ColumnInfo, View

__all__ = ("CPUS", "EVENTS", "HOLES", "TRACE", "event_views")

_RECORD = (
    ColumnInfo("ts_ns", BIGINT, "ns", "time of the record, CLOCK_MONOTONIC"),
    ColumnInfo("cpu", INTEGER, "", "CPU that wrote the record"),
    ColumnInfo("pid", INTEGER, "", "thread id of the current task; 0: an idle task"),
    ColumnInfo("comm", TEXT, "", "name of that task at that time"),
)


def _events(columns: TableColumns) -> dict[str, Column]:
    rows = np.arange(len(columns))
    known = columns.trace.catalogue.events
    place = np.full(1 << 16, -1, np.int32)
    place[list(known)] = np.arange(len(known))
    code = place[columns.event]
    return {
        **_record(columns, rows),
        "event": Names([event.name for event in known.values()], code),
        "category": Names([event.category for event in known.values()], code),
    }


def _record(
    columns: TableColumns, rows: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> dict[str, Column]:
    return {
        "ts_ns": columns.ts[rows],
        "cpu": columns.cpu[rows],
        "pid": columns.pid[rows],
        "comm": columns.comms(rows),
    }


EVENTS = View(
    "events",
    "All records. Each event also has its own table with its fields, named after the event.",
    (),
    (
        *_RECORD,
        ColumnInfo("event", TEXT, "", "name of the event"),
        ColumnInfo("category", TEXT, "", "category of the event"),
    ),
    _events,
)


def _trace(columns: TableColumns) -> dict[str, Column]:
    trace = columns.trace
    one = np.ones(1, bool) if len(trace) else np.zeros(1, bool)
    first = np.array([trace.ts[0] if len(trace) else 0], np.int64)
    last = np.array([trace.ts[-1] if len(trace) else 0], np.int64)
    facts = trace.facts
    return {
        "start_ns": Maybe(first, one),
        "last_ns": Maybe(last, one),
        "end_ns": Maybe(np.array([trace.end], np.int64), one),
        "complete_ns": _complete(columns, int(first[0])),
        "records": np.array([len(trace)], np.int64),
        "release": Names([facts.release or trace.header.release], np.zeros(1, np.int64)),
        "machine": Names([facts.machine or trace.header.machine], np.zeros(1, np.int64)),
        "panic": Names([facts.panic_message], np.array([0 if facts.panic_message else -1])),
    }


def _complete(columns: TableColumns, first: int) -> Maybe:
    ends = [high for own in columns.holes.spans.values() for _, high in own]
    last = max(ends, default=first)
    known = bool(len(columns)) and last < EVER
    return Maybe(np.array([last if known else 0], np.int64), np.array([known]))


def _holes(columns: TableColumns) -> dict[str, Column]:
    spans = columns.holes.spans
    found = [(cpu, low, high) for cpu, own in spans.items() for low, high in own]
    cpu, low, high = np.array(found, np.int64).reshape(-1, 3).T
    return {"cpu": cpu, "start_ns": Maybe(low, low > -EVER), "end_ns": Maybe(high, high < EVER)}


HOLES = View(
    "holes",
    "Time in which records of a CPU may be missing.",
    (),
    (
        ColumnInfo("cpu", INTEGER, "", "CPU number"),
        ColumnInfo("start_ns", BIGINT, "ns", "last record before the hole; NULL: none"),
        ColumnInfo("end_ns", BIGINT, "ns", "first record after the hole; NULL: none"),
    ),
    _holes,
)

TRACE = View(
    "trace",
    "One row: the whole trace.",
    (),
    (
        ColumnInfo("start_ns", BIGINT, "ns", "first record; NULL: none"),
        ColumnInfo("last_ns", BIGINT, "ns", "last record; NULL: none"),
        ColumnInfo("end_ns", BIGINT, "ns", "the panic, or the last record"),
        ColumnInfo("complete_ns", BIGINT, "ns", "no CPU has a hole from then on; NULL: one has"),
        ColumnInfo("records", BIGINT, "", "number of records"),
        ColumnInfo("release", TEXT, "", "kernel release"),
        ColumnInfo("machine", TEXT, "", "host name"),
        ColumnInfo("panic", TEXT, "", "message of the panic; NULL: none"),
    ),
    _trace,
)


def _cpus(columns: TableColumns) -> dict[str, Column]:
    count = np.bincount(columns.cpu, minlength=columns.trace.header.nr_cpus).astype(np.int64)
    first = np.zeros(len(count), np.int64)
    last = np.zeros(len(count), np.int64)
    last[columns.cpu] = columns.ts
    first[columns.cpu[::-1]] = columns.ts[::-1]
    holes = [len(columns.holes.spans.get(cpu, ())) for cpu in range(len(count))]
    return {
        "cpu": np.arange(len(count)),
        "first_ns": Maybe(first, count > 0),
        "last_ns": Maybe(last, count > 0),
        "records": count,
        "holes": np.array(holes, np.int64),
    }


CPUS = View(
    "cpus",
    "One row for each CPU.",
    (),
    (
        ColumnInfo("cpu", INTEGER, "", "CPU number"),
        ColumnInfo("first_ns", BIGINT, "ns", "first record; NULL: none"),
        ColumnInfo("last_ns", BIGINT, "ns", "last record; NULL: none"),
        ColumnInfo("records", BIGINT, "", "number of records"),
        ColumnInfo("holes", BIGINT, "", "number of holes, also the one before the first record"),
    ),
    _cpus,
)


def event_views(catalogue: Catalogue) -> Iterator[View]:
    """Yield the tables of the events, with their fields as columns."""
    for event in catalogue.events.values():
        yield _event_view(event)


def _event_view(event: Event) -> View:
    infos = {info.name: info for info in _RECORD}
    fields: list[tuple[Field, str, bool]] = []
    for field in event.fields:
        named = field.is_number and namer_of(field.type) is not None
        text = not field.is_number or field.type == "text"
        if text and field.type not in ("comm", "name", "text"):
            continue
        name = field.name if field.name.lower() not in infos else f"{event.name}_{field.name}"
        type_ = TEXT if text else UBIGINT if field.size == 8 and _unsigned(field) else BIGINT
        infos[name.lower()] = ColumnInfo(name, type_, "" if text else field.unit, field.type)
        fields.append((field, name, False))
        if named:
            infos[f"{name}_name".lower()] = ColumnInfo(
                f"{name}_name", TEXT, "", "the same value by name"
            )
            fields.append((field, f"{name}_name", True))

    def build(columns: TableColumns) -> dict[str, Column]:
        rows = columns.rows(event)
        table = _record(columns, rows)
        for field, name, named in fields:
            table[name] = _field(columns, event, field, rows, named)
        return table

    return View(event.name, event.description, (event.name,), tuple(infos.values()), build)


def _unsigned(field: Field) -> bool:
    from lkst.abi.kernel_constants import SIGNED

    return field.type not in SIGNED


def _field(
    columns: TableColumns,
    event: Event,
    field: Field,
    rows: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    named: bool,
) -> Column:
    if not field.is_number or field.type == "text":
        return columns.texts(rows, field.name)
    values = columns.trace.column(field, rows)
    if not named:
        return values
    numbers = values
    if field.type in COMPANIONS and (other := event.field(COMPANIONS[field.type])):
        low = np.uint64(0xFFFFFFFF)
        numbers = values.astype(np.uint64) & low
        companion = columns.trace.column(other, rows).astype(np.uint64) & low
        numbers |= companion << np.uint64(32)
    return columns.named(field.type, numbers)
