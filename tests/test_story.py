# SPDX-License-Identifier: GPL-2.0-or-later
"""
The main job: a program whose story is known runs, the machine panics, and the
replay of the dump tells that story, complete, in order, with right fields.
"""

from collections.abc import Iterator
from itertools import pairwise
import json
from typing import Any

from dumps import Dump, Run
import pytest

Record = dict[str, Any]


@pytest.fixture(scope="module")
def records(story: Dump, lkst: Run) -> list[Record]:
    """Give all records of a kernel's story."""
    result = lkst("replay", story.vmcore, "--format", "jsonl")
    assert result.status == 0, result.stderr
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def steps(dump: Dump, name: str) -> list[Record]:
    found = [step for step in dump.story if step["step"] == name]
    assert found, name
    return found


def during(records: list[Record], step: Record, *events: str) -> Iterator[Record]:
    """Give what the step's own task did in a step."""
    for record in records:
        inside = step["start"] <= record["ts"] <= step["end"]
        if inside and record["event"] in events and record["pid"] == step["pid"]:
            yield record


def calls(records: list[Record], step: Record, name: str) -> list[Record]:
    """Give a system call's entries and exits in a step."""
    found = during(records, step, "sys_enter", "sys_exit")
    return [record for record in found if record["fields"]["nr"] == name]


def test_nothing_is_lost_and_all_is_in_order(records: list[Record]) -> None:
    times = [record["ts"] for record in records]
    assert times == sorted(times)
    assert not [record for record in records if record.get("flags")]
    assert records[0]["event"] == "lkst_start"


def test_it_ends_with_the_panic(records: list[Record]) -> None:
    (panic,) = [record for record in records if record["event"] == "panic"]
    assert panic["fields"]["message"] == "sysrq triggered crash"
    after = records[records.index(panic) :]
    # Whatever the dying kernel still did, no other task ran on this CPU.
    assert {record["pid"] for record in after if record["cpu"] == panic["cpu"]} == {panic["pid"]}


def test_system_calls(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "getppid")
    entries = calls(records, step, "getppid")
    assert [record["event"] for record in entries] == ["sys_enter", "sys_exit"] * step["count"]

    (step,) = steps(story, "write")
    enter, leave = calls(records, step, "write")
    assert int(enter["fields"]["arg0"], 0) == step["fd"]
    assert int(enter["fields"]["arg2"], 0) == step["count"] == 123456
    assert leave["fields"]["ret"] == step["result"]

    found, missing = steps(story, "openat")
    assert calls(records, found, "openat")[1]["fields"]["ret"] == found["result"]
    assert calls(records, missing, "openat")[1]["fields"]["ret"] == "-ENOENT"


def test_fsync_reaches_the_disk(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "fsync")
    assert [record["event"] for record in calls(records, step, "fsync")] == [
        "sys_enter",
        "sys_exit",
    ]
    begun = [
        record
        for record in records
        if record["event"] == "block_rq_issue" and step["start"] <= record["ts"] <= step["end"]
    ]
    assert begun
    for issue in begun:
        assert issue["fields"]["op"] in ("WRITE", "FLUSH", "READ"), issue
        done = [
            record
            for record in records
            if record["event"] == "block_rq_complete"
            and record["fields"]["rq"] == issue["fields"]["rq"]
            and record["ts"] > issue["ts"]
        ]
        assert done, issue
        assert done[0]["fields"]["status"] == "OK"
        assert done[0]["fields"]["dev"] == issue["fields"]["dev"]


def test_children(story: Dump, records: list[Record]) -> None:
    for step in steps(story, "fork"):
        (fork,) = [
            record
            for record in records
            if record["event"] == "sched_process_fork"
            and record["fields"]["child_pid"] == step["child"]
        ]
        assert fork["pid"] == step["pid"]
        assert step["start"] <= fork["ts"] <= step["end"]
        (end,) = [
            record
            for record in records
            if record["event"] == "sched_process_exit" and record["pid"] == step["child"]
        ]
        assert fork["ts"] < end["ts"] <= step["end"]
        # The name that it gave itself, though it is long dead.
        assert end["comm"] == step["comm"]
        assert str(step["exit_code"]) in str(end["fields"]["exit_code"])


def test_exec_names_the_file(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "exec")
    (record,) = [
        r for r in records if r["event"] == "sched_process_exec" and r["pid"] == step["child"]
    ]
    assert record["fields"]["filename"] == step["path"]
    assert record["fields"]["comm"] == step["comm_after"]
    names = [r["comm"] for r in records if r["pid"] == step["child"]]
    assert step["comm"] in names
    assert names[-1] == step["comm_after"]


