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
from lkst.record.actions import Actions
from lkst.record.expression import compile_expression
from lkst.record.masktext import Handler, Maskset
from lkst.record.recorder import start, stop
from lkst.record.steering import keep_maskset, steer, use_maskset
from lkst.record.triggers import add_trigger
from lkst.record.valuenames import LiveNames

ROUNDS = 11
TRACEFS = Path("/sys/kernel/tracing")
BPFFS = Path("/sys/fs/bpf")
ENABLE = TRACEFS / "events/raw_syscalls/sys_enter/enable"


def _maskset(name: str, handler: str) -> Maskset:
    return Maskset(name, {"sys_enter": Handler(handler)})


@contextlib.contextmanager
def _recorder(handler: str = "record", *, gated: bool = False) -> Iterator[None]:
    start(1 << 20, _maskset("bench", handler))
    try:
        if gated:
            # It stays attached for a maskset that is loaded, but not active.
            with steer() as recorder:
                keep_maskset(recorder, _maskset("bench", handler))
                use_maskset(recorder, _maskset("nothing", "off"))
        yield
    finally:
        stop()


@contextlib.contextmanager
def _trigger() -> Iterator[None]:
    """Record, with a trigger that looks at each event and never fires."""
    with _recorder():
        with steer() as recorder:
            clauses = compile_expression("sys_enter.nr == 99999", recorder.catalogue, LiveNames())
            add_trigger(recorder, "never", "", clauses, Actions(notify=True), None, 1)
        yield


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
            "gated off": lambda: _recorder(gated=True),
            "count": lambda: _recorder("count"),
            "trigger": _trigger,
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
    for way, target in (
        ("clock", None),
        ("recorder", None),
        ("ftrace", None),
        ("gated off", 5.0),
        ("count", None),
        ("trigger", None),
    ):
        yield Result(f"sys_enter, {way}, over that", over(way, "empty"), "ns", target)
    for base, most in (("empty", 0.5), ("none", None)):
        ours, theirs = over("recorder", base), over("ftrace", base)
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        yield Result(f"recorder / ftrace, over {base}", ratios, "x", most)
