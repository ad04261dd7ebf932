# SPDX-License-Identifier: GPL-2.0-or-later
"""A dump that the machine takes of itself: kexec, a capture kernel, makedumpfile -d 31."""

import json

from dumps import Lab, Run


def test_kdump(lab: Lab, lkst: Run) -> None:
    dump = lab("6.12", "--scenario", "story", "--capture", "kdump", "--dump-format", "flattened")
    assert dump.vmcore.read_bytes().startswith(b"makedumpfile\0")
    result = lkst("replay", dump.vmcore, "--format", "jsonl")
    assert result.status == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    ends = {r["comm"] for r in records if r["event"] == "sched_process_exit"}
    assert {step["comm"] for step in dump.story if step["step"] == "fork"} <= ends
    (panic,) = [record for record in records if record["event"] == "panic"]
    assert panic["fields"]["message"] == "sysrq triggered crash"
