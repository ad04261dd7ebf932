# SPDX-License-Identifier: GPL-2.0-or-later
"""
Compare what `lkst state` suspects with what really happened.

Each scenario that knows its culprit is run, and the first suspicions have to name
one of the tasks, functions, locks or devices that its truth has.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import json
from pathlib import Path
import subprocess
import sys
from typing import Any

from run import Options, run
from scenario import Scenario
from tools import LabError

__all__ = ("FIRST", "Score", "names_of", "place_of", "score")

#: Suspicions that count.
FIRST = 3

PROJECT = Path(__file__).resolve().parent.parent


@dataclass
class Score:
    """What came of one run."""

    kernel: str
    scenario: str
    #: Place of the first suspicion that names the culprit, from 1; None: none does.
    place: int | None = None
    #: What was suspected: culprits, in order.
    culprits: list[str] = field(default_factory=list)
    #: Why there is nothing to compare.
    problem: str = ""

    @property
    def is_right(self) -> bool:
        """Whether one of the first suspicions names the culprit."""
        return self.place is not None and self.place <= FIRST

    def __str__(self) -> str:
        """Show it in one line."""
        told = self.problem or ", ".join(self.culprits[:FIRST]) or "nothing"
        place = str(self.place or "-") if not self.problem else "!"
        right = "ok" if self.is_right else "MISSED"
        return f"{self.kernel:<5} {self.scenario:<14} {right:<7} {place:>2}  {told}"


def names_of(truth: dict[str, Any]) -> set[str]:
    """Give all names that a truth accepts."""
    return {name for names in truth.values() if isinstance(names, list) for name in names}


def place_of(culprits: Iterable[str], names: set[str]) -> int | None:
    """
    Find the first culprit that has one of the names.

    :param culprits: functions, locks, devices, and tasks with their pids
    :return: its place, from 1
    """
    for place, culprit in enumerate(culprits, 1):
        if culprit in names or culprit.rpartition(":")[0].strip('"') in names:
            return place
    return None


def score(kernel: str, scenario: Scenario, out: Path, say: Callable[[str], None]) -> Score:
    """
    Run a scenario, and compare.

    :param out: folder for what the run leaves
    """
    result = Score(kernel, scenario.name)
    try:
        run(Options(out=out, kernel=kernel, script=scenario.script, timeout=300), say)
        truth = json.loads((out / "out" / "truth.json").read_text())
    except LabError as error:
        result.problem = str(error).splitlines()[0]
        return result
    except (OSError, ValueError) as error:
        result.problem = f"no truth: {error}"
        return result
    done = subprocess.run(
        [sys.executable, "-m", "lkst", "state", str(out / "vmcore"), "--format", "json"],
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    if done.returncode:
        result.problem = f"lkst state: {done.returncode}: {done.stderr.strip()}"
        return result
    suspicions = json.loads(done.stdout)["suspicions"]
    result.culprits = [suspicion["culprit"] for suspicion in suspicions]
    result.place = place_of(result.culprits, names_of(truth))
    return result
