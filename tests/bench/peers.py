# SPDX-License-Identifier: GPL-2.0-or-later
"""What people read traces with today, on what it has recorded here. Needs root."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
import subprocess
import sys
import time

__all__ = ("Peer", "record_peers")

EVENTS = (
    "raw_syscalls:sys_enter",
    "raw_syscalls:sys_exit",
    "sched:sched_switch",
    "sched:sched_wakeup",
    "irq:softirq_entry",
)

#: What trace-cmd copies, such as /proc/kallsyms, must not change meanwhile.
ATTEMPTS = 5

TRACEFS = Path("/sys/kernel/tracing")

#: System calls, and tasks that wait for each other.
LOAD = "dd bs=1 count=40000 if=/dev/zero 2>/dev/null | dd bs=1 of=/dev/null 2>/dev/null"


@dataclass
class Peer:
    """A program that prints a trace."""

    name: str
    command: list[str]
    #: In its trace, each of which is a line; 0: it could not be run.
    records: int = 0
    #: Why it could not.
    trouble: str = ""
    #: Millions of records that were printed per second, round by round.
    rates: list[float] = field(default_factory=list)

    def measure(self) -> None:
        """Print all of it once."""
        if self.records:
            start = time.perf_counter()
            subprocess.run(
                self.command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self.rates.append(self.records / (time.perf_counter() - start) / 1e6)


def record_peers(folder: Path) -> list[Peer]:
    """Have each program record the same load."""
    data = folder / "trace.dat", folder / "perf.data"
    return [
        _record(
            Peer("trace-cmd report", ["trace-cmd", "report", "-i", str(data[0])]),
            lambda: _trace_cmd(data[0]),
        ),
        _record(
            Peer("perf script", ["perf", "script", "-i", str(data[1])]),
            lambda: _perf(data[1]),
        ),
    ]


def _run(*command: object) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True)


def _trace_cmd(data: Path) -> None:
    """
    Record into a buffer of its own, which trace-cmd then takes.

    ``trace-cmd record`` insists on switching on the function tracer, which not every
    machine allows.
    """
    instance = TRACEFS / "instances" / "lkst-bench"
    instance.mkdir()
    switch = TRACEFS / "tracing_on"
    was_on = switch.read_text()
    try:
        (instance / "buffer_size_kb").write_text("20000")
        for event in EVENTS:
            (instance / "events" / event.replace(":", "/") / "enable").write_text("1")
        _run("sh", "-c", LOAD)
        (instance / "tracing_on").write_text("0")
        _run("trace-cmd", "extract", "-B", instance.name, "-o", data)
    finally:
        # trace-cmd switches all tracing off, and removes the instance itself.
        switch.write_text(was_on)
        if instance.exists():
            instance.rmdir()


def _perf(data: Path) -> None:
    events = [word for event in EVENTS for word in ("-e", event)]
    _run("perf", "record", "-a", "-m", 4096, "-o", data, *events, "--", "sh", "-c", LOAD)


def _record(peer: Peer, record: Callable[[], None]) -> Peer:
    for _ in range(ATTEMPTS):
        try:
            record()
            peer.records = sum(_lines(peer.command))
            return peer
        except (OSError, subprocess.CalledProcessError) as error:
            said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            peer.trouble = said[-1].strip() if said else "it failed"
    print(f"  {peer.name} cannot be measured: {peer.trouble}", file=sys.stderr)
    return peer


def _lines(command: list[str]) -> Iterator[bool]:
    """Tell of each line whether it is a record."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    ) as process:
        assert process.stdout
        for line in process.stdout:
            yield any(event.split(":")[1] in line for event in EVENTS)
