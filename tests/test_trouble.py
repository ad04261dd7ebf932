# SPDX-License-Identifier: GPL-2.0-or-later
"""Other ways to die: what the kernel's own checks say is recorded as trouble."""

import json
from typing import Any

from dumps import Lab, Run

Record = dict[str, Any]


def replay(lab: Lab, lkst: Run, kernel: str, scenario: str) -> list[Record]:
    dump = lab(kernel, "--scenario", scenario)
    result = lkst("replay", dump.vmcore, "--format", "jsonl")
    assert (result.status, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def messages(records: list[Record], event: str) -> list[str]:
    return [record["fields"]["message"] for record in records if record["event"] == event]


def test_hung_task(lab: Lab, lkst: Run) -> None:
    records = replay(lab, lkst, "6.1", "hung")
    assert messages(records, "panic") == ["hung_task: blocked tasks"]
    (message,) = messages(records, "hung_task")
    task, pid = message.split()[2].rsplit(":", 1)
    # The last that the recorder saw of it: it went to sleep in D, and nothing woke it.
    last = [r for r in records if r["event"] == "sched_switch" and r["pid"] == int(pid)][-1]
    assert (last["comm"], last["fields"]["prev_state"]) == (task, "D")


def test_nmi(lab: Lab, lkst: Run) -> None:
    records = replay(lab, lkst, "6.12", "nmi")
    assert messages(records, "panic") == ["NMI: Not continuing"]
    handlers = [r["fields"]["handler"] for r in records if r["event"] == "nmi_handler"]
    assert "nmi_cpu_backtrace_handler" in handlers


def test_oom(lab: Lab, lkst: Run) -> None:
    records = replay(lab, lkst, "7", "oom")
    (message,) = messages(records, "panic")
    assert message.startswith("Out of memory")
    begun = [r for r in records if r["event"] == "mm_vmscan_direct_reclaim_begin"]
    assert begun
    for record in begun:
        assert 0 <= record["fields"]["order"] <= 10
        assert "GFP_" in record["fields"]["gfp_flags"]
    ends = [r for r in records if r["event"] == "mm_vmscan_direct_reclaim_end"]
    assert ends and all(0 <= r["fields"]["nr_reclaimed"] < 1 << 20 for r in ends)
