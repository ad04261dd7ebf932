# SPDX-License-Identifier: GPL-2.0-or-later
"""Other ways to die: what the kernel's own checks say is recorded as trouble."""

import json
from typing import Any

from dumps import Lab, Run

Record = dict[str, Any]


#: Lines as kernels print them, and what they are recorded as besides.
LINES = {
    "WARNING: CPU: 0 PID: 7 at kernel/foo.c:12 bar+0x1/0x2": "warn",
    "WARNING: kernel/foo.c:12 at bar+0x1/0x2, CPU#0: sh/1": "warn",
    "WARNING: at bar+0x1/0x2, CPU#1: sh/2": "warn",
    "WARNING: BIOS bug: CPU MTRRs don't cover all of memory": None,
    "WARNING: can't access registers at bar+0x1/0x2": None,
    "BUG: KASAN: slab-use-after-free in bar+0x1/0x2": "kasan",
    "BUG: KFENCE: use-after-free read in bar+0x1/0x2": "kfence",
    "BUG: kernel NULL pointer dereference, address: 0000000000000000": "oops",
    "BUG: unable to handle page fault for address: ffff888000000000": "oops",
    "kernel BUG at kernel/foo.c:12!": "oops",
    "Oops: 0002 [#1] SMP NOPTI": "oops",
    "invalid opcode: 0000 [#1] SMP NOPTI": "oops",
    "general protection fault, probably for non-canonical address 0x1": "oops",
    "traps: PANIC: double fault, error_code: 0x0": "oops",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [sh:1]": "soft_lockup",
    "watchdog: Watchdog detected hard LOCKUP on cpu 1": "hard_lockup",
    "watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 1": "hard_lockup",
    "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1": "hard_lockup",
    "INFO: task sh:1 blocked for more than 120 seconds.": "hung_task",
    "rcu: INFO: rcu_preempt self-detected stall on CPU": "rcu_stall",
    "INFO: rcu_tasks detected stalls on tasks:": "rcu_stall",
    "Kernel panic - not syncing: said by user space": "panic",
    "panic is only a word here": None,
}


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


def test_lines(lab: Lab, lkst: Run) -> None:
    script = "sysctl -q kernel.printk_devkmsg=on\n"
    script += "".join(f'echo "{line}" >/dev/kmsg\n' for line in LINES)
    dump = lab("7", script=script)
    result = lkst("replay", dump.vmcore, "--format", "jsonl", "--event", "console,trouble")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    for line, event in LINES.items():
        (row,) = [n for n, r in enumerate(records) if r["fields"].get("text") == line]
        after = records[row + 1]
        found = after["event"] if after["event"] != "console" else None
        assert found == event, line
        if event:
            prefix = "Kernel panic - not syncing: " if event == "panic" else ""
            assert prefix + after["fields"]["message"] == line
    # The real one counts, not the one that was made up.
    assert "sysrq triggered crash" in lkst("replay", dump.vmcore).stdout.splitlines()[-1]
