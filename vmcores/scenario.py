# SPDX-License-Identifier: GPL-2.0-or-later
"""
The scenarios: shell scripts that end in a panic.

The first comment of each says what it does. Some need the crash module, and say
so in a line of their own. Those whose end has a culprit leave the truth in
/out/truth.json, before it happens.
"""

from dataclasses import dataclass
from pathlib import Path

__all__ = ("SCENARIOS", "Scenario", "needs_crash_module", "scenarios")

SCENARIOS = Path(__file__).resolve().parent / "scenarios"

_MODULE = "# module: lkst_crash"


@dataclass(frozen=True)
class Scenario:
    """A way to die."""

    name: str
    about: str
    script: Path

    @property
    def has_truth(self) -> bool:
        """Whether it writes down who is to blame."""
        return any(line.startswith("truth ") for line in self.script.read_text().splitlines())


def scenarios() -> dict[str, Scenario]:
    """Return the scenarios by name."""
    found = {}
    for path in sorted(SCENARIOS.glob("*.sh")):
        lines = path.read_text().splitlines()
        about = [line for line in lines if line.startswith("# ") and "SPDX" not in line]
        text = about[0].removeprefix("# ") if about else ""
        found[path.stem] = Scenario(path.stem, text, path)
    return found


def needs_crash_module(script: Path) -> bool:
    """Tell whether a script loads the crash module, from /lab/files."""
    return _MODULE in script.read_text(errors="replace").splitlines()
