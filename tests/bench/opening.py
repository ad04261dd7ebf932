# SPDX-License-Identifier: GPL-2.0-or-later
"""How long it takes from a dump to its first line, without debug info, beside crash and drgn."""

from collections.abc import Iterator
import os
from pathlib import Path
import struct
import subprocess
import sys
import tempfile
import time

from bench.result import Result
from crashes import Crash
from dumps import LAB, ROOT, Dump

from lkst.locate.carve import carve_recorders
from lkst.locate.ranges import program_ranges
from lkst.source.program import open_program

ROUNDS = 5
HUGE = 64 << 30
#: What is read at a time.
PIECE = 1 << 18

#: The first thing that a user of drgn may ask.
SCRIPT = "print(prog['init_uts_ns'].name.release.string_().decode(), flush=True)\n"


def _lkst(dump: Path) -> list[str]:
    return [sys.executable, "-m", "lkst", "replay", str(dump)]


def _first_line(command: list[str]) -> float:
    """Give seconds from a command to its first line."""
    # What is installed has been compiled, as what others install has.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=env) as process:
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


def _prompt(crash: Crash) -> float:
    """Give seconds from crash's command to its prompt."""
    start = time.perf_counter()
    with crash.terminal():
        return time.perf_counter() - start


def _carve(dump: Path) -> tuple[float, float]:
    """Give GB/s of carving a dump, and of reading it once."""
    prog = open_program(str(dump))
    ranges = program_ranges(prog)
    size = sum(last + 1 - first for first, last in ranges) / 1e9
    start = time.perf_counter()
    assert list(carve_recorders(prog, ranges))
    carved = time.perf_counter()
    for first, last in ranges:
        for address in range(first, last + 1, PIECE):
            prog.read(address, min(PIECE, last + 1 - address), True)
    return size / (carved - start), size / (time.perf_counter() - carved)


def measure() -> Iterator[Result]:
    """Open a dump of 256 MB, one of 64 GB, and the same with crash and drgn, in turns."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["run", "--kernel", "6.1", "--scenario", "story", "--debuginfo", "--out", name]
        subprocess.run([sys.executable, str(LAB), *words], check=True, stdout=sys.stderr)
        dump, huge, script = Dump("6.1", folder), folder / "huge", folder / "script.py"
        _grow(dump.vmcore, huge)
        script.write_text(SCRIPT)
        drgn = [str(Path(sys.executable).parent / "drgn"), "-q", "-c", str(dump.vmcore)]
        drgn += ["-s", str(dump.vmlinux), str(script)]
        crash = Crash(folder / "none.so", dump, folder)
        _first_line(_lkst(dump.vmcore))
        small, large, prompts, lines = [], [], [], []
        carved: list[float] = []
        read: list[float] = []
        for _ in range(ROUNDS):
            small.append(_first_line(_lkst(dump.vmcore)))
            large.append(_first_line(_lkst(huge)))
            lines.append(_first_line(drgn))
            prompts.append(_prompt(crash))
            for rates, rate in zip((carved, read), _carve(dump.vmcore), strict=True):
                rates.append(rate)
    name = "256 MB dump to first line"
    yield Result(name, small, "s", 0.1, against="crash to its prompt", others=prompts)
    yield Result(name, small, "s", 1.0, against="drgn with DWARF", others=lines)
    yield Result("64 GB dump to first line", large, "s", 1.2, against=name, others=small)
    yield Result("carve", carved, "GB/s", 2.0, more=True)
    yield Result("carve", carved, "GB/s", against="drgn reading all of it", others=read)