def test_signals(story: Dump, records: list[Record]) -> None:
    names = {10: "SIGUSR1", 12: "SIGUSR2", 9: "SIGKILL"}
    for step in steps(story, "signal"):
        name = names[step["number"]]
        sent = [
            record
            for record in during(records, step, "signal_generate")
            if record["fields"]["sig"] == name and record["fields"]["pid"] == step["target"]
        ]
        assert len(sent) == 1, step
        taken = [
            record
            for record in records
            if record["event"] == "signal_deliver"
            and record["pid"] == step["target"]
            and record["fields"]["sig"] == name
        ]
        # The child takes SIGUSR2 by sigwait(), which delivers nothing.
        assert len(taken) == (0 if name == "SIGUSR2" else 1), step
        assert all(record["ts"] > sent[0]["ts"] for record in taken)
        if "child" in step:
            (end,) = [
                record
                for record in records
                if record["event"] == "sched_process_exit" and record["pid"] == step["child"]
            ]
            assert end["ts"] > sent[0]["ts"]


def test_exception(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "exception")
    faults = [
        record
        for record in records
        if record["event"] == "page_fault_user"
        and record["pid"] == step["child"]
        and int(record["fields"]["address"], 0) == step["address"]
    ]
    assert faults
    (sent,) = [
        record
        for record in records
        if record["event"] == "signal_generate"
        and record["pid"] == step["child"]
        and record["fields"]["sig"] == "SIGSEGV"
    ]
    assert sent["ts"] > faults[-1]["ts"]
    (end,) = [
        r for r in records if r["event"] == "sched_process_exit" and r["pid"] == step["child"]
    ]
    assert end["comm"] == step["comm"]


def test_no_sleeper_goes_on_without_a_wakeup(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "wakeups")
    inside = [record for record in records if step["start"] <= record["ts"] <= step["end"]]
    slept = [
        record["ts"]
        for record in inside
        if record["event"] == "sched_switch"
        and record["pid"] == step["child"]
        and record["fields"]["prev_state"] == "S"
    ]
    woken = [
        record
        for record in inside
        # Another CPU than the waker's may do it, whatever runs there.
        if record["event"] == "sched_wakeup" and record["fields"]["pid"] == step["child"]
    ]
    assert len(slept) > 1
    for one, next_ in pairwise(slept):
        assert any(one < record["ts"] < next_ for record in woken)
    assert {record["fields"]["comm"] for record in woken} == {step["comm"]}


def test_packets(story: Dump, records: list[Record]) -> None:
    sizes = []
    for step in steps(story, "udp"):
        (sent,) = during(records, step, "net_dev_xmit")
        assert sent["fields"]["dev"] == "lo"
        sizes.append(sent["fields"]["len"] - step["bytes"])
    # Ethernet, IPv4 and UDP headers, the same for all.
    assert sizes == [14 + 20 + 8] * len(sizes)


def test_migration(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "migrate")
    moved = [
        record["fields"]
        for record in records
        if record["event"] == "sched_migrate_task"
        and step["start"] <= record["ts"] <= step["end"]
        and record["fields"]["pid"] == step["pid"]
    ]
    assert [(move["orig_cpu"], move["dest_cpu"]) for move in moved] == [
        (step["from_cpu"], step["to_cpu"])
    ]
    (done,) = steps(story, "end")
    assert {r["cpu"] for r in records if r["pid"] == step["pid"] and r["ts"] > done["start"]} == {
        step["to_cpu"]
    }


def test_sleep(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "sleep")
    (away,) = [
        record
        for record in during(records, step, "sched_switch")
        if record["fields"]["prev_state"] == "S"
    ]
    back = next(
        record
        for record in records
        if record["event"] == "sched_switch"
        and record["ts"] > away["ts"]
        and record["fields"]["next_pid"] == step["pid"]
    )
    # A task that is kept from the CPU on its way to sleep is away for less.
    assert back["ts"] - step["start"] >= step["ns"]


def test_console_line_over_many_slots(story: Dump, records: list[Record]) -> None:
    (step,) = steps(story, "printk")
    lines = [record["fields"]["text"] for record in records if record["event"] == "console"]
    assert len(step["text"]) > 300
    assert step["text"] in lines
