# SPDX-License-Identifier: GPL-2.0-or-later
"""A trace as a database: its tables, how they are described, and what they cost."""

from dataclasses import replace
from typing import Any

import pytest
from synthetic import EventSpec, FieldSpec, Synthetic

from lkst.sql.columns import Column, TableColumns
from lkst.sql.connect import connect, tables_of
from lkst.sql.views import VIEWS
from lkst.trace.facts import Enums, Facts, Names
from lkst.trace.trace import Trace


def rows(trace: Trace, query: str) -> list[tuple[Any, ...]]:
    return connect(trace).execute(query).fetchall()


def test_events() -> None:
    made = Synthetic()
    made.record(0, 1_000, 7, "sched_process_exit", comm="sh", exit_code=256, tgid=7)
    made.record(1, 2_000, 0, "console", text="first\n" + "x" * 100)
    found = rows(made.trace(), "SELECT * FROM events ORDER BY ts_ns")
    assert found == [
        (1_000, 0, 7, "sh", "sched_process_exit", "sched"),
        (2_000, 1, 0, "swapper/1", "console", "console"),
    ]
    found = rows(made.trace(), "SELECT exit_code, exit_code_name FROM sched_process_exit")
    assert found == [(256, "1")]
    assert rows(made.trace(), "SELECT text FROM console") == [("first\n" + "x" * 100,)]
    assert rows(made.trace(), "SELECT before_end(ts_ns) FROM events") == [(-1e-6,), (0,)]


def test_probes_are_tables_as_well() -> None:
    fields = (
        FieldSpec("enum", "colour", size=4),
        FieldSpec("errno", "ret"),
        FieldSpec("comm", "comm"),
    )
    # One of them is called like a table that is derived, the other one nearly like the first.
    events = tuple(
        EventSpec(name, "probe", hook="fexit/vfs_read", fields=fields, enums="colour")
        for name in ("packets", "Hit")
    )
    made = Synthetic(events=(EventSpec("tick"), *events))
    made.record(0, 1_000, 7, "packets", colour=2, ret=-2, comm="sh")
    made.record(0, 2_000, 7, "Hit", colour=3, ret=5, comm="sh")
    trace = made.trace(Facts(names=Names(enums=Enums({"colour": {2: "BLUE"}}))))
    for table, row in ("probe_packets", (2, "BLUE", "-ENOENT")), ("hit", (3, "3", "5")):
        found = rows(trace, f"SELECT colour, colour_name, ret_name FROM {table}")
        assert found == [row]
    assert rows(trace, "SELECT Hit_comm FROM Hit") == [("sh",)]


def test_addresses_are_unsigned() -> None:
    made = Synthetic()
    made.record(0, 1_000, 7, "kfree", ptr=0xFFFF_8880_0000_1000, call_site=1)
    assert rows(made.trace(), "SELECT ptr FROM kfree") == [(0xFFFF_8880_0000_1000,)]


@pytest.mark.parametrize("empty", [True, False])
def test_tables_have_the_columns_that_they_are_said_to_have(empty: bool) -> None:
    made = Synthetic()
    if not empty:
        for number, event in enumerate(made.events or ()):
            made.record(number % 2, 1_000 + number, 7, event.name)
    trace = made.trace()
    connection = connect(trace)
    for name, view in tables_of(trace).items():
        described = connection.execute(f'DESCRIBE SELECT * FROM "{name}"').fetchall()
        assert [row[:2] for row in described] == [(c.name, c.type) for c in view.columns]
        connection.execute(f'SELECT * FROM "{name}"').fetchall()


def test_tables_are_made_when_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Synthetic()
    made.record(0, 1_000, 7, "sys_enter", nr=1)
    calls = []
    original = VIEWS["running"]

    def build(columns: TableColumns) -> dict[str, Column]:
        calls.append(1)
        return original.build(columns)

    monkeypatch.setitem(VIEWS, "running", replace(original, build=build))
    connection = connect(made.trace())
    assert not calls
    for _ in range(2):
        connection.execute("SELECT count(*) FROM running").fetchall()
    assert len(calls) == 1


def test_no_event_takes_the_place_of_a_table() -> None:
    names = ("Running", "events", "EVENTS", "plain", "Plain")
    made = Synthetic(
        [
            EventSpec(name, fields=(FieldSpec("u64", "TS_NS"), FieldSpec("s32", "x")))
            for name in names
        ]
    )
    made.record(0, 1_000, 7, "Running", x=1)
    made.record(0, 2_000, 7, "plain", TS_NS=5, x=3)
    trace = made.trace()
    assert rows(trace, "SELECT count(*) FROM running") == [(0,)]
    assert rows(trace, "SELECT event FROM events ORDER BY ts_ns") == [("Running",), ("plain",)]
    assert rows(trace, "SELECT ts_ns, plain_TS_NS, x FROM plain") == [(2_000, 5, 3)]
