# SPDX-License-Identifier: GPL-2.0-or-later
"""Each measure over a small trace whose answer is known."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from synthetic import EventSpec, FieldSpec, Synthetic, recorder_events

from lkst.abi.kernel_constants import TASK_PREEMPTED
from lkst.measure.find import find_measures
from lkst.measure.result import Result
from lkst.measure.run import run_measure
from lkst.sql.connect import connect

MEASURES = find_measures()
PROBE = EventSpec(
    "reads",
    "probe",
    hook="fexit/vfs_read",
    fields=(FieldSpec("ret", "ret"), FieldSpec("u64", "duration", "ns")),
)

#: CPU, time, current task, event, fields.
Step = tuple[int, int, int, str, dict[str, Any]]


def at(cpu: int, ts: int, pid: int, event: str, /, **fields: Any) -> Step:
    return cpu, ts, pid, event, fields


@dataclass(frozen=True)
class Known:
    steps: list[Step]
    #: By group: count, total and greatest of the values.
    groups: dict[tuple[str, ...], tuple[int, float | None, float | None]]
    open: int = 0
    by: str | None = None
    worst: dict[str, str | None] = field(default_factory=dict)


def run(name: str, steps: list[Step], by: str | None = None, **options: Any) -> Result:
    made = Synthetic(events=(*recorder_events(), PROBE), nr_cpus=2)
    for cpu, ts, pid, event, fields in steps:
        made.record(cpu, ts, pid, event, **fields)
    trace = made.trace()
    return run_measure(connect(trace), trace, MEASURES[name], by, **options)


# Task 7 calls twice, the first is cut off by the start; task 8 is still in its call.
CALLS = [
    at(0, 100, 7, "sys_exit", nr=1, ret=5),
    at(0, 200, 7, "sys_enter", nr=0),
    at(1, 250, 8, "sys_enter", nr=0),
    at(0, 260, 7, "sys_exit", nr=0, ret=-2),
    at(0, 300, 7, "sys_enter", nr=1),
    at(0, 340, 7, "sys_exit", nr=1, ret=7),
]

# RCU is raised twice before it runs; TIMER runs, and its raise is not in the trace.
SOFTIRQS = [
    at(0, 100, 7, "softirq_raise", vec=9),
    at(0, 110, 7, "softirq_raise", vec=9),
    at(1, 120, 0, "softirq_entry", vec=9),
    at(0, 130, 7, "softirq_entry", vec=9),
    at(1, 135, 0, "softirq_exit", vec=9),
    at(0, 150, 7, "softirq_exit", vec=9),
    at(0, 160, 7, "softirq_entry", vec=1),
    at(0, 170, 7, "softirq_exit", vec=1),
]

BLOCK = {"rq": 0x1000, "dev": 8 << 20, "bytes": 4096, "op": 0}
OTHER = {"rq": 0x2000, "dev": 8 << 20, "bytes": 512, "op": 1}
# A read waits 20, takes 80; a write meanwhile, put back once, takes 30. A third is in flight.
REQUESTS = [
    at(0, 80, 7, "block_rq_insert", **BLOCK),
    at(0, 100, 7, "block_rq_issue", **BLOCK),
    at(1, 110, 8, "block_rq_issue", **OTHER),
    at(1, 120, 8, "block_rq_requeue", **OTHER),
    at(1, 140, 8, "block_rq_issue", **OTHER),
    at(0, 170, 0, "block_rq_complete", **OTHER),
    at(0, 180, 0, "block_rq_complete", **BLOCK),
    # A flush behind it, or another part of it: nothing new.
    at(0, 190, 0, "block_rq_complete", **BLOCK),
    at(0, 200, 7, "block_rq_issue", **BLOCK),
]

# 8 is woken by 7 on CPU 0, runs, sleeps; 7 is preempted by it and comes back.
SCHED = [
    at(0, 100, 7, "sched_wakeup", comm="eight", pid=8, target_cpu=0),
    at(
        0,
        130,
        7,
        "sched_switch",
        prev_comm="seven",
        prev_state=TASK_PREEMPTED,
        next_comm="eight",
        next_pid=8,
    ),
    at(0, 170, 8, "sched_switch", prev_comm="eight", prev_state=2, next_comm="seven", next_pid=7),
    at(0, 270, 7, "sched_wakeup", comm="eight", pid=8, target_cpu=0),
    at(0, 300, 7, "sched_switch", prev_comm="seven", prev_state=1, next_comm="eight", next_pid=8),
]

LOCK = 0xFFFF_8880_0000_4000
# 7 waits 50, and gets the lock; 8 has come at 120, so that 7 can have had it for 90 at most.
# 9 comes when 8 has it: it is named. 5 finds nobody.
LOCKS = [
    at(0, 100, 7, "contention_begin", lock=LOCK, flags=1 << 5 | 1),
    at(0, 110, 7, "contention_begin", lock=LOCK, flags=1 << 5),
    at(1, 120, 8, "contention_begin", lock=LOCK, flags=1 << 5),
    at(0, 150, 7, "contention_end", lock=LOCK),
    at(1, 240, 8, "contention_end", lock=LOCK),
    at(0, 250, 9, "contention_begin", lock=LOCK, flags=1 << 5, owner=8, owner_comm="eight"),
    at(0, 260, 9, "contention_end", lock=LOCK),
    at(0, 400, 5, "contention_begin", lock=LOCK, flags=1 << 5),
    at(0, 410, 5, "contention_end", lock=LOCK),
]
LOCK_NAME = "0xffff888000004000"

WORK = {"function": 0xFFFF_FFFF_8100_0000, "work": 0x77}
WORKS = [
    at(0, 100, 7, "workqueue_queue_work", **WORK),
    at(1, 130, 20, "workqueue_execute_start", **WORK),
    at(1, 190, 20, "workqueue_execute_end", **WORK),
]
FUNCTION = "0xffffffff81000000"

MEMORY = [
    at(0, 100, 7, "kmalloc", ptr=0x5000, bytes_alloc=64, call_site=0xFFFF_FFFF_8100_0000),
    at(0, 110, 7, "mm_page_alloc", page=0x6000, order=1),
    at(0, 120, 7, "kmem_cache_alloc", ptr=0x7000, size=192, cache="dentry"),
    at(0, 130, 7, "kmalloc", ptr=0, bytes_alloc=1 << 20),
    at(0, 140, 7, "kfree", ptr=0x5000),
    at(1, 190, 7, "mm_page_free", page=0x6000, order=1),
    at(0, 200, 7, "kmem_cache_free", ptr=0x9000),
]

PACKETS = [
    at(0, 100, 0, "netif_receive_skb", skb=0x100, dev="eth0", len=1500, protocol=0x800),
    at(0, 110, 0, "netif_receive_skb", skb=0x200, dev="eth0", len=60, protocol=0x806),
    at(1, 115, 7, "net_dev_xmit", skb=0x300, dev="eth1", len=90),
    at(0, 130, 0, "consume_skb", skb=0x100),
    at(0, 150, 0, "kfree_skb", skb=0x200, reason=2),
    at(0, 160, 0, "kfree_skb", skb=0x400, reason=2),
]

QUEUES = [
    at(0, 100, 7, "prepare_to_wait_event", queue=0x10, entry=0x11),
    at(0, 110, 8, "add_wait_queue", queue=0x20, entry=0x21),
    at(0, 120, 7, "prepare_to_wait_event", queue=0x10, entry=0x11),
    at(0, 150, 7, "finish_wait", queue=0x10, entry=0x11),
    # It did not have to wait.
    at(0, 160, 9, "finish_wait", queue=0x10, entry=0x12),
    at(0, 170, 8, "remove_wait_queue", queue=0x20, entry=0x21),
]

CASES: dict[str, Known] = {
    "syscall-time": Known(CALLS, {("0",): (1, 60, 60), ("1",): (1, 40, 40)}, open=2),
    "syscall-usage": Known(CALLS, {("0",): (2, 2, 1), ("1",): (1, 1, 1)}),
    "softirq-delay": Known(SOFTIRQS, {("RCU",): (1, 30, 30), ("TIMER",): (0, None, None)}, open=2),
    "softirq-response": Known(
        SOFTIRQS, {("RCU",): (1, 50, 50), ("TIMER",): (0, None, None)}, open=2
    ),
    "softirq-time": Known(SOFTIRQS, {("RCU",): (2, 35, 20), ("TIMER",): (1, 10, 10)}),
    "timer-response": Known(
        [
            at(0, 90, 7, "local_timer_entry"),
            at(1, 95, 7, "local_timer_entry"),
            at(0, 100, 7, "softirq_raise", vec=1),
            at(0, 110, 7, "softirq_entry", vec=1),
            at(0, 125, 7, "softirq_exit", vec=1),
        ],
        {("0",): (1, 35, 35)},
    ),
    "irq-time": Known(
        [
            at(0, 100, 7, "irq_handler_entry", irq=26, name="disk", handler=1),
            at(0, 105, 7, "irq_handler_entry", irq=27, name="net", handler=1),
            at(1, 106, 7, "irq_handler_exit", irq=26, handled=1),
            at(0, 115, 7, "irq_handler_exit", irq=27, handled=1),
            at(0, 130, 7, "irq_handler_exit", irq=26, handled=1),
        ],
        {("?",): (0, None, None), ("disk",): (1, 30, 30), ("net",): (1, 10, 10)},
        open=1,
    ),
    "page-fault-time": Known(
        [
            at(0, 100, 7, "page_fault_user", address=0x1000),
            at(0, 170, 7, "handle_mm_fault", address=0x1000),
            # Made present without a fault.
            at(0, 180, 7, "handle_mm_fault", address=0x2000),
            at(0, 190, 7, "page_fault_kernel", address=0x3000),
        ],
        {("user",): (1, 70, 70), ("kernel",): (0, None, None)},
        open=1,
        by="mode",
    ),
    "allocation-hold": Known(
        MEMORY,
        {("kmalloc",): (1, 40, 40), ("page",): (1, 80, 80), ("slab",): (0, None, None)},
        open=2,
    ),
    "allocation-size": Known(
        MEMORY, {("kmalloc",): (1, 64, 64), ("page",): (1, 8192, 8192), ("slab",): (1, 192, 192)}
    ),
    "allocation-failures": Known(MEMORY, {("kmalloc",): (1, 1, 1)}),
    "allocation-stall": Known(
        [
            at(0, 100, 7, "mm_vmscan_direct_reclaim_begin", order=3),
            at(0, 110, 7, "mm_compaction_begin", order=9),
            at(0, 140, 7, "mm_compaction_end", order=9),
            at(1, 200, 7, "mm_vmscan_direct_reclaim_end", nr_reclaimed=5),
        ],
        {("reclaim",): (1, 100, 100), ("compaction",): (1, 30, 30)},
    ),
    "block-time": Known(
        REQUESTS, {("8:0", "READ"): (1, 80, 80), ("8:0", "WRITE"): (1, 30, 30)}, open=1
    ),
    "block-depth": Known(REQUESTS, {("1",): (1, 80, 80), ("2",): (1, 30, 30)}, open=1),
    "block-wait": Known(REQUESTS, {("8:0", "READ"): (1, 20, 20)}),
    "block-queue": Known(REQUESTS, {("8:0",): (7, 8, 2)}),
    "packet-time": Known(PACKETS, {("eth0",): (2, 70, 40)}),
    "packet-size": Known(PACKETS, {("eth0", "in"): (2, 1560, 1500), ("eth1", "out"): (1, 90, 90)}),
    "packet-drops": Known(PACKETS, {("2",): (2, 2, 1)}),
    "retransmits": Known(
        [
            at(0, 100, 0, "tcp_retransmit_skb", daddr=0x0100007F, dport=80),
            at(0, 110, 0, "tcp_retransmit_skb", daddr=0x0100007F, dport=80),
            at(0, 110, 0, "tcp_retransmit_skb", daddr=0x0100007F, dport=22),
        ],
        {("127.0.0.1", "80"): (2, 2, 1), ("127.0.0.1", "22"): (1, 1, 1)},
    ),
    "lock-wait": Known(LOCKS, {(LOCK_NAME,): (4, 190, 120)}),
    "lock-hold": Known(LOCKS, {("7",): (1, 90, 90), ("8",): (1, 20, 20)}, by="pid"),
    "run-queue": Known(SCHED, {("0",): (6, 3, 1)}),
    "wait-queue": Known(QUEUES, {}, by=""),
    "wait-delay": Known(QUEUES, {("7",): (1, 50, 50), ("8",): (1, 60, 60)}, by="pid"),
    "blocked-time": Known(
        SCHED,
        {
            ("eight", "D"): (1, 100, 100),
            ("seven", "S"): (0, None, None),
            ("eight", "?"): (0, None, None),
        },
        open=2,
        by="comm,state",
    ),
    "scheduler-time": Known(
        [
            at(0, 100, 7, "schedule", state=1),
            at(1, 105, 9, "schedule_exit"),
            at(0, 140, 8, "schedule_exit", run_delay=3),
        ],
        {("0",): (1, 40, 40), ("1",): (0, None, None)},
        open=1,
    ),
    "process-life": Known(
        [
            at(0, 100, 7, "sched_process_fork", comm="sh", child_comm="sh", child_pid=8),
            at(1, 150, 8, "sched_process_exec", comm="cat", old_pid=8, filename="/bin/cat"),
            at(1, 400, 8, "sched_process_exit", comm="cat", exit_code=9, tgid=8),
            at(1, 450, 5, "sched_process_exit", comm="old", tgid=5),
        ],
        {("cat",): (1, 300, 300), ("old",): (0, None, None)},
        open=1,
    ),
    "process-state": Known(
        SCHED,
        {
            # 8 from 130 to 170, 7 from 170 to 300; 7 before and 8 behind are cut off.
            ("running",): (2, 170, 130),
            ("runnable",): (3, 100, 40),
            ("D",): (1, 100, 100),
            ("S",): (0, None, None),
            ("?",): (0, None, None),
        },
        open=4,
    ),
    "wakeup-latency": Known(SCHED, {("eight", "8"): (2, 60, 30)}),
    "waker-latency": Known(SCHED, {("seven", "7"): (2, 60, 30)}),
    "preempted-time": Known(SCHED, {("seven", "7"): (1, 40, 40)}),
    # The last one says that it began before the machine did.
    "call-time": Known(
        [
            at(0, 200, 7, "reads", ret=-2, duration=50),
            at(1, 210, 8, "reads", ret=10, duration=30),
            at(1, 220, 8, "reads", ret=10, duration=1 << 63),
        ],
        {("-ENOENT",): (1, 50, 50), ("?",): (1, 30, 30)},
        open=1,
        by="error",
    ),
    "cpu-time": Known(
        [
            at(0, 100, 7, "sched_switch", prev_state=1, next_pid=0),
            at(0, 150, 0, "irq_handler_entry", irq=1),
            at(0, 160, 0, "irq_handler_exit", irq=1),
            at(0, 162, 0, "softirq_entry", vec=9),
            at(0, 170, 0, "irq_handler_entry", irq=1),
            at(0, 175, 0, "irq_handler_exit", irq=1),
            at(0, 190, 0, "softirq_exit", vec=9),
            at(0, 200, 0, "sched_switch", next_pid=7),
            at(0, 270, 7, "sched_switch", prev_state=1, next_pid=0),
        ],
        {
            ("task",): (1, 70, 70),
            ("idle",): (3, 62, 50),
            ("softirq",): (2, 23, 15),
            ("irq",): (2, 15, 10),
        },
        open=1,
    ),
    "work-time": Known(WORKS, {(FUNCTION,): (1, 60, 60)}),
    "work-delay": Known(WORKS, {(FUNCTION,): (1, 30, 30)}),
    "timer-time": Known(
        [
            at(0, 100, 0, "timer_expire_entry", timer=0x1, function=0xFFFF_FFFF_8100_0000),
            at(0, 120, 0, "timer_expire_exit", timer=0x1),
            at(0, 130, 0, "hrtimer_expire_entry", hrtimer=0x1, function=0xFFFF_FFFF_8100_0000),
            at(0, 135, 0, "hrtimer_expire_exit", hrtimer=0x1),
        ],
        {("timer",): (1, 20, 20), ("hrtimer",): (1, 5, 5)},
        by="kind",
    ),
}


def test_each_measure_has_a_known_answer() -> None:
    assert set(CASES) == set(MEASURES)


@pytest.mark.parametrize("name", CASES)
def test_measure(name: str) -> None:
    known = CASES[name]
    result = run(name, known.steps, known.by)
    found = {own.group: (own.count, own.total, own.max) for own in result.groups}
    assert found == known.groups
    assert result.whole.open == known.open
    assert not result.missing


def test_wait_queue_counts_waiters() -> None:
    result = run("wait-queue", QUEUES)
    assert (result.whole.count, result.whole.max) == (4, 2)
