# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon a change is felt on all CPUs, and what it loses. Loads BPF for seconds; needs root."""

from collections.abc import Iterator
import ctypes
from dataclasses import dataclass
import multiprocessing
import os
import time

from bench.result import Result
import numpy as np

from lkst.live.recorder import Recorder
from lkst.record.lifecycle.changes import change_recorder, keep_maskset, use_maskset
from lkst.record.lifecycle.start import start, stop
from lkst.record.maskset.text import Handler, Maskset, built_in
from lkst.record.programs.catalogue import built_catalogue
from lkst.source.live import open_live
from lkst.trace.event_table import table

ROUNDS = 11

RECORDED = Maskset("bench", {"sys_enter": Handler("record"), "maskset_use": Handler("record")})
NOTHING = Maskset("nothing", {"maskset_use": Handler("record")})


def _load(cpu: int) -> None:
    """Enter the kernel as often as possible."""
    os.sched_setaffinity(0, {cpu})
    while True:
        os.getppid()


#: Calls of each CPU, and what tells them from those of others: the second argument.
CALLS, OURS = 150_000, 7777


def _numbered(cpu: int) -> None:
    """Make system calls with arguments: the numbers from 0 on, a constant, the caller's id."""
    os.sched_setaffinity(0, {cpu})
    libc = ctypes.CDLL(None)
    own = ctypes.c_long(os.getpid())
    for number in range(CALLS):
        libc.syscall(110, ctypes.c_long(number), ctypes.c_long(OURS), own)


def _busy(cpu: int) -> None:
    """Use the CPU without entering the kernel, so that the numbered calls are preempted."""
    os.sched_setaffinity(0, {cpu})
    while True:
        pass


@dataclass(frozen=True)
class _Kept:
    """What became of the numbered calls."""

    switches: int
    lost: int  # calls without a record
    misattributed: int  # records that name another thread than the one that called


def _keep_calls() -> _Kept:
    """Go to and fro between the default maskset and another, beside load on every CPU."""
    default = built_in(built_catalogue())["default"]
    handlers = {**default.handlers, "sys_enter": Handler("record")}
    masksets = [
        Maskset("bench", handlers),
        Maskset(
            "other", {**handlers, "sys_exit": Handler("count"), "mm_page_alloc": Handler("off")}
        ),
    ]
    cpus = os.sched_getaffinity(0)
    load = [multiprocessing.Process(target=_numbered, args=(cpu,)) for cpu in cpus]
    beside = [multiprocessing.Process(target=_busy, args=(cpu,), daemon=True) for cpu in cpus]
    start(1 << 27, masksets[0])
    try:
        for process in (*beside, *load):
            process.start()
        switches = 0
        while any(process.is_alive() for process in load):
            with change_recorder() as recorder:
                use_maskset(recorder, masksets[(switches + 1) % 2])
            switches += 1
        trace = open_live()[0]
    finally:
        for process in beside:
            process.kill()
        stop()
    calls = table(trace, "sys_enter", "arg0", "arg1", "arg2")
    ours = calls.select(calls["arg1"] == OURS)
    found = len(np.unique(ours["arg2"] * CALLS + ours["arg0"]))
    misattributed = np.count_nonzero(trace.pid[ours.rows] != ours["arg2"])
    return _Kept(switches, CALLS * len(load) - found, int(misattributed))


def measure() -> Iterator[Result]:
    """Switch masksets under load: how long events that are off then still come."""
    kept = _keep_calls()
    yield Result(f"records lost by {kept.switches} switches, default set", [kept.lost], "", 0)
    yield Result("... under another thread's id", [kept.misattributed], "", 0)
    load = [
        multiprocessing.Process(target=_load, args=(cpu,), daemon=True)
        for cpu in os.sched_getaffinity(0)
    ]
    start(1 << 22, RECORDED)
    try:
        for process in load:
            process.start()
        late, took = [], []
        for _ in range(ROUNDS):
            with change_recorder() as recorder:
                use_maskset(recorder, RECORDED)
                keep_maskset(recorder, RECORDED)
                time.sleep(0.05)
                begun = time.monotonic()
                use_maskset(recorder, NOTHING)
                took.append((time.monotonic() - begun) * 1e3)
            late.append(_late() / 1e6)
    finally:
        for process in load:
            process.kill()
        stop()
    yield Result("last event after the switch, all CPUs", late, "ms", 1.0)
    yield Result("switching, as a whole", took, "ms")


def _late() -> int:
    """Give the time from the last switch to the last record that it should have prevented, ns."""
    with Recorder() as recorder:
        ids = {event.name: event.id for event in recorder.catalogue.events.values()}
    trace = open_live()[0]
    switched = trace.ts[np.flatnonzero(trace.event == ids["maskset_use"])[-1]]
    calls = trace.ts[trace.event == ids["sys_enter"]]
    return int(max(calls.max() - switched, 0)) if len(calls) else 0
