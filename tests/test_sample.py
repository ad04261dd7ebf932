# SPDX-License-Identifier: GPL-2.0-or-later
"""The sample dump, and what ./dev demo shows of it."""

from dumps import SAMPLE, Run


def test_sample(lkst: Run) -> None:
    assert SAMPLE.stat().st_size < 8 << 20
    result = lkst("replay", SAMPLE)
    assert (result.status, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert sum(" sched_switch " in line for line in lines) > 100
    assert any("keeper:" in line and " sched_switch " in line for line in lines)
    assert lines[-1].startswith("panic")
    assert "hung_task: blocked tasks" in lines[-1]
