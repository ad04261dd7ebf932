# SPDX-License-Identifier: GPL-2.0-or-later
"""Making real dumps, and what they and the program are like to tests."""

from collections.abc import Callable
import json
from pathlib import Path
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

from lkst.cli.main import run
from lkst.dump import open_dump
from lkst.slice.notes import Note, parse_notes

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "vmcores" / "lab.py"
#: The dump that is committed, and how many records its replay has.
SAMPLE = ROOT / "vmcores" / "sample.vmcore"
RECORDS = 32718
KERNELS = ("6.1", "6.12", "7")
#: A query that ends only if it is interrupted.
ENDLESS = (
    "SELECT count(*) FROM range(1000000000) a, range(1000000000) b WHERE a.range % 7 = b.range"
)
#: Events that a kernel lacks; none of them is recorded by default.
ABSENT = {"6.1": ("ipi_send_cpu",)}


class Dump(NamedTuple):
    """What a run of the lab has left."""

    kernel: str
    folder: Path

    @property
    def vmcore(self) -> Path:
        return self.folder / "vmcore"

    @property
    def vmlinux(self) -> Path:
        return self.folder / "vmlinux"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def story(self) -> list[dict[str, Any]]:
        """What the scenario "story" did."""
        steps: list[dict[str, Any]] = json.loads((self.out / "story.json").read_text())
        return steps


class Result(NamedTuple):
    """What a command has said."""

    status: int
    stdout: str
    stderr: str


Lab = Callable[..., Dump]
Once = Callable[[str, Callable[[Path], object]], Path]
Run = Callable[..., Result]


def read_notes(path: Path) -> list[Note]:
    """Read the notes of a dump that are about its CPUs."""
    dump = open_dump([path])
    return list(parse_notes(dump.notes, dump.byte_order))


def run_lab(kernel: str, words: tuple[str, ...], script: str | None, folder: Path) -> None:
    # Threads of an emulator find stale breakpoints now and then, and help little where several
    # guests run.
    command = [sys.executable, str(LAB), "run", "--one-thread", "--kernel", kernel]
    command += ["--out", str(folder), *words]
    if script is not None:
        path = folder / "script.sh"
        path.write_text(script)
        command += ["--script", str(path)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        pytest.fail(f"{' '.join(command)}\n{result.stdout}{result.stderr}")


def run_lkst(*words: object, **options: Any) -> Result:
    """Run the program as its user would."""
    command = [sys.executable, "-m", "lkst", *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)
    assert "Traceback" not in result.stderr, result.stderr
    return Result(result.returncode, result.stdout, result.stderr)


def run_here(capsys: pytest.CaptureFixture[str], *words: object) -> Result:
    """Run the program in this process, which is cheaper."""
    capsys.readouterr()
    status = run([str(word) for word in words])
    said = capsys.readouterr()
    return Result(status, said.out, said.err)
