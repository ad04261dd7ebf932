# SPDX-License-Identifier: GPL-2.0-or-later
"""What shells complete words to, as bash asks for it."""

import os
import subprocess
import sys

from dumps import ROOT
import pytest

pytestmark = pytest.mark.slow


def complete(*words: str) -> list[str]:
    environment = os.environ | {
        "_LKST_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("lkst", *words)),
        "COMP_CWORD": str(len(words)),
    }
    # As the script that is installed, whose name tells that of the variable.
    code = "import sys; sys.argv[0] = 'lkst'; from lkst.cli.main import main; main()"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert result.stderr == ""
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


def test_commands() -> None:
    assert complete("pro") == ["probe"]
    assert {"replay", "state", "list"} <= set(complete(""))
    assert complete("probe", "re") == ["remove"]


def test_options() -> None:
    assert "--return" in complete("probe", "add", "--re")


def test_events() -> None:
    assert complete("replay", "vmcore", "--event", "sched_sw") == ["sched_switch"]
    assert "irq,sched_switch" in complete("replay", "vmcore", "--event", "irq,sched_s")
    assert "block_rq_issue" in complete("events", "block_rq")


def test_functions_and_tracepoints() -> None:
    found = complete("probe", "show", "vfs_rea")
    assert {"vfs_read", "vfs_readv"} <= set(found)
    assert all(name.startswith("vfs_rea") for name in found)
    assert complete("probe", "add", "tracepoint:sched_swi") == ["tracepoint:sched_switch"]
