# SPDX-License-Identifier: GPL-2.0-or-later
"""
Full load on all CPUs, interrupts in interrupts, rings that wrap many times a second and
a reader beside it: nothing is torn, nothing is lost unseen, and the kernel counts the same.
"""

from collections import defaultdict
import json
from typing import Any

from dumps import Dump, Lab, Run
import pytest

#: The second argument of numbered calls.
OURS = 7777

SCRIPT = r"""
cat >/tmp/stress.py <<'END'
import ctypes
import json
import multiprocessing
import os
from pathlib import Path
import socket
import sys
import time

from lkst.abi import layout
from lkst.record.maskset.text import Handler, Maskset
from lkst.live.recorder import Recorder
from lkst.record.lifecycle.start import start
from lkst.source.live import live_facts, read_image
from lkst.trace.trace import build_trace

SECONDS = 4
OURS = 7777  # the second argument of getppid that tells numbered calls from others
MEMBARRIER = 324  # of x86-64, and its commands, include/uapi/linux/membarrier.h
GLOBAL_EXPEDITED, REGISTER_GLOBAL_EXPEDITED = 1 << 1, 1 << 2
EVENTS = (
    "sched_switch sched_waking sched_wakeup sched_process_exec sys_enter sys_exit "
    "softirq_raise softirq_entry softirq_exit irq_handler_entry irq_handler_exit "
    "local_timer_entry reschedule_entry call_function_entry call_function_single_entry "
    "hrtimer_start hrtimer_expire_entry hrtimer_expire_exit page_fault_user panic"
).split()


def numbered():
    # The last argument tells whose the call is, whatever the recorder says.
    own = os.getpid()
    libc = ctypes.CDLL(None)
    number = 0
    while True:
        libc.syscall(110, number, OURS, own)
        number += 1
        if number % 64 == 0:
            os.sched_yield()


def born():
    # The first calls of a process.
    libc = ctypes.CDLL(None)
    while True:
        child = os.fork()
        if not child:
            own = os.getpid()
            for number in range(8):
                libc.syscall(110, number, OURS, own)
            os._exit(0)
        os.waitpid(child, 0)


def busy():
    while True:
        pass


def ping_pong():
    ours, theirs = socket.socketpair()
    if os.fork():
        while True:
            ours.send(b"x")
            ours.recv(1)
    while True:
        theirs.send(theirs.recv(1))


def packets():
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        sender.sendto(b"y" * 100, receiver.getsockname())
        receiver.recv(200)
        time.sleep(0.0002)


def spread():
    # Other threads of the process make the kernel interrupt other CPUs.
    import mmap
    import threading

    def touch():
        while True:
            with mmap.mmap(-1, 1 << 20) as area:
                area[:: 1 << 12] = b"z" * 256

    for cpu in range(os.cpu_count()):
        threading.Thread(target=touch, daemon=True).start()
    time.sleep(1000)


def membarrier(command):
    assert ctypes.CDLL(None).syscall(MEMBARRIER, command, 0, 0) == 0


def barriers():
    # Each interrupts the CPUs that run one of the loads or the reader.
    os.nice(-20)
    while True:
        membarrier(GLOBAL_EXPEDITED)
        time.sleep(0.001)


def run(load):
    membarrier(REGISTER_GLOBAL_EXPEDITED)
    load()


def kernel_counts():
    stat = {}
    for line in Path("/proc/stat").read_text().splitlines():
        words = line.split()
        if words[0] in ("ctxt", "softirq", "intr"):
            stat[words[0]] = int(words[1])
    for line in Path("/proc/interrupts").read_text().splitlines()[1:]:
        name, *words = line.split()
        name = "device" if name[:-1].isdigit() else name[:-1]
        count = sum(int(word) for word in words[: os.cpu_count()] if word.isdigit())
        stat[name] = stat.get(name, 0) + count
    return stat


def our_counts(recorder):
    data, size = recorder.cpus(), recorder.header.cpu_size
    counts = {}
    for event in recorder.catalogue.events.values():
        where = layout.COUNT_OFFSET + 8 * event.id
        counts[event.name] = sum(
            int.from_bytes(data[cpu * size + where :][:8], "little")
            for cpu in range(recorder.header.nr_cpus)
        )
    return counts


start(1 << 17, Maskset("stress", {name: Handler("record") for name in EVENTS}))
loads = [numbered, numbered, born, busy, ping_pong, packets, spread, barriers]
children = [multiprocessing.Process(target=run, args=(load,), daemon=True) for load in loads]
for child in children:
    child.start()
time.sleep(1)
# The reader gets its turn, and may have a CPU to itself: it is interrupted like the loads.
os.nice(-20)
membarrier(REGISTER_GLOBAL_EXPEDITED)
readings = []
with Recorder() as recorder:
    first = [place.head for place in recorder.places(0)]
    outer = our_counts(recorder)
    before = kernel_counts()
    inner = our_counts(recorder)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or len(readings) < 2:
        trace = build_trace(read_image(recorder), live_facts())
        losses = trace.records.losses
        readings.append(
            {
                "records": len(trace),
                "torn": sum(loss.torn for loss in losses),
                "unreadable": sum(loss.unreadable for loss in losses),
            }
        )
    laps = [
        (place.head - begin) // recorder.header.nr_slots
        for place, begin in zip(recorder.places(0), first, strict=True)
    ]
    inner_end = our_counts(recorder)
    after = kernel_counts()
    outer_end = our_counts(recorder)
    misses = {
        recorder.catalogue.events[id_].name: count for id_, count in recorder.misses().items()
    }


def between(end, begin):
    return {name: end[name] - begin.get(name, 0) for name in end}


Path("/out/stress.json").write_text(
    json.dumps(
        {
            "least": between(inner_end, inner),
            "kernel": between(after, before),
            "most": between(outer_end, outer),
            "readings": readings,
            "laps": laps,
            "misses": misses,
        }
    )
)
os.sync()
# The dump is taken while it goes on.
Path("/proc/sysrq-trigger").write_text("c")
END
PYTHONPATH=/lab/project python3 /tmp/stress.py
"""

