# SPDX-License-Identifier: GPL-2.0-or-later
"""Replay for programs: what comes out is read back."""

import csv
import io
import json

from synthetic import Synthetic

from lkst.replay.serialize import COLUMNS, replay_csv, replay_jsonl
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace


def made() -> Trace:
    story = Synthetic()
    story.record(0, 1000, 318, "signal_generate", comm="a b", pid=5, sig=12, code=-6, group=1)
    story.record(1, 2000, 0, "console", text='say "hi",\n\x1b[31m\x7f é')
    story.record(0, 3000, 5, "sys_enter", nr=257, arg1=2**64 - 1)
    story.record(0, 4000, 318, "sched_process_exit", comm='x"=,\\', exit_code=9, tgid=318)
    story.record(1, 5000, 5, "sys_exit", nr=257, ret=-2, committed=False)
    return story.trace(Facts(names=Names(syscalls={257: "openat"})))


def test_jsonl() -> None:
    lines = "".join(replay_jsonl(made())).splitlines()
    assert lines[0] == (
        '{"ts":1000,"cpu":0,"pid":318,"comm":"x\\"=,\\\\","event":"signal_generate","origin":"lkst",'
        '"fields":{"sig":"SIGUSR2","comm":"a b","pid":5,"code":"SI_TKILL","errno":0,"group":1,'
        '"result":"delivered"}}'
    )
    records = [json.loads(line) for line in lines]
    assert records[1] == {
        "ts": 2000,
        "cpu": 1,
        "pid": 0,
        "comm": "swapper/1",
        "event": "console",
        "origin": "lkst",
        "fields": {"text": 'say "hi",\n\x1b[31m\x7f é'},
    }
    assert records[2]["fields"] == {
        "nr": "openat",
        "arg0": "0x0",
        "arg1": "0xffffffffffffffff",
        "arg2": "0x0",
        "arg3": "0x0",
        "compat": 0,
    }
    assert records[3]["fields"] == {"comm": 'x"=,\\', "exit_code": "SIGKILL", "tgid": 318}
    assert records[4]["flags"] == ["in-flight"]
    assert records[4]["fields"] == {"nr": "openat", "ret": "-ENOENT", "compat": 0}
    assert [list(record) for record in records[:4]] == [list(records[0])] * 4


def test_csv() -> None:
    text = "".join(replay_csv(made()))
    rows = list(csv.reader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert rows[1] == [
        "1000",
        "0",
        "318",
        'x"=,\\',
        "signal_generate",
        'sig=SIGUSR2 comm="a b" pid=5 code=SI_TKILL errno=0 group=1 result=delivered',
        "",
    ]
    assert rows[2][3:6] == ["swapper/1", "console", r'text="say \"hi\",\n\x1b[31m\x7f é"']
    assert rows[4][5] == r'comm="x\"=,\\" exit_code=SIGKILL tgid=318'
    assert rows[5][4:] == ["sys_exit", "nr=openat ret=-ENOENT compat=0", "in-flight"]
    assert len(rows) == 6


def test_names_that_json_has_to_escape() -> None:
    names = ["a b", "a\\b", 'a"b', "a\tb", "é", "=", ""]
    story = Synthetic()
    for ts, name in enumerate(names, 1):
        story.record(0, ts, ts, "sched_process_exit", comm=name)
        # One at a time, and all in one column.
        trace = story.trace().select(slice(ts - 1, ts))
        (line,) = "".join(replay_jsonl(trace)).splitlines()
        assert json.loads(line)["fields"]["comm"] == name
    records = [json.loads(line) for line in "".join(replay_jsonl(story.trace())).splitlines()]
    assert [record["fields"]["comm"] for record in records] == names
    assert [record["comm"] for record in records] == names


def test_empty() -> None:
    trace = Synthetic().trace()
    assert "".join(replay_jsonl(trace)) == ""
    assert "".join(replay_csv(trace)) == ",".join(COLUMNS) + "\n"


def test_an_event_that_the_catalogue_does_not_have() -> None:
    trace = made()
    name = f"event#{trace.event[2]}"
    trace.catalogue.events.clear()
    records = [json.loads(line) for line in "".join(replay_jsonl(trace)).splitlines()]
    assert [record["event"] for record in records][2] == name
    assert all(record["fields"] == {} for record in records)
    rows = list(csv.reader(io.StringIO("".join(replay_csv(trace)))))
    assert rows[3][4:] == [name, "", ""]


def test_buffer_is_told_where_there_are_several() -> None:
    story = Synthetic(more={'b"': 64})
    story.record(0, 1, 1, "softirq_exit", buffer=1)
    story.record(0, 2, 1, "softirq_exit", buffer=0)
    lines = "".join(replay_jsonl(story.trace())).splitlines()
    assert [json.loads(line)["buffer"] for line in lines] == ['b"', "main"]
    assert "".join(replay_csv(story.trace())).splitlines()[0] == ",".join(COLUMNS)
