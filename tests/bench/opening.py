# SPDX-License-Identifier: GPL-2.0-or-later
"""How long it takes from a dump to its first line, without debug info."""

from collections.abc import Iterator
from pathlib import Path
import struct
import subprocess
import sys
import tempfile
import time

from bench.result import Result

ROUNDS = 9
ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "vmcores" / "lab.py"
HUGE = 64 << 30


def _first_line(dump: Path) -> float:
    """Give seconds from the command to its first line."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "lkst", "replay", str(dump)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        line = process.stdout.readline()
        seconds = time.perf_counter() - start
        process.stdout.read()
    assert line
    return seconds


def _grow(dump: Path, target: Path) -> None:
    """Copy an ELF dump and add memory to it, up to 64 GB, all of it a hole in the file."""
    data = bytearray(dump.read_bytes())
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    entries = [bytes(data[table + i * size : table + (i + 1) * size]) for i in range(count)]
    top = max(sum(struct.unpack_from("<QQ", entry, 24)) for entry in entries)
    hole = struct.pack("<IIQQQQQQ", 1, 0, 2 * len(data), 0, top, HUGE - top, HUGE - top, 0)
    struct.pack_into("<Q", data, 32, len(data))
    struct.pack_into("<H", data, 56, count + 1)
    with target.open("wb") as file:
        file.write(data + b"".join(entries) + hole)
        file.truncate(2 * len(data) + HUGE - top)


def measure() -> Iterator[Result]:
    """Open a dump of 256 MB and one of 64 GB, in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["run", "--kernel", "6.12", "--scenario", "story", "--out", name]
        subprocess.run([sys.executable, str(LAB), *words], check=True, stdout=sys.stderr)
        dump, huge = folder / "vmcore", folder / "huge"
        _grow(dump, huge)
        _first_line(dump)
        small, large = [], []
        for _ in range(ROUNDS):
            small.append(_first_line(dump))
            large.append(_first_line(huge))
    yield Result("256 MB dump to first line", small, "s", 1.0)
    yield Result("64 GB dump to first line", large, "s")
    yield Result("64 GB / 256 MB", [a / b for a, b in zip(large, small, strict=True)], "x", 1.2)