#: What the kernel counts, and the events that are the same.
SAME = {
    "ctxt": ["sched_switch"],
    "softirq": ["softirq_entry"],
    "device": ["irq_handler_entry"],
    "LOC": ["local_timer_entry"],
    "RES": ["reschedule_entry"],
    "CAL": ["call_function_entry", "call_function_single_entry"],
}


@pytest.fixture(scope="module", params=["6.1", "6.12", "6.12-rt", "7"])
def dump(request: pytest.FixtureRequest, lab: Lab) -> Dump:
    words = ("--no-record", "--thread-per-cpu", "--timeout", "300")
    return lab(request.param, *words, script=SCRIPT)


@pytest.fixture(scope="module")
def said(dump: Dump) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((dump.out / "stress.json").read_text())
    return found


@pytest.mark.parametrize("name", SAME)
def test_the_kernel_counts_the_same(said: dict[str, Any], name: str) -> None:
    """Records were counted before and after the kernel's numbers were read, both times."""
    least, most = (sum(said[bound][event] for event in SAME[name]) for bound in ("least", "most"))
    assert least <= said["kernel"][name] <= most
    # A guest's CPUs need not be woken by interrupts.
    assert least > 0 or name == "RES"


def test_interrupts_all_together(said: dict[str, Any]) -> None:
    """Of interrupts there are some more kinds, which hardly ever come."""
    events = [event for name in ("device", "LOC", "RES", "CAL") for event in SAME[name]]
    assert sum(said["least"][event] for event in events) <= said["kernel"]["intr"]


def test_a_reader_beside_it(said: dict[str, Any]) -> None:
    assert all(reading["records"] for reading in said["readings"])
    assert {(r["torn"], r["unreadable"]) for r in said["readings"]} == {(0, 0)}
    # All rings were overwritten again and again meanwhile.
    assert min(said["laps"]) > 2


def test_what_the_kernel_skipped(said: dict[str, Any]) -> None:
    """
    A program that is interrupted or preempted is skipped meanwhile.

    From Linux 7 on that happens to those of system calls. Timers that expire in a softirq are
    interrupted by those that expire in a hard interrupt.
    """
    skipped = {event for event, count in said["misses"].items() if count}
    timers = {"hrtimer_expire_entry", "hrtimer_expire_exit"}
    assert skipped <= {"sys_enter", "sys_exit"} | timers


def test_the_dump(dump: Dump, said: dict[str, Any], lkst: Run) -> None:
    listed = json.loads(lkst("list", dump.vmcore, "--format", "json").stdout)
    assert {(cpu["torn"], cpu["unreadable"]) for cpu in listed["cpus"]} == {(0, 0)}
    # This kernel reports each switch.
    assert {cpu["unrecorded_switches"] for cpu in listed["cpus"]} == {0}
    # A record in flight is one that the panic, or the interrupt that stopped a CPU, came into.
    assert all(cpu["in_flight"] <= 8 for cpu in listed["cpus"])
    result = lkst("replay", dump.vmcore, "--format", "jsonl")
    assert (result.status, result.stderr) == (0, "")
    running: dict[int, int] = {}
    numbers = defaultdict(list)
    wrong = 0
    misattributed = []
    for line in result.stdout.splitlines():
        record = json.loads(line)
        fields, cpu = record["fields"], record["cpu"]
        # The thread that a record names is the one that was switched to.
        wrong += running.get(cpu, record["pid"]) != record["pid"]
        if record["event"] == "sched_switch":
            running[cpu] = fields["next_pid"]
        elif record["event"] == "sys_enter" and fields["nr"] == "getppid":
            number, ours, own = (int(fields[f"arg{n}"], 16) for n in range(3))
            if ours != OURS:
                continue
            numbers[own].append(number)
            if own != record["pid"]:
                misattributed.append((own, record["pid"], record["ts"]))
    assert running and not wrong
    # How many processes are among the last records depends on when the machine stopped.
    assert numbers
    assert misattributed == []
    # Each call is there once, in its order.
    for found in numbers.values():
        assert found == sorted(set(found)), f"{len(found)} calls, {len(set(found))} of them once"
