# SPDX-License-Identifier: GPL-2.0-or-later
"""
Every event's program is accepted by every kernel, and what it records is so.

A program in the guest makes the events happen that can be made to happen.
"""

from collections.abc import Callable, Iterator
import json
from pathlib import Path
import subprocess
from typing import Any, NamedTuple

from drgn import Program
from dumps import ABSENT, KERNELS, Dump, Lab, Run
import pytest

from drgn_plugins.lkst_btf import attach_btf
from lkst.locate.dmesg import read_dmesg
from lkst.record.programs.catalogue import built_catalogue

Record = dict[str, Any]

WORKLOAD = Path(__file__).with_name("workload.py")
ABI = Path(__file__).with_name("abi.c")
FREESTANDING = (
    "-O2 -Wall -Wextra -Werror -static -nostdlib -ffreestanding -fno-pic -no-pie"
    " -fno-stack-protector"
).split()
SCRIPT = """
lkst start --maskset all --size 32M >/out/start.out 2>/out/start.err
exec python3 /lab/files/workload.py
"""


Key = Callable[[Record], Any]


def by_pid(record: Record) -> Any:
    return record["pid"]


def by_cpu(record: Record) -> Any:
    return record["cpu"]


def by_field(name: str) -> Key:
    return lambda record: record["fields"][name]


#: What takes other hardware, other trouble, or many CPUs.
UNMADE = set(
    "call_function_entry tasklet_entry tasklet_exit nmi_handler mm_vmscan_direct_reclaim_begin"
    " mm_vmscan_direct_reclaim_end mm_vmscan_kswapd_wake mm_vmscan_kswapd_sleep"
    " mm_vmscan_throttled mark_victim block_rq_insert block_rq_requeue net_dev_xmit_timeout"
    " module_load module_free rcu_stall_warning oops warn soft_lockup hard_lockup hung_task"
    " rcu_stall kasan kfence mark trigger_fired maskset_use heartbeat_age clock_set".split()
)


