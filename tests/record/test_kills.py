# SPDX-License-Identifier: GPL-2.0-or-later
"""A command that steers and is killed in the middle leaves the recorder whole."""

import json
from pathlib import Path
from typing import Any

from dumps import Lab
import pytest

KILLS = Path(__file__).with_name("kills.py")

SCRIPT = r"""
lkst mask new two
lkst mask set two mark=record sched_process_exec=record
lkst start --maskset none --size 16K
PYTHONPATH=/lab/project exec python3 /lab/files/kills.py
"""


@pytest.fixture(scope="module")
def kills(lab: Lab) -> dict[str, Any]:
    dump = lab("6.12", "--no-record", "--timeout", "900", "--file", str(KILLS), script=SCRIPT)
    done: dict[str, Any] = json.loads((dump.out / "kills.json").read_text())
    return done


@pytest.mark.parametrize("name", ["new", "delete", "resize", "use", "add", "remove"])
def test_killed(kills: dict[str, Any], name: str) -> None:
    left = kills[name]["left"]
    assert kills[name]["lines"] > len(left)
    # Killed early it has done nothing; somewhere it takes effect, and then it stays so.
    assert left[0] == "before"
    assert sorted(left, key=["before", "after"].index) == left
