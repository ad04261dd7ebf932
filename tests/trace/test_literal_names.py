# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of tasks: what a replay prints is found by --comm, and nothing else is."""

import json

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from synthetic import Synthetic

from lkst.replay.serialize import replay_csv, replay_jsonl
from lkst.replay.text import text_lines
from lkst.sql.columns import TableColumns
from lkst.trace.filters import Filters, apply, parse_patterns
from lkst.trace.names.index import decode_comm
from lkst.trace.trace import Trace
from lkst.util.printable import comm_word

#: What prctl(PR_SET_NAME) takes, and how it is printed.
ODD = {
    b'a b"\\c': r'"a b\"\\c"',
    b"x\ny\tz": r'"x\ny\tz"',
    b"\xff\xfe\x80q": r'"\xff\xfe\x80q"',
    b"\xff\xfe\x81q": r'"\xff\xfe\x81q"',
    b"[k]*?": '"[k]*?"',
    b"k": "k",
    b"com,ma": '"com,ma"',
    "été €".encode(): '"été €"',
    b"123456789012345": "123456789012345",
    b"(sd-pam)": "(sd-pam)",
    b"\x1b[31mred": r'"\x1b[31mred"',
    b"!not": "!not",
    b"\\xff": r'"\\xff"',
    "\x9b".encode(): r'"\u009b"',
    b"\x9b": r'"\x9b"',
    "\ufffd".encode(): '"\ufffd"',
    b" a ": '" a "',
    b'"': r'"\""',
}
FIRST = 100


def make(*names: bytes) -> Trace:
    """Let tasks from pid 100 on take names; each writes one more record, at 1 us * pid."""
    made = Synthetic(nr_cpus=1)
    for pid, name in enumerate(names, FIRST):
        made.record(0, pid * 1000, 1, "task_rename", oldcomm="sh", newcomm=name, pid=pid)
    for pid, _ in enumerate(names, FIRST):
        made.record(0, 1_000_000 + pid * 1000, pid, "sys_enter", nr=1)
    return made.trace()


def found(trace: Trace, text: str) -> set[int]:
    """Give the tasks whose own records pass."""
    chosen = apply(trace, Filters(comms=parse_patterns(text), since=-FIRST * 1000))
    return set(chosen.pid.tolist()) - {1}


@pytest.mark.parametrize(("name", "printed"), ODD.items())
def test_each_name_is_found_as_it_is_printed(name: bytes, printed: str) -> None:
    trace = make(*ODD)
    pid = FIRST + list(ODD).index(name)
    lines = "".join(text_lines(trace)).splitlines()
    assert [f" {printed}:{pid} " in line for line in lines].count(True) == 1
    assert [f" newcomm={printed} pid={pid}" in line for line in lines].count(True) == 1
    assert found(trace, printed) == {pid}
    assert found(trace, f"nobody,{printed}") == {pid}
    rows = apply(trace, Filters(comms=parse_patterns(printed)))
    # The renaming names it as well.
    assert len(rows) == 2


def test_patterns_are_patterns_without_quotes() -> None:
    trace = make(b"[k]*?", b"k", b"kxy", b"\xff", b"\xfe", "\ufffd".encode())
    assert found(trace, "k*") == {101, 102}
    assert found(trace, "[k]*?") == {102}
    assert found(trace, '"k"*') == {101, 102}
    assert found(trace, '"[k]"*') == {100}
    # As JSON and SQL show them.
    assert found(trace, "\ufffd") == {103, 104, 105}
    assert found(trace, '"\ufffd"') == {105}


def test_the_bytes_themselves_are_taken() -> None:
    """As the shell hands them over, unescaped."""
    trace = make(*ODD)
    assert found(trace, b"\xff\xfe\x80q".decode("utf-8", "surrogateescape")) == {102}


def test_the_empty_name() -> None:
    trace = make(b"", b"a")
    assert found(trace, '""') == {100}


def test_other_formats_are_well_formed() -> None:
    trace = make(b"\xff\xfe", b"\xf0\x9f\x92\x80")
    records = [json.loads(line) for line in "".join(replay_jsonl(trace)).splitlines()]
    assert [r["comm"] for r in records[-2:]] == ["\ufffd\ufffd", "\U0001f480"]
    assert records[-4]["fields"]["newcomm"] == "\ufffd\ufffd"
    assert r"\xff\xfe" in "".join(replay_csv(trace)).encode().decode()
    names = TableColumns(trace).comms(np.arange(len(trace))).names
    assert {"\ufffd\ufffd", "\U0001f480"} <= set(names)


@given(
    st.binary(max_size=15).filter(lambda raw: b"\0" not in raw),
    st.binary(max_size=15).filter(lambda raw: b"\0" not in raw),
)
def test_any_bytes_are_printed_and_found_again(name: bytes, other: bytes) -> None:
    printed = comm_word(decode_comm(name))
    assert printed.isprintable()
    (pattern,) = parse_patterns(printed)
    trace = make(name, other)
    assert apply(trace, Filters(comms=(pattern,))).pid.tolist().count(FIRST) == 1
    assert found(trace, printed) == ({FIRST, FIRST + 1} if name == other else {FIRST})