class Step(NamedTuple):
    """What was done, and what was recorded meanwhile."""

    facts: dict[str, Any]
    records: list[Record]

    def of(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Give the fields of an event's records that have these values."""
        return [
            record["fields"]
            for record in self.records
            if record["event"] == event and fields.items() <= record["fields"].items()
        ]

    def own(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Give only those of the task that did it."""
        pid = self.facts["pid"]
        own = [record for record in self.records if record["pid"] == pid]
        return Step(self.facts, own).of(event, **fields)

    def order(self, *events: str) -> list[str]:
        """Give the own task's events in order, of these kinds."""
        pid = self.facts["pid"]
        return [r["event"] for r in self.records if r["event"] in events and r["pid"] == pid]


class Done:
    """A guest in which everything was done."""

    def __init__(self, dump: Dump, records: list[Record]) -> None:
        self.dump = dump
        self.records = records
        self.facts = json.loads((dump.out / "workload.json").read_text())

    def __getitem__(self, name: str) -> Step:
        (facts,) = [step for step in self.facts if step["step"] == name]
        inside = [r for r in self.records if facts["start"] <= r["ts"] <= facts["end"]]
        return Step(facts, inside)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build programs that make calls of other ABIs; give words for the lab that bring them in."""
    folder = tmp_path_factory.mktemp("abi")
    words = []
    for bits in ("32", "64"):
        program = str(folder / f"abi{bits}")
        subprocess.run(["cc", f"-m{bits}", *FREESTANDING, "-o", program, str(ABI)], check=True)
        words += ["--file", program]
    return words


@pytest.fixture(scope="module", params=KERNELS)
def done(
    request: pytest.FixtureRequest, lab: Lab, lkst: Run, programs: list[str]
) -> Iterator[Done]:
    # Locks are only waited for where CPUs run at the same time.
    words = (
        "--no-record",
        "--thread-per-cpu",
        "--memory",
        "1024",
        "--file",
        str(WORKLOAD),
        *programs,
    )
    dump = lab(request.param, *words, script=SCRIPT)
    result = lkst("replay", dump.vmcore, "--format", "jsonl")
    assert (result.status, result.stderr) == (0, "")
    yield Done(dump, [json.loads(line) for line in result.stdout.splitlines()])


def test_no_program_is_refused(done: Done) -> None:
    err = (done.dump.out / "start.err").read_text()
    absent = ABSENT.get(done.dump.kernel, ())
    assert err.splitlines() == [
        f"not on this kernel: {name}: this kernel has no {name}" for name in absent
    ]


def test_nothing_was_overwritten(done: Done) -> None:
    assert done.records[0]["ts"] < done.facts[0]["start"]
    assert {record["cpu"] for record in done.records} == {0, 1}


def test_semaphores(done: Done) -> None:
    sem = done["sem"]
    id_, key = sem.facts["id"], hex(sem.facts["key"])
    assert sem.own("ipcget") == [
        {"size": 3, "key": key, "flags": "0x380", "ret": id_, "kind": "sem"}
    ]
    assert sem.own("semop") == [
        {"timeout": -1, "semid": id_, "nsops": 2, "num": 2, "op": 5, "flags": 0},
        {"timeout": 20_000_000, "semid": id_, "nsops": 1, "num": 1, "op": -1, "flags": 0},
    ]
    assert sem.own("semop_exit") == [
        {"ret": 0, "semid": id_},
        {"ret": "-EAGAIN", "semid": id_},
    ]
    assert [(f["id"], f["kind"]) for f in sem.own("ipc_rmid")] == [(id_, "sem")]
    assert sem.order("semop", "semop_exit") == ["semop", "semop_exit"] * 2


def test_messages(done: Done) -> None:
    msg = done["msg"]
    id_, key = msg.facts["id"], hex(msg.facts["key"])
    assert msg.own("ipcget") == [
        {"size": 0, "key": key, "flags": "0x380", "ret": id_, "kind": "msg"}
    ]
    assert msg.own("msgsnd") == [{"type": 7, "size": 100, "flags": "0x0", "msqid": id_}]
    assert msg.own("msgsnd_exit") == [{"ret": 0, "msqid": id_}]
    assert msg.own("msgrcv") == [
        {"type": 7, "size": 200, "flags": "0x0", "msqid": id_},
        {"type": -3, "size": 200, "flags": "0x800", "msqid": id_},
    ]
    assert msg.own("msgrcv_exit") == [
        {"ret": 100, "msqid": id_},
        {"ret": "-ENOMSG", "msqid": id_},
    ]
    assert [(f["id"], f["kind"]) for f in msg.own("ipc_rmid")] == [(id_, "msg")]


def test_memory_of_a_message(done: Done) -> None:
    # A message is one allocation: struct msg_msg of 48 bytes, then the text.
    msg = done["msg"]
    (made,) = [f for f in msg.own("kmalloc", bytes_req=148) if "msg" in f["call_site"]]
    assert made["bytes_alloc"] == 192
    assert made["gfp_flags"].startswith("GFP_KERNEL")
    assert msg.own("kfree", ptr=made["ptr"])


def test_shared_memory(done: Done) -> None:
    shm = done["shm"]
    id_, address = shm.facts["id"], hex(shm.facts["address"])
    assert shm.own("ipcget") == [
        {"size": 12345, "key": "0x0", "flags": "0x380", "ret": id_, "kind": "shm"}
    ]
    assert shm.own("shmat") == [{"address": address, "flags": "0x0", "ret": 0, "shmid": id_}]
    assert shm.own("shmdt") == [{"address": address, "ret": 0}]
    assert [(f["id"], f["kind"]) for f in shm.own("ipc_rmid")] == [(id_, "shm")]


def test_faults(done: Done) -> None:
    fault = done["fault"]
    (found,) = fault.own("handle_mm_fault", address=hex(fault.facts["address"]))
    assert found["result"] == 0
    assert {"WRITE", "USER"} <= set(found["flags"].split("|"))
    segv = done["segv"]
    sent = [
        (record["pid"], record["fields"])
        for record in segv.records
        if record["event"] == "force_sig_fault"
    ]
    want = {"sig": "SIGSEGV", "addr": hex(segv.facts["address"]), "code": "SEGV_MAPERR"}
    assert sent == [(segv.facts["child"], want)]


def test_wait_queues(done: Done) -> None:
    poll = done["poll"]
    (added,) = poll.own("add_wait_queue", func="pollwake")
    assert poll.own("remove_wait_queue", entry=added["entry"]) == [
        {name: added[name] for name in ("queue", "entry", "func")}
    ]
    (made,) = done["epoll"].own("init_waitqueue_head", name="&ep->wq")
    assert int(made["queue"], 0) >> 63
    read = done["read"]
    waited = read.own("prepare_to_wait_event", state="S")
    assert waited
    assert read.own("finish_wait", entry=waited[0]["entry"], queue=waited[0]["queue"])


def test_scheduler(done: Done) -> None:
    read = done["read"]
    assert read.own("schedule", state="S")
    assert read.order("schedule", "schedule_exit")[-2:] == ["schedule", "schedule_exit"]
    delays = [fields["run_delay"] for fields in read.own("schedule_exit")]
    assert delays == sorted(delays) and delays[-1] > 0
    pid = read.facts["pid"]
    assert len(read.of("sched_waking", pid=pid)) >= len(read.of("sched_wakeup", pid=pid)) > 0


def test_kernel_thread(done: Done) -> None:
    (made,) = done["kthread"].of("kernel_thread")
    assert (made["fn"], made["error"]) == ("kthread", 0)
    # CLONE_FS | CLONE_FILES, and the signal at its end
    assert int(made["flags"], 0) & 0x600 == 0x600
    (fork,) = done["kthread"].of("sched_process_fork", child_pid=made["child_pid"])
    assert fork["comm"] == "kthreadd"


def test_timers(done: Done) -> None:
    assert done["itimer"].own("hrtimer_start", function="it_real_fn")
    assert done["itimer"].own("hrtimer_cancel", function="it_real_fn")
    started = done["timeout"].own("timer_start", function="process_timeout")
    assert started
    assert done["timeout"].of("timer_cancel", timer=started[0]["timer"])


def test_connections(done: Done) -> None:
    connect = done["connect"]
    ends = {
        "saddr": "127.0.0.1",
        "daddr": "127.0.0.1",
        "sport": connect.facts["sport"],
        "dport": connect.facts["dport"],
        "family": "INET",
        "protocol": 6,
    }
    states = [(f["oldstate"], f["newstate"]) for f in connect.of("inet_sock_set_state", **ends)]
    assert states[:3] == [
        ("CLOSE", "SYN_SENT"),
        ("SYN_SENT", "ESTABLISHED"),
        ("ESTABLISHED", "CLOSE_WAIT"),
    ]
    back = ends | {"sport": ends["dport"], "dport": ends["sport"]}
    states = [(f["oldstate"], f["newstate"]) for f in connect.of("inet_sock_set_state", **back)]
    # The new socket inherits LISTEN, but not on all kernels the port.
    states = [state for state in states if state[0] != "LISTEN"]
    assert states[:2] == [("SYN_RECV", "ESTABLISHED"), ("ESTABLISHED", "FIN_WAIT1")]
    assert connect.of("consume_skb") and connect.of("napi_poll", budget=64)


def test_resets(done: Done) -> None:
    refused = done["refused"]
    (received,) = refused.of("tcp_receive_reset", dport=refused.facts["dport"])
    assert (received["state"], received["saddr"]) == ("SYN_SENT", "127.0.0.1")
    # Nobody listens: 6.1 does not tell of resets that no socket sends.
    without_socket = {
        "sk": "0x0",
        "saddr": "127.0.0.1",
        "daddr": "127.0.0.1",
        "sport": refused.facts["dport"],
        "dport": received["sport"],
        "family": "INET",
        "state": 0,
    }
    want = [] if done.dump.kernel == "6.1" else [without_socket]
    assert refused.of("tcp_send_reset") == want

    abort = done["abort"]
    ports = {"sport": abort.facts["sport"], "dport": abort.facts["dport"]}
    (sent,) = abort.own("tcp_send_reset", **ports)
    assert (sent["saddr"], sent["family"]) == ("127.0.0.1", "INET")
    assert abort.of("tcp_receive_reset", sport=ports["dport"], dport=ports["sport"])


def test_retransmission(done: Done) -> None:
    again = done["retransmit"].of("tcp_retransmit_skb")
    assert again
    for fields in again:
        assert (fields["dport"], fields["state"]) == (done["retransmit"].facts["dport"], "SYN_SENT")
        assert (fields["saddr"], fields["daddr"]) == ("127.0.0.1", "127.0.0.1")


def test_packets_that_found_no_room(done: Done) -> None:
    udp = done["udp"]
    lost = udp.of("udp_fail_queue_rcv_skb")
    assert 0 < len(lost) < 20
    for fields in lost:
        assert (fields["rc"], fields["sport"], fields["family"]) == (
            "-ENOMEM",
            udp.facts["port"],
            "INET",
        )
    ping = done["ping"]
    full = ping.of("sock_rcvqueue_full")
    assert full
    for fields in full:
        assert fields["rcvbuf"] == ping.facts["rcvbuf"] <= fields["rmem_alloc"]
        assert (fields["sport"], fields["protocol"]) == (ping.facts["port"], 1)
        assert fields["truesize"] > 500


def test_disk(done: Done) -> None:
    disk = done["disk"]
    written = disk.of("block_bio_queue", op="WRITE", dev=disk.facts["dev"])
    assert disk.facts["size"] in [fields["bytes"] for fields in written]
    issued = {fields["sector"] for fields in disk.of("block_rq_issue")}
    assert {fields["sector"] for fields in written} & issued


def test_ram_disk(done: Done) -> None:
    ram = done["ram disk"]
    written = ram.of("block_bio_queue", op="WRITE", dev=ram.facts["dev"], bio_based=1)
    ended = ram.of("block_bio_complete", dev=ram.facts["dev"], status="OK")
    assert sum(fields["bytes"] for fields in written) == ram.facts["size"]
    assert {fields["bio"] for fields in written} <= {fields["bio"] for fields in ended}
    assert not ram.of("block_rq_issue", dev=ram.facts["dev"])
    assert all(f["bio_based"] == 0 for f in done["disk"].of("block_bio_queue"))


def test_objects(done: Done) -> None:
    (opened,) = done["disk"].own("kmem_cache_alloc", cache="filp")
    assert opened["size"] >= 128
    # It is freed when nobody can look at it any more, so later.
    assert Step({}, done.records).of("kmem_cache_free", cache="filp", ptr=opened["ptr"])


def test_compaction(done: Done) -> None:
    compact = done["compact"]
    begun, ended = compact.own("mm_compaction_begin"), compact.own("mm_compaction_end")
    assert len(begun) == len(ended) > 0
    for one, other in zip(begun, ended, strict=True):
        assert (one["order"], one["sync"], one["gfp_flags"]) == (-1, 1, "GFP_KERNEL")
        assert one["migrate_pfn"] <= other["migrate_pfn"]
        assert other["status"] in ("COMPLETE", "PARTIAL_SKIPPED", "CONTENDED")


def test_interrupts(done: Done) -> None:
    ticks = done["ping"].of("local_timer_entry") + done["read"].of("local_timer_entry")
    assert {fields["vector"] for fields in ticks} == {0xEC}
    every = Step({}, done.records)
    assert {fields["vector"] for fields in every.of("reschedule_entry")} == {0xFD}
    assert {fields["vector"] for fields in every.of("call_function_single_entry")} == {0xFB}
    if "ipi_send_cpu" not in ABSENT.get(done.dump.kernel, ()):
        sent = every.of("ipi_send_cpu", callback="generic_smp_call_function_single_interrupt")
        assert {fields["target_cpu"] for fields in sent} == {0, 1}


def test_the_log_that_went_round(done: Done) -> None:
    prog = Program()
    prog.set_core_dump(done.dump.vmcore)
    attach_btf(prog)
    (log,) = read_dmesg(prog)
    texts = [entry.text for entry in log.entries]
    first = texts.index(next(text for text in texts if text.startswith("line ")))
    lines = done["log"].facts["lines"]
    left = len(lines) - int(texts[first].split()[1].rstrip(":"))
    # The oldest are overwritten, and all others are whole: the one that wraps, too.
    assert 100 < left < len(lines)
    assert texts[first : first + left] == lines[-left:]
    assert not any(text.startswith("line ") for text in texts[first + left :])


def calls_of(done: Done, program: str) -> list[tuple[Any, ...]]:
    """Give what a program called: name, how, and the arguments."""
    step = done[program]
    own = [r for r in step.records if r["pid"] == step.facts["child"]]
    entered = [r["fields"] for r in own if r["event"] == "sys_enter"]
    left = [r["fields"] for r in own if r["event"] == "sys_exit"]
    timed = [r["fields"] for r in own if r["event"] == "syscall_time"]
    names = [(fields["nr"], fields["compat"]) for fields in entered]
    begin = 1 + max(i for i, (name, _) in enumerate(names) if name == "execve")
    # The last one does not return.
    for returned in (left, timed):
        assert [(f["nr"], f["compat"]) for f in returned[-len(names[begin:-1]) :]] == names[
            begin:-1
        ]
    return [
        (f["nr"], f["compat"], *(int(f[f"arg{n}"], 16) for n in range(4))) for f in entered[begin:]
    ]


#: What abi.c calls by the entries of 32-bit programs: the arguments that it gives.
CALLS_32: list[tuple[Any, ...]] = [
    ("umask", 0o22),
    ("_llseek", 0xFFFFFFFF, 0x11, 0x22, 0x33),
    ("close", 0xFFFFFFFF),
    ("mmap2", 0, 0x1234000),
    ("clock_gettime64", 1),
    ("openat2", 0xFFFFFFFF, 0x10, 0x20, 0x30),
    (9999, 1, 2, 3, 4),
]


def as_32(call: tuple[Any, ...]) -> tuple[Any, ...]:
    name, *given = call
    return (name, 1, *given, *[0] * (4 - len(given)))


def test_calls_of_32_bit_programs(done: Done) -> None:
    *calls, last = calls_of(done, "abi32")
    assert calls == [as_32(call) for call in CALLS_32] * 2
    assert last[:3] == ("exit_group", 1, 0)


def test_calls_of_other_abis_by_a_64_bit_program(done: Done) -> None:
    calls = calls_of(done, "abi64")
    count = len(CALLS_32)
    assert calls[:count] == [as_32(call) for call in CALLS_32]
    x32 = 1 << 30
    every = 2**64 - 1
    assert [(*call[:3],) for call in calls[count:]] == [
        ("umask", 0, 0o22),
        ("umask", 0, 0o23),
        ("umask", 2, 0o24),
        ("ioctl", 2, every),
        (x32 | 16, 2, 0),
        (x32 | 9999, 2, 0),
        (514, 0, 0),
        (-1, 0, 0),
        ("exit_group", 0, 0),
    ]
    assert calls[count + 3][3:] == (0x5401, 0x22, 0x33)


def test_who_is_said_to_sleep_sleeps(done: Done) -> None:
    """In some kernels the tracepoint takes a task that has a signal for one that sleeps."""
    asleep: set[int] = set()
    slept = wrong = 0
    for record in done.records:
        fields, event = record["fields"], record["event"]
        if event == "sched_switch":
            wrong += fields["next_pid"] in asleep
            asleep.discard(fields["next_pid"])
            if record["pid"] and fields["prev_state"] in "SD":
                asleep.add(record["pid"])
                slept += 1
        elif event in ("sched_waking", "sched_wakeup"):
            asleep.discard(fields["pid"])
    # Of a few wakeups the kernel tells nothing.
    assert slept > 50 and wrong <= slept / 50, (slept, wrong)


def test_who_was_woken_waits_from_then_or_from_when_it_left(done: Done) -> None:
    left: dict[int, int] = {}
    compared = 0
    for record in done.records:
        if record["event"] == "sched_switch":
            left[record["pid"]] = record["ts"]
        elif record["event"] == "wakeup_delay" and record["fields"]["pid"] in left:
            assert record["fields"]["delay"] <= record["ts"] - left[record["fields"]["pid"]]
            compared += 1
    assert compared > 100


def test_timers_expire_when_they_were_asked_to(done: Done) -> None:
    """Later kernels tell when the timer wheel looks, for long times minutes later."""
    first, last = [
        (record["ts"] / 1e9, record["fields"]["expires"])
        for name, pid in (("timeout", "pid"), ("long timeout", "child"))
        for record in done[name].records
        if record["event"] == "timer_start"
        and record["pid"] == done[name].facts[pid]
        and record["fields"]["function"] == "process_timeout"
    ]
    wait = last[0] + done["long timeout"].facts["seconds"] - first[0] - 0.02
    # CONFIG_HZ is what the kernel was built with.
    assert min(abs((last[1] - first[1]) / hz - wait) for hz in (100, 250, 300, 1000)) < 0.1


def test_hotplug(done: Done) -> None:
    for name, last in (("offline", "OFFLINE"), ("online", "ONLINE")):
        step = done[name]
        steps = step.of("cpuhp_exit", cpu_id=1)
        assert steps and {fields["ret"] for fields in steps} == {0}
        entered = step.of("cpuhp_enter", cpu_id=1)
        assert {fields["target"] for fields in entered} >= {last}
        # Most steps have names.
        assert "AP_ACTIVE" in {fields["step"] for fields in entered}
        assert "sched_cpu_deactivate" in {f["function"] for f in entered} or name == "online"


#: How each delay begins: the event, and what it has in common with the delay's record.
BEGINNINGS: dict[str, tuple[tuple[str, ...], Key, Key]] = {
    "wakeup_delay": (("sched_wakeup", "sched_wakeup_new"), by_field("pid"), by_field("pid")),
    "blocked_time": (("sched_switch",), by_pid, by_field("pid")),
    "syscall_time": (("sys_enter",), by_pid, by_pid),
    "irq_time": (("irq_handler_entry",), by_cpu, by_cpu),
    "softirq_time": (("softirq_entry",), by_cpu, by_cpu),
    "block_time": (("block_rq_issue",), by_field("rq"), by_field("rq")),
    "lock_wait": (("contention_begin",), by_pid, by_pid),
}


@pytest.mark.parametrize("delay", BEGINNINGS)
def test_delays_are_the_times_between_the_events(done: Done, delay: str) -> None:
    begins, begin_key, end_key = BEGINNINGS[delay]
    begun: dict[Any, int] = {}
    pairs = []
    for record in done.records:
        if record["event"] in begins:
            begun[begin_key(record)] = record["ts"]
        elif record["event"] == delay and end_key(record) in begun:
            pairs.append((record["fields"]["delay"], record["ts"] - begun[end_key(record)]))
    assert pairs
    # Other programs of the same hooks run in between, and the guest's processors stand still
    # now and then: of a few the difference may be large.
    good = [pair for pair in pairs if abs(pair[0] - pair[1]) <= max(pair) / 4 + 300_000]
    assert len(good) >= len(pairs) / 2, pairs


def test_all_else_happened_too(done: Done) -> None:
    events = built_catalogue().events.values()
    happened = {record["event"] for record in done.records}
    never = {event.name for event in events} - happened - set(ABSENT.get(done.dump.kernel, ()))
    assert never <= UNMADE
