# SPDX-License-Identifier: GPL-2.0-or-later
"""The sample dump, what ./dev demo shows of it, and what the README tells of it."""

import re

from dumps import ROOT, SAMPLE, Run


def test_sample(lkst: Run) -> None:
    assert SAMPLE.stat().st_size < 8 << 20
    result = lkst("replay", SAMPLE)
    assert (result.status, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert sum(" sched_switch " in line for line in lines) > 100
    assert any("keeper:" in line and " sched_switch " in line for line in lines)
    assert lines[-1].startswith("panic")
    assert "hung_task: blocked tasks" in lines[-1]


def test_what_the_readme_shows_of_it(lkst: Run) -> None:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(
        r"^```\n\$ lkst ([^\n]*vmcores/sample[^\n]*)\n\.\.\.\n(.*?)^```", text, re.M | re.S
    )
    assert [words.split()[0] for words, _ in blocks] == ["state", "replay"]
    for words, shown in blocks:
        result = lkst(*words.split())
        assert (result.status, result.stderr) == (0, "")
        assert shown in result.stdout
