# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon a change is felt on all CPUs. Loads BPF for some seconds; needs root."""

from collections.abc import Iterator
import multiprocessing
import os
import time

from bench.result import Result
import numpy as np

from lkst.record.masktext import Handler, Maskset
from lkst.record.pins import Recorder
from lkst.record.recorder import start, stop
from lkst.record.steering import keep_maskset, steer, use_maskset
from lkst.source.live import open_live

ROUNDS = 11

RECORDED = Maskset("bench", {"sys_enter": Handler("record"), "maskset_use": Handler("record")})
NOTHING = Maskset("nothing", {"maskset_use": Handler("record")})


def _load(cpu: int) -> None:
    """Enter the kernel as often as possible."""
    os.sched_setaffinity(0, {cpu})
    while True:
        os.getppid()


def measure() -> Iterator[Result]:
    """Switch masksets under load: how long events that are off then still come."""
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
            with steer() as recorder:
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
