# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks as they are shown: below a record, and in columns for programs."""

import csv
import io
import json

import pytest
from synthetic import Synthetic

from lkst.replay.serialize import COLUMNS, replay_csv, replay_jsonl
from lkst.replay.stacks import Stacks
from lkst.replay.text import text_lines
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace

BASE = 0xFFFF_FFFF_8100_0000
#: Functions of 4096 bytes, one after the other.
FUNCTIONS = [
    "bpf_prog_a5a5_sched_switch",
    "bpf_trampoline_6442",
    "bpf_trace_run3",
    "__bpf_trace_sched_switch",
    "trace_event_raw_event_sched_switch",
    "__traceiter_sched_switch",
    "schedule",
    "do_exit",
    "bpf_trace_run2",
]
PROG = 0xFFFF_FFFF_C000_1234


def symbol(address: int) -> str | None:
    index, offset = divmod(address - BASE, 4096)
    return f"{FUNCTIONS[index]}+{offset:#x}" if 0 <= index < len(FUNCTIONS) else None


def at(name: str, offset: int = 0x20) -> int:
    return BASE + 4096 * FUNCTIONS.index(name) + offset


def made(*stacks: list[int], names: Names | None = None) -> Trace:
    story = Synthetic()
    for number, stack in enumerate(stacks):
        story.record(0, 1000 + number, 7, "softirq_exit", stack=stack)
    return story.trace(Facts(names=names or Names(symbol=symbol)))


@pytest.mark.parametrize(
    ("stack", "shown"),
    [
        ([at("schedule"), at("do_exit")], ["schedule+0x20", "do_exit+0x20"]),
        # As a vmcore has it: the program has no symbol.
        (
            [PROG, at("bpf_trace_run3"), at("__traceiter_sched_switch"), at("schedule")],
            ["schedule+0x20"],
        ),
        # As a live kernel has it.
        ([*(at(name) for name in FUNCTIONS[:6]), at("schedule")], ["schedule+0x20"]),
        # Only what leads to the recorder is its own.
        ([at("schedule"), at("bpf_trace_run2")], ["schedule+0x20", "bpf_trace_run2+0x20"]),
        # A module's function that nobody knows.
        ([PROG, at("bpf_trace_run3"), PROG + 8, at("schedule")], [hex(PROG + 8), "schedule+0x20"]),
        # No symbols at all.
        ([PROG, PROG + 8], [hex(PROG), hex(PROG + 8)]),
        ([at("bpf_trace_run3")], []),
        # A call that never returns ends its function.
        ([at("schedule"), at("do_exit", 0)], ["schedule+0x20", "schedule+0x1000"]),
        # The innermost is where a function was entered.
        ([at("do_exit", 0), at("schedule")], ["do_exit+0x0", "schedule+0x20"]),
    ],
)
def test_frames(stack: list[int], shown: list[str]) -> None:
    trace = made(stack)
    rows, frames = Stacks(trace.facts.names).write(trace)
    assert rows.tolist() == [0]
    assert [list(each) for each in frames] == [shown]


def test_text() -> None:
    trace = made([at("schedule"), at("do_exit")], [], [at("do_exit")])
    lines = "".join(text_lines(trace)).splitlines()
    assert [line.split()[-1] for line in lines] == [
        "vec=HI",
        "schedule+0x20",
        "do_exit+0x20",
        "vec=HI",
        "vec=HI",
        "do_exit+0x20",
    ]
    assert [line.startswith(" " * 16) for line in lines] == [False, True, True, False, False, True]


def test_jsonl() -> None:
    records = [
        json.loads(line)
        for line in "".join(replay_jsonl(made([at("schedule"), PROG], []))).splitlines()
    ]
    assert records[0]["stack"] == ["schedule+0x20", hex(PROG)]
    assert list(records[0])[:7] == list(records[1])
    assert "stack" not in records[1]


def test_csv() -> None:
    rows = list(csv.reader(io.StringIO("".join(replay_csv(made([at("schedule"), PROG], []))))))
    assert tuple(rows[0]) == (*COLUMNS, "stack")
    assert [row[7] for row in rows[1:]] == [f"schedule+0x20 {PROG:#x}", ""]
    # Without any, the columns are what they always were.
    assert "".join(replay_csv(made([]))).splitlines()[0] == ",".join(COLUMNS)


def test_names_that_do_harm() -> None:
    trace = made([at("schedule")], names=Names(symbol=lambda address: 'a\x1b[31m"b\n'))
    assert "\x1b" not in "".join(text_lines(trace))
    assert len("".join(text_lines(trace)).splitlines()) == 2
    (record,) = map(json.loads, "".join(replay_jsonl(trace)).splitlines())
    assert record["stack"] == ['a\\x1b[31m"b\\n']
    rows = list(csv.reader(io.StringIO("".join(replay_csv(trace))), strict=True))
    assert rows[1][7] == 'a\\x1b[31m"b\\n'
