# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast records are decoded and printed."""

from collections.abc import Callable, Iterable, Iterator
import time

from bench.result import Result
import numpy as np
from synthetic import Synthetic

from lkst import layout
from lkst.decode.image import Image
from lkst.replay.machine import replay_csv, replay_jsonl
from lkst.replay.text import replay_text
from lkst.trace.build import build_trace
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace

ROUNDS = 5
CPUS = 2
DECODED = 1 << 22  # records of each CPU
PRINTED = 1 << 18

# A mix as busy machines have it.
MIX = {"sys_enter": 6, "sys_exit": 6, "sched_switch": 3, "sched_wakeup": 2, "softirq_entry": 2}


def _image(count: int) -> Image:
    """Fill rings with random records."""
    made = Synthetic(nr_cpus=CPUS, nr_slots=count)
    random = np.random.default_rng(1)
    slots = np.zeros((CPUS, count, layout.SLOT_SIZE // 8), np.uint64)
    ids = [made.id(name) for name, weight in MIX.items() for _ in range(weight)]
    comms = np.array([int.from_bytes(f"task{n:<4}".encode(), "little") for n in range(50)])
    for cpu in range(CPUS):
        ring = slots[cpu]
        event = random.choice(ids, count)
        pid = random.integers(1, 4000, count)
        ring[:, 0] = np.arange(count) | made.tag << layout.SEQ_BITS
        ring[:, 1] = event | cpu << 16 | pid << layout.PID_SHIFT | 1 << layout.NR_SHIFT
        ring[:, 2] = np.cumsum(random.integers(100, 3000, count))
        ring[:, 3:] = random.integers(0, 300, (count, 5))
        named = np.isin(event, [made.id("sched_switch"), made.id("sched_wakeup")])
        ring[named, 3] = ring[named, 5] = random.choice(comms, named.sum())
        ring[named, 4] = ring[named, 6] = 0
    made.heads[:] = [count] * CPUS
    image = made.image()
    image.buffers[0].rings = slots.tobytes()
    return image


def _rates(count: int, work: Callable[[], object]) -> list[float]:
    """Give millions per second, round by round."""
    rates = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        rates.append(count / (time.perf_counter() - start) / 1e6)
    return rates


def _drain(chunks: Iterable[str]) -> None:
    for _ in chunks:
        pass


def measure() -> Iterator[Result]:
    """Decode and print records of random contents."""
    image = _image(DECODED)

    def decode() -> None:
        trace = build_trace(image, Facts())
        columns = trace.ts, trace.cpu, trace.pid, trace.event
        assert all(len(column) == CPUS * DECODED for column in columns)

    yield Result("decode to columns", _rates(CPUS * DECODED, decode), "M records/s", 10, True)

    trace = build_trace(_image(PRINTED), Facts())
    for name, replay in (("text", replay_text), ("jsonl", replay_jsonl), ("csv", replay_csv)):

        def print_all(replay: Callable[[Trace], Iterator[str]] = replay) -> None:
            _drain(replay(trace.select(slice(None))))

        target = 0.5 if name == "text" else None
        rates = _rates(CPUS * PRINTED, print_all)
        yield Result(f"replay as {name}", rates, "M lines/s", target, True)
