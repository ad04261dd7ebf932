# SPDX-License-Identifier: GPL-2.0-or-later
"""What recording one event costs, beside others. Loads BPF for a minute or two; needs root."""

from collections.abc import Callable, Iterator
import contextlib
from functools import partial
import json
import os
from pathlib import Path
import statistics
import subprocess

from bench.result import Result
from bench.ways import Way, bpf_program, cpu_seconds, ftrace, mounted, needs, recorder, tools

from lkst.record.lifecycle.changes import change_recorder, keep_maskset, use_maskset
from lkst.record.lifecycle.triggers import add_trigger
from lkst.record.maskset.text import Handler, Maskset
from lkst.record.trigger.actions import Actions
from lkst.record.trigger.compile import compile_expression
from lkst.record.trigger.value_names import LiveNames

__all__ = ("measure",)

ROUNDS = 11
PIPE_OPERATIONS = 20000
SCHED = ("sched_switch", "sched_wakeup", "sched_waking")


@contextlib.contextmanager
def _gated() -> Iterator[None]:
    """Attach for a maskset that is loaded, but not active."""
    with recorder(["sys_enter"]):
        with change_recorder() as running:
            keep_maskset(running, Maskset("bench", {"sys_enter": Handler("record")}))
            use_maskset(running, Maskset("nothing", {}))
        yield


@contextlib.contextmanager
def _detached() -> Iterator[None]:
    """Attach, and detach."""
    with recorder(["sys_enter"]):
        with change_recorder() as running:
            use_maskset(running, Maskset("nothing", {}))
        yield


@contextlib.contextmanager
def _trigger() -> Iterator[None]:
    """Record, with a trigger that looks at each event and never fires."""
    with recorder(["sys_enter"]):
        with change_recorder() as running:
            clauses = compile_expression("sys_enter.nr == 99999", running.catalogue, LiveNames())
            add_trigger(running, "never", "", clauses, Actions(notify=True), None, 1)
        yield


def _calls(program: Path) -> float:
    """Give ns of a system call."""
    return float(subprocess.run([program], capture_output=True, check=True).stdout)


def _pipe() -> float:
    """Give CPU time in ns of an operation of perf's pipe, on one CPU: two switches, two wakeups."""
    words = ["perf", "bench", "sched", "pipe", "-l", str(PIPE_OPERATIONS)]
    taken = min(cpu_seconds(["taskset", "-c", "0", *words]) for _ in range(3))
    return taken / PIPE_OPERATIONS * 1e9


def _in_turns(ways: dict[str, Way], once: Callable[[], float]) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, enter in ways.items():
            with enter():
                taken[way].append(once())
    return taken


def _over(taken: dict[str, list[float]], way: str, base: str) -> list[float]:
    return [a - b for a, b in zip(taken[way], taken[base], strict=True)]


def _compare(name: str, taken: dict[str, list[float]]) -> Iterator[Result]:
    """Compare one event, over an empty program, with all others."""
    ours = _over(taken, "recorder", "empty")
    for other, target in (("ftrace", 0.33), ("ringbuf", 0.6), ("clock", 1.5)):
        theirs = _over(taken, other, "empty")
        yield Result(name, ours, "ns", target, against=f"{other}, over the same", others=theirs)


def _sys_enter(program: Path, floor: Path) -> Iterator[Result]:
    hook = ["sys_enter"]
    ways: dict[str, Way] = {
        "none": contextlib.nullcontext,
        "detached": _detached,
        "empty": partial(bpf_program, floor, "empty", hook),
        "clock": partial(bpf_program, floor, "clock", hook),
        "ringbuf": partial(bpf_program, floor, "ringbuf", hook),
        "recorder": partial(recorder, hook),
        "gated": _gated,
        "count": partial(recorder, hook, "count"),
        "trigger": _trigger,
        "ftrace": partial(ftrace, hook),
    }
    taken = _in_turns(ways, partial(_calls, program))
    yield Result("system call, nothing traced", taken["none"], "ns")
    yield Result("empty program, over that", _over(taken, "empty", "none"), "ns")
    yield from _compare("sys_enter, over an empty program", taken)
    yield Result("... counted", _over(taken, "count", "empty"), "ns")
    yield Result("... with a trigger that looks at it", _over(taken, "trigger", "empty"), "ns")
    yield Result("... gated off", _over(taken, "gated", "empty"), "ns", 5)
    # What is not there costs nothing: less than what the rounds differ by.
    spread = statistics.stdev(taken["none"])
    yield Result("detached, over no recorder", _over(taken, "detached", "none"), "ns", 2 * spread)


def _sched(floor: Path) -> Iterator[Result]:
    ways: dict[str, Way] = {
        "none": contextlib.nullcontext,
        "empty": partial(bpf_program, floor, "empty", SCHED),
        "clock": partial(bpf_program, floor, "clock", SCHED),
        "ringbuf": partial(bpf_program, floor, "ringbuf", SCHED),
        "recorder": partial(recorder, [*SCHED, "sched_process_exec"]),
        "ftrace": partial(ftrace, SCHED),
    }
    taken = _in_turns(ways, _pipe)
    yield Result("perf bench sched pipe, nothing traced", taken["none"], "ns")
    name = "switch, wakeup, waking of an operation, over empty programs"
    yield from _compare(name, taken)


def _all_cpus(program: Path) -> Iterator[Result]:
    """Record on all CPUs at once, and on one."""
    cpus = sorted(os.sched_getaffinity(0))
    one: list[float] = []
    all_: list[float] = []
    with recorder(["sys_enter"]):
        for _ in range(ROUNDS):
            for count, rates in ((1, one), (len(cpus), all_)):
                words = [str(program), *map(str, cpus[:count])]
                said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
                rates.append(sum(1e3 / ns for ns in json.loads(said)))
    target = 0.95 * len(cpus)
    yield Result(f"records on {len(cpus)} CPUs at once", all_, "M/s", target, True, "one CPU", one)


def measure() -> Iterator[Result]:
    """Compare events with others', in turns."""
    needs("perf", "taskset")
    mounted()
    with tools(["sys_enter", *SCHED]) as (program, floor):
        yield from _sys_enter(program, floor)
        yield from _sched(floor)
        yield from _all_cpus(program)
