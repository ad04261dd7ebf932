# SPDX-License-Identifier: GPL-2.0-or-later
"""A dump that the machine takes of itself: kexec, a capture kernel, makedumpfile -d 31."""

import json

from dumps import Lab, Run


def test_kdump(lab: Lab, lkst: Run) -> None:
    dump = lab("6.12", "--scenario", "story", "--capture", "kdump", "--dump-format", "flattened")
    assert dump.vmcore.read_bytes().startswith(b"makedumpfile\0")
    result = lkst("replay", dump.vmcore, "--format", "jsonl")
    # makedumpfile 1.7.2 takes some slab pages of this kernel for pages of user space and
    # leaves them out. If the list of maps was there, the recorder is carved.
    assert result.status == 0 or (result.status == 3 and "carved" in result.stderr), result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    ends = {r["comm"] for r in records if r["event"] == "sched_process_exit"}
    assert {step["comm"] for step in dump.story if step["step"] == "fork"} <= ends
    (panic,) = [record for record in records if record["event"] == "panic"]
    assert panic["fields"]["message"] == "sysrq triggered crash"
