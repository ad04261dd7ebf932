# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a command takes at crash's prompt, and how fast crash serves memory."""

from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys
import tempfile
import time

from bench.result import Result
from crashes import Crash, Terminal
from dumps import LAB, ROOT, Dump

ROUNDS = 9

# Reads the 256 MB of the machine, as far as they are there.
SCRIPT = """
import time
from lkst.locate.ranges import program_ranges
for _ in range({rounds}):
    start, done = time.perf_counter(), 0
    for first, last in program_ranges(prog):
        for address in range(first, last + 1, {size}):
            done += len(prog.read(address, min({size}, last + 1 - address), True))
    print("MB/s", done / 1e6 / (time.perf_counter() - start), flush=True)
"""


def _seconds(terminal: Terminal, command: str) -> float:
    start = time.perf_counter()
    terminal.type(command)
    return time.perf_counter() - start


def _alone(dump: Dump) -> float:
    """Give seconds of the same outside of crash."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "lkst", "replay", str(dump.vmcore), "--last", "1000"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return time.perf_counter() - start


def _rates(terminal: Terminal, folder: Path, size: int) -> list[float]:
    """Give MB/s, round by round."""
    script = folder / "script.py"
    script.write_text(SCRIPT.format(rounds=ROUNDS, size=size))
    terminal.type(f"lkst drgn {script} > rates")
    return [float(line.split()[1]) for line in (folder / "rates").read_text().splitlines()]


def measure() -> Iterator[Result]:
    """Replay in a session that has just begun, and in one that goes on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["--kernel", "6.1", "--scenario", "story", "--debuginfo", "--out", name]
        subprocess.run([sys.executable, str(LAB), "run", *words], check=True, stdout=sys.stderr)
        extension = folder / "lkst.so"
        subprocess.run([ROOT / "dev", "crash-ext", extension], check=True)
        crash = Crash(extension, Dump("6.1", folder), folder)
        first, later, alone = [], [], []
        with crash.terminal() as terminal:
            for _ in range(ROUNDS):
                terminal.type("extend lkst.so")
                first.append(_seconds(terminal, "lkst replay --last 1000 > replay"))
                later.append(_seconds(terminal, "lkst replay --last 1000 > replay"))
                terminal.type("extend -u lkst.so")
                alone.append(_alone(crash.dump))
            terminal.type("extend lkst.so")
            large = _rates(terminal, folder, 1 << 20)
            pages = _rates(terminal, folder, 1 << 12)
        assert (folder / "replay").read_text().count("\n") > 1000
    yield Result("crash: replay --last 1000, the first command", first, "s", 1.0)
    ratios = [a / b for a, b in zip(first, alone, strict=True)]
    yield Result("crash: the first command / lkst without crash", ratios, "x")
    yield Result("crash: replay --last 1000, later", later, "s", 1.0)
    yield Result("crash: memory served, by 1 MiB", large, "MB/s", 200, True)
    yield Result("crash: memory served, by pages", pages, "MB/s", 200, True)
