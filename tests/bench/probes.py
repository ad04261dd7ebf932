# SPDX-License-Identifier: GPL-2.0-or-later
"""
Probes, a static event and bpftrace's probe, in turns, on the kernel where this runs.

``python -m bench.probes PROGRAM ROUNDS`` prints what was measured as JSON; it needs root,
and PROGRAM, compiled from syscalls.c.
"""

from collections.abc import Iterator
import contextlib
from dataclasses import asdict, dataclass, field
from functools import partial
import json
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
import time

from bench.ways import Way, mounted, recorder

from lkst.errors import LkstError
from lkst.record.lifecycle.changes import change_recorder
from lkst.record.probe.definition import Probe
from lkst.record.probe.registry import add_probe, remove_probe

__all__ = ("PROBES", "Taken", "compare")

BPFTRACE_SECONDS = 2
#: getppid() calls it.
FUNCTION = "__task_pid_nr_ns"

PROBES = {
    "tracepoint": Probe("bench", "tracepoint:sys_enter", ("id", "regs->di"), limit=0),
    "fentry": Probe("bench", FUNCTION, ("type", "task->pid"), limit=0),
    "kprobe": Probe(
        "bench",
        f"{FUNCTION}+0",
        ("type=%si:u32", "pid=((struct task_struct *)%di)->pid"),
        limit=0,
    ),
}

#: The same fields.
BPFTRACE = (
    f"kprobe:{FUNCTION} {{ @type[cpu] = (uint32)arg1;"
    " @pid[cpu] = ((struct task_struct *)arg0)->pid; }"
)


@dataclass
class Taken:
    """What was measured, round by round."""

    #: What a system call takes in each way, in ns.
    calls: dict[str, list[float]] = field(default_factory=dict)
    #: What adding a probe takes, in ms.
    adding: dict[str, list[float]] = field(default_factory=dict)
    #: Why a way cannot be measured on this kernel.
    reasons: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def _probe(mechanism: str, folder: Path) -> Iterator[None]:
    with recorder([]):
        with change_recorder() as running:
            attached = add_probe(running, PROBES[mechanism], lambda *_: None, folder=folder)
        if attached.mechanism != mechanism:
            raise LkstError(f"it is reached by {attached.mechanism}")
        yield


@contextlib.contextmanager
def _bpftrace() -> Iterator[None]:
    if not shutil.which("bpftrace"):
        raise LkstError("there is no bpftrace")
    words = ["bpftrace", "-e", BPFTRACE]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout
        # "Attaching 1 probe...": before it does, or fails.
        child.stdout.readline()
        time.sleep(BPFTRACE_SECONDS)
        try:
            if child.poll() is not None:
                raise LkstError("bpftrace cannot probe it")
            yield
        finally:
            child.terminate()


def compare(program: Path, rounds: int) -> Taken:
    """Measure all of it in turns."""
    taken = Taken()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways: dict[str, Way] = {
            "none": contextlib.nullcontext,
            "static": lambda: recorder(["sys_enter"]),
            **{way: partial(_probe, way, folder) for way in PROBES},
            "bpftrace": _bpftrace,
        }
        for _ in range(rounds):
            for way, enter in ways.items():
                if way in taken.reasons:
                    continue
                try:
                    with enter():
                        said = subprocess.run([program], capture_output=True, check=True).stdout
                except LkstError as error:
                    taken.reasons[way] = str(error).splitlines()[0]
                    continue
                taken.calls.setdefault(way, []).append(float(said))
        for way in PROBES.keys() - taken.reasons.keys():
            taken.adding[way] = list(_adding(PROBES[way], folder, rounds))
    return taken


def _adding(probe: Probe, folder: Path, rounds: int) -> Iterator[float]:
    """Tell how long adding takes, from the definition to the first record, in ms."""
    with recorder([]):
        for _ in range(rounds):
            begun = time.monotonic()
            with change_recorder() as running:
                add_probe(running, probe, lambda *_: None, folder=folder)
            yield 1000 * (time.monotonic() - begun)
            with change_recorder() as running:
                remove_probe(running, probe.name, folder=folder)


if __name__ == "__main__":
    mounted()
    print(json.dumps(asdict(compare(Path(sys.argv[1]), int(sys.argv[2])))))
