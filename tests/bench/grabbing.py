# SPDX-License-Identifier: GPL-2.0-or-later
"""Copying the recorder out of a dead kernel: by the list of its pages, and by looking for it."""

from collections.abc import Iterator
from pathlib import Path
import re
import subprocess
import sys
import tempfile

from bench.result import Result
from grabs import GRAB, run_grab

LAB = Path(__file__).resolve().parents[2] / "vmcores" / "lab.py"
ROUNDS = 9
MEMORY_MIB = 768


def _lab(folder: Path, *words: str) -> None:
    command = [sys.executable, str(LAB), "run", "--kernel", "6.12", "--out", str(folder), *words]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _told(text: str) -> tuple[float, float]:
    """Give seconds and MiB of memory, as it tells itself."""
    found = re.search(r"lkst-grab: .*, ([\d.]+) s, ([\d.]+) MiB of memory", text)
    assert found, text
    return float(found[1]), float(found[2])


def measure() -> Iterator[Result]:
    """Grab in a capture kernel, which is emulated, and look through memory on this processor."""
    yield Result("size of lkst-grab", [GRAB.stat().st_size / 1e6], "MB", 1.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _lab(folder, "--capture", "kdump")
        console = (folder / "console.log").read_text(errors="replace")
        seconds, mib = _told(console)
        yield Result("grab of 2 x 1 MiB in an emulated capture kernel", [seconds], "s", 0.5)
        yield Result("its memory", [mib], "MiB", 16)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _lab(folder, "--memory", str(MEMORY_MIB))
        dump, target = folder / "vmcore", folder / "grab"
        speeds = []
        for _ in range(ROUNDS):
            done = run_grab("-n", "-i", dump, "-o", target)
            assert "by looking at all memory" in done.stdout, done.stderr
            speeds.append(dump.stat().st_size / 1e9 / _told(done.stdout)[0])
    yield Result(
        "looking through memory (a dump in the page cache)", speeds, "GB/s", 1.0, more=True
    )
