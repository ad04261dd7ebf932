# SPDX-License-Identifier: GPL-2.0-or-later
"""The program of the capture kernel, run on dumps."""

from pathlib import Path
import subprocess

from dumps import ROOT, Result

__all__ = ("GRAB", "run_grab")

GRAB = ROOT / "lkst" / "hook" / "lkst-grab"


def run_grab(*words: str | Path) -> Result:
    """Run it as a hook would."""
    done = subprocess.run([GRAB, *words], capture_output=True, text=True)
    return Result(done.returncode, done.stdout, done.stderr)
