# SPDX-License-Identifier: GPL-2.0-or-later
"""What recording one event costs, beside ftrace. Loads BPF for a few seconds; needs root."""

from collections.abc import Callable, Iterator
import contextlib
from pathlib import Path
import platform
import subprocess
import tempfile

from bench.result import Result

from lkst.record import libbpf
from lkst.record.recorder import start, stop

ROUNDS = 11
TRACEFS = Path("/sys/kernel/tracing")
BPFFS = Path("/sys/fs/bpf")
ENABLE = TRACEFS / "events/raw_syscalls/sys_enter/enable"


@contextlib.contextmanager
def _recorder() -> Iterator[None]:
    start(1 << 20, "bench", {"bench": lambda event: event.name == "sys_enter"})
    try:
        yield
    finally:
        stop()


@contextlib.contextmanager
def _ftrace() -> Iterator[None]:
    ENABLE.write_text("1")
    try:
        yield
    finally:
        ENABLE.write_text("0")


@contextlib.contextmanager
def _floor(object_: Path, program: str) -> Iterator[None]:
    with libbpf.Object(object_) as bpf:
        for name in list(bpf.programs()):
            bpf.set_autoload(name, name == program)
        bpf.load()
        pin = BPFFS / "lkst-bench"
        bpf.attach(program, pin)
        try:
            yield
        finally:
            pin.unlink()


def _build(folder: Path) -> tuple[Path, Path]:
    here = Path(__file__).parent
    program, floor = folder / "syscalls", folder / "floor.bpf.o"
    subprocess.run(["clang", "-O2", here / "syscalls.c", "-o", program], check=True)
    include = f"-I/usr/include/{platform.machine()}-linux-gnu"
    flags = ["-O2", "-g", "-target", "bpf", "-mcpu=v3", include]
    subprocess.run(["clang", *flags, "-c", here / "floor.bpf.c", "-o", floor], check=True)
    return program, floor


def measure() -> Iterator[Result]:
    """Compare one sys_enter event with ftrace's, in turns."""
    if not TRACEFS.joinpath("events").exists():
        subprocess.run(["mount", "-t", "tracefs", "nodev", str(TRACEFS)], check=True)
    if not BPFFS.is_mount():
        subprocess.run(["mount", "-t", "bpf", "bpf", str(BPFFS)], check=True)
    with tempfile.TemporaryDirectory() as folder:
        program, floor = _build(Path(folder))
        ways: dict[str, Callable[[], contextlib.AbstractContextManager[None]]] = {
            "none": contextlib.nullcontext,
            "empty": lambda: _floor(floor, "empty"),
            "clock": lambda: _floor(floor, "clock"),
            "recorder": _recorder,
            "ftrace": _ftrace,
        }
        taken: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, enter in ways.items():
                with enter():
                    result = subprocess.run([program], capture_output=True, check=True)
                taken[way].append(float(result.stdout))

    def over(way: str, base: str) -> list[float]:
        return [a - b for a, b in zip(taken[way], taken[base], strict=True)]

    yield Result("system call, nothing traced", taken["none"], "ns")
    yield Result("sys_enter, empty BPF program", over("empty", "none"), "ns")
    for way in ("clock", "recorder", "ftrace"):
        yield Result(f"sys_enter, {way}, over that", over(way, "empty"), "ns")
    for base, target in (("empty", 0.5), ("none", None)):
        ours, theirs = over("recorder", base), over("ftrace", base)
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        yield Result(f"recorder / ftrace, over {base}", ratios, "x", target)
