# SPDX-License-Identifier: GPL-2.0-or-later
"""
How fast all measures are over ten million records, and in how much memory.

They run in a process of their own, which has read the trace before.
"""

from collections.abc import Iterator
from pathlib import Path
import pickle
import resource
import subprocess
import sys
import tempfile
import time

from bench.result import Result
import numpy as np
from synthetic import Synthetic

from lkst.abi import layout
from lkst.decode.image import Image
from lkst.measure.find import find_measures
from lkst.measure.run import run_measure
from lkst.sql.connect import connect
from lkst.trace.facts import Facts
from lkst.trace.trace import build_trace

ROUNDS = 3
CPUS = 5
SLOTS = 1 << 21  # of each CPU: in all a little more than ten million
TASKS = 40  # of each CPU

# Where x86 has memory, and the kernel.
MEMORY, TEXT = 0xFFFF_8880_0000_0000, 0xFFFF_FFFF_8100_0000

# What happens again and again on a CPU, as a busy machine has it.
STORY = (
    "sys_enter",
    "page_fault_user",
    "sys_exit",
    "sys_enter",
    "irq_handler_entry",
    "block_rq_complete",
    "sched_wakeup",
    "irq_handler_exit",
    "softirq_raise",
    "softirq_entry",
    "netif_receive_skb",
    "kfree_skb",
    "timer_expire_entry",
    "timer_expire_exit",
    "softirq_exit",
    "block_rq_insert",
    "block_rq_issue",
    "sys_exit",
    "sys_enter",
    "contention_begin",
    "contention_end",
    "workqueue_queue_work",
    "workqueue_execute_start",
    "workqueue_execute_end",
    "sys_exit",
    "sched_switch",
)


def _image() -> Image:
    made = Synthetic(nr_cpus=CPUS, nr_slots=SLOTS)
    random = np.random.default_rng(1)
    slots = np.zeros((CPUS, SLOTS, layout.SLOT_SIZE // 8), np.uint64)
    catalogue = build_trace(Synthetic(nr_cpus=1, nr_slots=2).image(), Facts()).catalogue
    fields = {event.name: {f.name: f for f in event.fields} for event in catalogue.events.values()}
    ids = np.array([made.id(name) for name in STORY])
    place = np.arange(SLOTS)
    step, turn = place % len(STORY), place // len(STORY)
    for cpu in range(CPUS):
        ring = slots[cpu]
        task = 100 + cpu * TASKS + turn % TASKS
        ring[:, 0] = place | made.tag << layout.SEQ_BITS
        ring[:, 1] = ids[step] | cpu << 16 | task << layout.PID_SHIFT | 1 << layout.NR_SHIFT
        ring[:, 2] = np.cumsum(random.integers(100, 3000, SLOTS))
        payload = ring[:, 3:].view(np.uint8)
        for number, name in enumerate(STORY):
            rows = np.flatnonzero(step == number)
            following = 100 + cpu * TASKS + (turn[rows] + 1) % TASKS
            thing = (turn[rows] % 64 * 512).astype(np.uint64) + np.uint64(MEMORY + (cpu << 20))
            values = {
                "nr": turn[rows] % 50,
                "next_pid": following,
                "prev_state": np.ones(len(rows)),
                "pid": following,
                "target_cpu": np.full(len(rows), cpu),
                "irq": turn[rows] % 4,
                "vec": turn[rows] % 10,
                **dict.fromkeys(("rq", "skb", "lock", "work", "timer"), thing),
                "dev": np.full(len(rows), 8 << 20),
                "bytes": np.full(len(rows), 4096),
                "len": np.full(len(rows), 1500),
                "function": np.uint64(TEXT) + (turn[rows] % 30 * 64).astype(np.uint64),
                "reason": turn[rows] % 20,
            }
            for key, field in fields[name].items():
                if key in values and field.is_number:
                    raw = values[key].astype(np.uint64).astype("<u8").view(np.uint8)
                    raw = raw.reshape(-1, 8)[:, : field.size]
                    payload[rows, field.offset : field.offset + field.size] = raw
                elif field.type == "comm":
                    whose = values["pid"] if key in ("comm", "next_comm") else task[rows]
                    names = np.char.add("task", whose.astype(int).astype(str)).astype("S16")
                    raw = names.view(np.uint8).reshape(-1, 16)
                    payload[rows, field.offset : field.offset + 16] = raw
    made.heads[:] = [SLOTS] * CPUS
    # The rings themselves take the place of those that were empty.
    made.buffers[0].memory = bytearray()
    image = made.image()
    image.buffers[0].rings = slots.tobytes()
    return image


def _child(path: str) -> None:
    """Read the trace, run all measures, and print seconds, CPU seconds, MiB in all and before."""
    with Path(path).open("rb") as file:
        image = pickle.load(file)
    trace = build_trace(image, Facts())
    del image
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, spent = time.perf_counter(), time.process_time()
    connection = connect(trace)
    for measure in find_measures().values():
        begin = time.process_time()
        result = run_measure(connection, trace, measure)
        cost = time.process_time() - begin
        print(f"    {measure.name}: {result.whole.count}, {cost:.2f} CPU s", file=sys.stderr)
    took = time.perf_counter() - start
    cost = time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(took, cost, peak / 1024, before / 1024)


def measure() -> Iterator[Result]:
    """Run all measures over a trace in which most of what they are of happens."""
    told: list[list[float]] = []
    with tempfile.NamedTemporaryFile() as file:
        pickle.dump(_image(), file, protocol=pickle.HIGHEST_PROTOCOL)
        file.flush()
        for _ in range(ROUNDS):
            command = "import sys; from bench.measuring import _child; _child(sys.argv[1])"
            output = subprocess.run(
                [sys.executable, "-c", command, file.name],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout.split()
            told.append([float(number) for number in output])
    times, costs, peaks, before = (list(numbers) for numbers in zip(*told, strict=True))
    yield Result("all measures, 10 M records", times, "s", 10)
    yield Result("processor time of it", costs, "s")
    yield Result("memory of it, with the trace", peaks, "MiB", 2048)
    yield Result("memory to read the trace", before, "MiB")
