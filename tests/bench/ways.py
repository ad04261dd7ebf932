# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways to trace: this recorder, BPF programs of the least kind, ftrace. They need root."""

from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
from pathlib import Path
import platform
import resource
import shutil
import subprocess
import tempfile
from typing import Any

from lkst.bpf.btf import TYPEDEF, open_btf
from lkst.bpf.object import Object
from lkst.record.lifecycle.start import start, stop
from lkst.record.maskset.text import Handler, Maskset
from lkst.record.programs.attach import object_path, programs_of, sections
from lkst.record.programs.catalogue import built_catalogue

__all__ = (
    "Way",
    "bpf_program",
    "cpu_seconds",
    "ftrace",
    "hooks_of",
    "mounted",
    "needs",
    "recorder",
    "tools",
)

TRACEFS = Path("/sys/kernel/tracing")
BPFFS = Path("/sys/fs/bpf")
RING = 1 << 20

Way = Callable[[], contextlib.AbstractContextManager[None]]


def mounted() -> None:
    """See to it that the file systems are there."""
    for kind, path in (("tracefs", TRACEFS), ("bpf", BPFFS)):
        if not path.is_mount():
            subprocess.run(["mount", "-t", kind, "nodev", str(path)], check=True)


def needs(*programs: str) -> None:
    """
    Check that the programs which are compared are there.

    :raises SystemExit: with the name of one that is missing
    """
    for program in programs:
        if not shutil.which(program):
            raise SystemExit(f"bench: {program} is missing")


def cpu_seconds(words: Sequence[str | Path], **options: Any) -> float:
    """
    Run a program.

    :return: time that it, and those that it has started, spent on CPUs: others that run
        meanwhile matter little
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextlib.contextmanager
def recorder(events: Iterable[str] | Maskset, handler: str = "record") -> Iterator[None]:
    """Record some events, or by a maskset."""
    if not isinstance(events, Maskset):
        events = Maskset("bench", {event: Handler(handler) for event in events})
    start(RING, events)
    try:
        yield
    finally:
        stop()


@contextlib.contextmanager
def bpf_program(object_: Path, kind: str, hooks: Sequence[str]) -> Iterator[None]:
    """Attach one kind of the programs of floor.bpf.c."""
    wanted = {f"{kind}__{hook}" for hook in hooks}
    with contextlib.ExitStack() as stack:
        bpf = stack.enter_context(Object(object_))
        for name in list(bpf.programs()):
            bpf.set_autoload(name, name in wanted)
        if kind != "ringbuf":
            bpf.set_entries("ring", 4096)
        bpf.load()
        for name in wanted:
            pin = BPFFS / f"bench-{name}"
            bpf.attach(name, pin)
            stack.callback(pin.unlink)
        yield


@contextlib.contextmanager
def ftrace(events: Iterable[str]) -> Iterator[None]:
    """Record tracepoints with ftrace, in buffers as large as ours; those that it has."""
    switches = [path for event in events for path in TRACEFS.glob(f"events/*/{event}/enable")]
    size = TRACEFS / "buffer_size_kb"
    before = size.read_text().split()[0]
    size.write_text(str(RING >> 10))
    try:
        for switch in switches:
            switch.write_text("1")
        yield
    finally:
        for switch in switches:
            switch.write_text("0")
        size.write_text(before)
        (TRACEFS / "trace").write_text("")


def hooks_of(maskset: Maskset) -> list[str]:
    """Name the tracepoints of this kernel that the events of a maskset come from."""
    with Object(object_path()) as bpf:
        found = sections(bpf)
    hooks = {
        found[program].partition("/")[2]
        for event in built_catalogue().events.values()
        if event.name in maskset.handlers
        for program in programs_of(event, found)
        if found[program].startswith("tp_btf/")
    }
    with open_btf() as btf:
        return sorted(hook for hook in hooks if btf.find(f"btf_trace_{hook}", TYPEDEF))


@contextlib.contextmanager
def tools(hooks: Iterable[str]) -> Iterator[tuple[Path, Path]]:
    """Compile the loop of system calls, and the programs of floor.bpf.c for some tracepoints."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as name:
        program, floor = Path(name, "syscalls"), Path(name, "floor.bpf.o")
        subprocess.run(["clang", "-O2", "-pthread", here / "syscalls.c", "-o", program], check=True)
        include = f"-I/usr/include/{platform.machine()}-linux-gnu"
        programs = " ".join(f"PROGRAMS({hook})" for hook in hooks)
        flags = ["-O2", "-g", "-target", "bpf", "-mcpu=v3", include, f"-DHOOKS={programs}"]
        subprocess.run(["clang", *flags, "-c", here / "floor.bpf.c", "-o", floor], check=True)
        yield program, floor
