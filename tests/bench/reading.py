# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast records are decoded, chosen and printed, beside trace-cmd and perf."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
import subprocess
import sys
import tempfile
import time
import zipfile

from bench.peers import Peer, record_peers
from bench.result import Result
import numpy as np
from synthetic import Synthetic

from lkst.abi import layout
from lkst.decode.image import Image
from lkst.replay.serialize import replay_csv, replay_jsonl
from lkst.replay.text import replay_text
from lkst.source.saved import save_image
from lkst.trace.facts import Facts
from lkst.trace.filters import Filters, apply
from lkst.trace.trace import Trace, build_trace

ROUNDS = 5
CPUS = 2
DECODED = 1 << 22  # records of each CPU
PRINTED = 1 << 18
SAVED = 1 << 20

#: What a process may take beside its rings.
BASE_MB = 60

# A mix as busy machines have it.
MIX = {"sys_enter": 6, "sys_exit": 6, "sched_switch": 3, "sched_wakeup": 2, "softirq_entry": 2}

#: Runs a command, and tells the most memory that it had, in KiB.
WATCH = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def _image(count: int) -> Image:
    """Fill rings with records of some thousand tasks."""
    made = Synthetic(nr_cpus=CPUS, nr_slots=count)
    random = np.random.default_rng(1)
    slots = np.zeros((CPUS, count, layout.SLOT_SIZE // 8), np.uint64)
    ids = [made.id(name) for name, weight in MIX.items() for _ in range(weight)]
    comms = np.array([int.from_bytes(f"task{n:<4}".encode(), "little") for n in range(50)])
    switch, wakeup = made.id("sched_switch"), made.id("sched_wakeup")
    for cpu in range(CPUS):
        ring = slots[cpu]
        event = random.choice(ids, count)
        pid, other = random.integers(1, 4000, (2, count))
        ring[:, 0] = np.arange(count) | made.tag << layout.SEQ_BITS
        ring[:, 1] = event | cpu << 16 | pid << layout.PID_SHIFT | 1 << layout.NR_SHIFT
        ring[:, 2] = np.cumsum(random.integers(100, 3000, count))
        ring[:, 3:] = random.integers(0, 300, (count, 5))
        named = np.isin(event, [switch, wakeup])
        ring[named, 4] = ring[named, 6] = 0
        rows = event == switch
        ring[rows, 3], ring[rows, 5] = comms[pid[rows] % 50], comms[other[rows] % 50]
        ring[rows, 7] = other[rows] << 32
        rows = event == wakeup
        ring[rows, 3], ring[rows, 5] = comms[other[rows] % 50], other[rows]
    made.heads[:] = [count] * CPUS
    image = made.image()
    image.buffers[0].rings = slots.tobytes()
    return image


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _drain(chunks: Iterable[str]) -> None:
    for _ in chunks:
        pass


def _decode(image: Image) -> Trace:
    trace = build_trace(image, Facts())
    columns = trace.ts, trace.cpu, trace.pid, trace.event
    assert len({len(column) for column in columns}) == 1
    return trace


def _beside(name: str, rates: list[float], peers: list[Peer], times: float) -> Iterator[Result]:
    """Compare what was measured in turns."""
    unit = "M records/s"
    for peer in peers:
        if peer.records:
            yield Result(name, rates, unit, times, True, peer.name, peer.rates)
        else:
            yield Result(name, rates, unit, against=f"{peer.name}: {peer.trouble}")


def _speed() -> Iterator[Result]:
    """Decode and print records, in turns with the others."""
    image, small = _image(DECODED), build_trace(_image(PRINTED), Facts())
    ways = {"text": replay_text, "jsonl": replay_jsonl, "csv": replay_csv}
    rates: dict[str, list[float]] = {name: [] for name in ("decode", *ways)}
    with tempfile.TemporaryDirectory() as folder:
        peers = record_peers(Path(folder))
        for _ in range(ROUNDS):
            rates["decode"].append(CPUS * DECODED / _seconds(lambda: _decode(image)) / 1e6)
            for name, replay in ways.items():
                # The trace anew, but not the names of its tasks.
                chosen = small.select(slice(None))
                seconds = _seconds(lambda r=replay, c=chosen: _drain(r(c)))  # type: ignore[misc]
                rates[name].append(CPUS * PRINTED / seconds / 1e6)
            for peer in peers:
                peer.measure()
    yield Result("decode to columns", rates["decode"], "M records/s", 30, True)
    yield from _beside("decode to columns", rates["decode"], peers, 50)
    for name in ways:
        yield Result(f"replay as {name}", rates[name], "M lines/s", 2, True)
        yield from _beside(f"replay as {name}", rates[name], peers, 5)


def _chosen() -> Iterator[Result]:
    """Find and print some of many records, in turns with all of them."""
    image = _image(DECODED)
    ways = {
        "--last 1000": Filters(last=1000),
        "--last 1000000": Filters(last=10**6),
        "--pid 5": Filters(pids=frozenset([5])),
        "--event sched_switch": Filters(events=("sched_switch",)),
        "--since -0.1s": Filters(since=-(10**8)),
    }
    total = CPUS * DECODED
    every: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in ways}
    shown = {}

    def replay(filters: Filters) -> int:
        chosen = apply(build_trace(image, Facts()), filters)
        _drain(replay_text(chosen))
        return len(chosen)

    for _ in range(3):
        every.append(_seconds(lambda: replay(Filters())))
        for name, filters in ways.items():
            start = time.perf_counter()
            shown[name] = replay(filters)
            taken[name].append(time.perf_counter() - start)
    for name in ways:
        share = shown[name] / total
        yield Result(
            f"replay {name}: {share:.1%} of {total / 1e6:.1f} M records",
            taken[name],
            "s",
            round(share + 0.1, 3),
            against="all of them",
            others=every,
        )


def _save(image: Image, path: Path) -> None:
    """Save without compressing, which is not what is measured."""
    rings, image.buffers[0].rings = image.buffers[0].rings, b""
    small = path.with_suffix(".small")
    save_image(image, Facts(), small, {}, {})
    with zipfile.ZipFile(small) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, rings if name.startswith("rings/") else old.read(name))


def _memory() -> Iterator[Result]:
    """Give the most memory that a replay has."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.lkst"
        _save(_image(SAVED), path)
        rings = CPUS * SAVED * layout.SLOT_SIZE / 1e6
        for words in (["--last", "10"], []):
            command = [sys.executable, "-m", "lkst", "replay", str(path), *words]
            watch = [sys.executable, "-c", WATCH, *command]
            result = subprocess.run(watch, check=True, capture_output=True, text=True)
            peak = int(result.stdout) * 1024 / 1e6
            name = f"memory of replay {' '.join(words)}".strip()
            yield Result(f"{name}, rings of {rings:.0f} MB", [peak], "MB", 3 * rings + BASE_MB)


def measure() -> Iterator[Result]:
    """Measure speed and memory of reading."""
    yield from _speed()
    yield from _chosen()
    yield from _memory()
