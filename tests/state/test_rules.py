# SPDX-License-Identifier: GPL-2.0-or-later
"""What looks wrong, in traces made by hand: each rule, and that it does not cry wolf."""

from ends import D, S, Story, lively
import pytest

from lkst.state.rules import KINDS, Suspicion, rules
from lkst.state.rules.base import rank
from lkst.state.text import state_text
from lkst.trace.facts import End, EndTask

IDLE = ("swapper/0", 0)
MUTEX = 0x20


def named(story: Story, rule: str) -> list[Suspicion]:
    return [suspicion for suspicion in story.suspicions() if suspicion.rule == rule]


def one(story: Story, rule: str) -> Suspicion:
    (found,) = named(story, rule)
    return found


def times(story: Story, suspicion: Suspicion) -> list[float]:
    trace = story.state().trace
    return [round(int(trace.ts[row]) / 1e9, 3) for row in suspicion.rows]


def test_nothing_stands_out_on_a_machine_that_is_well() -> None:
    story = Story()
    for number in range(200):
        time = 1 + number / 50
        story.switch(time, 0, IDLE, ("cat", 7))
        story.record(time + 0.001, 0, 7, "sys_enter", nr=0)
        story.record(time + 0.001, 0, 7, "block_rq_issue", rq=0x10, dev=8 << 20)
        story.record(time + 0.002, 1, 0, "block_rq_complete", rq=0x10, dev=8 << 20)
        story.record(time + 0.002, 0, 7, "contention_begin", lock=story.at("l"), flags=MUTEX)
        story.record(time + 0.003, 0, 7, "contention_end", lock=story.at("l"))
        story.record(time + 0.003, 0, 7, "sys_exit", nr=0)
        story.switch(time + 0.004, 0, ("cat", 7), IDLE, D)
        story.record(time + 0.005, 1, 0, "sched_wakeup", comm="cat", pid=7)
    story.panic(5.1, 1, 0, "somebody asked for it")
    assert story.suspicions() == []


def test_an_oops_names_the_function_that_its_report_has() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("cat", 7))
    story.record(1.1, 0, 7, "irq_handler_entry", irq=4, handler=story.at("card_irq"))
    story.record(1.2, 0, 7, "page_fault_kernel", address=0, ip=story.at("memcpy"))
    story.record(1.3, 0, 7, "oops", message="Oops: 0002 [#1]")
    story.record(1.35, 1, 9, "console", text="RIP: 0010:somebody_else+0x1/0x2")
    for line in (
        "RIP: 0010:memcpy_orig+0x10/0x20",
        "Call Trace:",
        " <IRQ>",
        " ? show_regs+0x1/0x2",
        " card_copy.constprop.0+0x12/0x30 [card]",
        " card_irq+0x2/0x30 [card]",
    ):
        story.record(1.4, 0, 7, "console", text=line)
    story.panic(1.5, 0, 7, "Fatal exception in interrupt")
    found = one(story, "fault")
    assert found.culprit == "card_copy"
    assert "in irq card_irq of cat:7 on CPU 0" in found.text
    assert times(story, found) == [1.2, 1.3]
    assert story.suspicions()[0] == found


def test_a_function_of_a_module_is_no_helper_whatever_its_name() -> None:
    story = Story()
    story.record(1, 0, 7, "oops", message="Oops: 0000 [#1]")
    story.record(1, 0, 7, "console", text="RIP: 0010:memcpy_show+0x10/0x20 [card]")
    story.record(1, 0, 7, "console", text=" dev_attr_show+0x10/0x20")
    assert one(story, "fault").culprit == "memcpy_show"


@pytest.mark.parametrize(
    ("panic", "kind"), [("kernel: panic_on_warn set ...", "fault"), ("NMI", "oddity")]
)
def test_a_warning_is_a_fault_if_it_was_deadly(panic: str, kind: str) -> None:
    story = Story()
    story.record(1, 0, 7, "warn", message="WARNING: CPU: 0 PID: 7 at lib/refcount.c:25")
    story.record(1.1, 0, 7, "console", text="RIP: 0010:refcount_warn_saturate+0x9b/0x110")
    story.record(1.2, 0, 7, "console", text=" get_it+0x20/0x30 [card]")
    story.panic(1.3, 0, 7, panic)
    found = one(story, "fault")
    assert (found.culprit, found.kind) == ("get_it", kind)


def test_kfence_names_the_function_itself() -> None:
    story = Story()
    text = "BUG: KFENCE: use-after-free read in release_it+0x12/0x30"
    story.record(1, 0, 7, "kfence", message=text)
    assert one(story, "fault").culprit == "release_it"


def locked(story: Story, time: float, task: tuple[str, int], lock: str, owner: int = 0) -> None:
    cpu = task[1] % 2
    story.record(
        time, cpu, task[1], "contention_begin", lock=story.at(lock), flags=MUTEX, owner=owner
    )
    story.switch(time + 0.001, cpu, task, (f"swapper/{cpu}", 0), D)


def test_a_cycle_of_three() -> None:
    story = Story()
    locked(story, 1, ("a", 11), "one", owner=12)
    locked(story, 2, ("b", 12), "two", owner=13)
    locked(story, 3, ("c", 13), "three", owner=11)
    locked(story, 3.5, ("d", 14), "one", owner=12)
    lively(story, 1, 4, 6)
    found = one(story, "deadlock")
    for task, lock in (("a:11", "one"), ("b:12", "two"), ("c:13", "three")):
        assert f"{task} waits for {lock}" in found.text
    assert "d:14" not in found.text
    assert times(story, found) == [1, 2, 3]
    assert named(story, "lock-holder") == []
    assert story.suspicions()[0] == found


def test_a_short_cycle_is_not_a_deadlock() -> None:
    story = Story()
    locked(story, 1, ("a", 11), "one", owner=12)
    locked(story, 2, ("b", 12), "two", owner=11)
    lively(story, 1, 2, 2.3)
    assert named(story, "deadlock") == []


@pytest.mark.parametrize("dumped", [False, True])
def test_a_wait_whose_end_may_be_lost_needs_the_dump(dumped: bool) -> None:
    story = Story(nr_slots=64)
    locked(story, 1, ("b", 12), "door", owner=9)
    lively(story, 1, 2, 5)
    if dumped:
        story.end = End(waiting=[EndTask(12, "b", D)])
    assert [s.culprit for s in named(story, "lock-holder")] == ["?:9"] * dumped


def test_who_holds_all_up_is_followed_from_lock_to_lock() -> None:
    story = Story()
    story.switch(0.5, 0, ("keeper", 9), IDLE, S)
    locked(story, 1, ("a", 11), "inner", owner=9)
    for number in range(3):
        locked(story, 1.5 + number / 10, ("w", 20 + number), "outer", owner=11)
    lively(story, 1, 4, 6)
    found = one(story, "lock-holder")
    assert found.culprit == "keeper:9"
    assert "asleep" in found.text
    assert found.kind == "holder"


def test_a_lock_whose_owner_is_not_known_is_named_itself() -> None:
    story = Story()
    locked(story, 1, ("a", 11), "door")
    lively(story, 1, 4, 6)
    assert one(story, "lock-holder").culprit == "door"


def test_short_waits_are_no_suspicion() -> None:
    story = Story()
    locked(story, 1, ("a", 11), "door", owner=9)
    story.record(1.1, 1, 0, "softirq_raise", vec=1)
    assert story.suspicions() == []


def test_a_handler_that_does_not_end() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("cat", 7))
    story.record(1.1, 0, 7, "softirq_entry", vec=1)
    story.record(1.2, 0, 7, "timer_expire_entry", timer=1, function=story.at("endless"))
    lively(story, 0, 1.3, 3, pid=7)
    found = one(story, "handler")
    assert (found.culprit, times(story, found)) == ("endless", [1.2])


def stuck(story: Story, until: float = 4) -> None:
    story.switch(1, 0, IDLE, ("looper", 7))
    story.record(1.1, 0, 7, "sys_enter", nr=1)
    lively(story, 1, 1, until)


def test_a_cpu_that_takes_no_interrupts() -> None:
    story = Story()
    stuck(story)
    found = one(story, "stuck-cpu")
    assert found.culprit == "looper:7"
    assert found.since == 1_100_000_000
    assert "nothing for 2.9 s" in found.text


def test_a_cpu_that_took_none_until_it_was_asked() -> None:
    story = Story()
    stuck(story)
    story.panic(4, 0, 7, "NMI: Not continuing")
    assert one(story, "stuck-cpu").culprit == "looper:7"


def test_all_standing_still_is_no_cpu_s_fault() -> None:
    story = Story()
    stuck(story, until=1.2)
    story.record(4, 1, 0, "softirq_raise", vec=1)
    story.record(4, 0, 7, "sys_exit", nr=1)
    assert named(story, "stuck-cpu") == []


def test_a_task_that_does_not_let_go_of_its_cpu() -> None:
    story = Story()
    stuck(story)
    lively(story, 0, 1.2, 4, pid=7)
    # It may copy much memory.
    assert story.suspicions() == []
    lively(story, 1, 4, 12)
    lively(story, 0, 4, 12, pid=7)
    found = one(story, "stuck-cpu")
    assert (found.culprit, found.kind) == ("looper:7", "holder")


def test_a_task_that_does_not_let_others_have_its_cpu() -> None:
    story = Story()
    stuck(story)
    story.record(2, 1, 0, "sched_wakeup", comm="poor", pid=8, prio=120, target_cpu=0)
    lively(story, 0, 1.2, 4, pid=7)
    found = one(story, "stuck-cpu")
    assert (found.culprit, found.kind) == ("looper:7", "holder")
    assert "1 task waits for the CPU" in found.text


def test_a_silence_that_is_long_over_is_nobody_s_fault() -> None:
    story = Story()
    stuck(story)
    story.record(4, 0, 7, "console", text="it prints for long")
    story.record(5, 0, 7, "console", text="and goes on")
    lively(story, 1, 4, 5)
    assert one(story, "stuck-cpu").culprit == "looper:7"
    lively(story, 0, 5, 6, pid=7)
    lively(story, 1, 5, 6)
    assert story.suspicions() == []


def test_silence_says_nothing_if_no_tick_is_recorded() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("looper", 7))
    story.record(1.1, 0, 7, "sys_enter", nr=1)
    for number in range(80):
        story.record(1.2 + number / 20, 1, 8, "sys_exit", nr=0)
    assert story.suspicions() == []


def complaint(story: Story, time: float) -> None:
    text = "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [looper:7]"
    story.record(time, 0, 7, "soft_lockup", message=text)


def test_the_kernel_s_complaint_names_who_runs_then() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("looper", 7))
    lively(story, 1, 1, 2)
    complaint(story, 2)
    assert one(story, "stuck-cpu").culprit == "looper:7"


@pytest.mark.parametrize("after", ["sys_exit", "switch"])
def test_a_complaint_is_over_when_its_task_goes_on(after: str) -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("looper", 7))
    complaint(story, 2)
    if after == "switch":
        story.switch(3, 0, ("looper", 7), ("innocent", 9))
    else:
        story.record(3, 0, 7, "sys_exit", nr=1)
    lively(story, 1, 3, 3.2)
    assert story.suspicions() == []


def test_a_handler_whose_end_may_be_missing_needs_the_dump() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("cat", 7))
    story.record(1.1, 0, 7, "irq_handler_entry", irq=4, handler=story.at("card_irq"))
    seq = story.made.record(0, 1_300_000_000, 7, "softirq_raise", vec=1)
    lively(story, 0, 1.4, 3, pid=7)
    assert one(story, "handler").culprit == "card_irq"
    # A slot of another sequence number than its place can have.
    story.made.slot(0, seq, b"\xff" * 56)
    start = seq % story.made.nr_slots * 64
    story.made.rings[start : start + 6] = (seq + 1).to_bytes(6, "little")
    assert named(story, "handler") == []
    story.end = End(current={0: EndTask(7, "cat")}, cpu_stack=lambda cpu: ("card_irq+0x2",))
    assert one(story, "handler").culprit == "card_irq"


def test_a_program_that_only_computes_is_not_stuck() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("looper", 7))
    lively(story, 0, 1.2, 4, pid=7)
    assert story.suspicions() == []


def test_who_spins_is_not_who_holds() -> None:
    story = Story()
    stuck(story)
    story.switch(1, 1, ("swapper/1", 0), ("wanter", 8))
    lively(story, 0, 1.2, 4, pid=7)
    story.record(1.1, 1, 8, "sys_enter", nr=1)
    lively(story, 1, 4, 5, pid=8)
    lively(story, 0, 4, 5, pid=7)
    story.end = End(
        current={0: EndTask(7, "looper"), 1: EndTask(8, "wanter")},
        cpu_stack=lambda cpu: (
            (("native_queued_spin_lock_slowpath+0x1", "_raw_spin_lock+0x2", "want_it+0x3"),)[0]
            if cpu
            else ("keep_it+0x1", "vfs_write+0x2")
        ),
    )
    holder, waiter = story.suspicions()[:2]
    assert (holder.culprit, holder.kind) == ("looper:7", "holder")
    assert "in keep_it according to the dump" in holder.text
    assert (waiter.culprit, waiter.kind) == ("wanter:8", "waiter")
    assert "in want_it according to the dump" in waiter.text


def test_a_device_that_answers_no_more() -> None:
    story = Story()
    for number in range(3):
        story.record(1 + number, 0, 7, "block_rq_issue", rq=0x10 + number, dev=8 << 20 | 16)
    story.record(1.5, 1, 0, "block_rq_complete", rq=0x10, dev=8 << 20 | 16)
    story.record(3.1, 0, 7, "block_rq_issue", rq=0x99, dev=9 << 20)
    story.record(3.2, 1, 0, "block_rq_complete", rq=0x99, dev=9 << 20)
    story.switch(3.3, 0, ("dd", 7), IDLE, D)
    story.record(5, 1, 0, "softirq_raise", vec=1)
    found = one(story, "dead-device")
    assert (found.culprit, found.kind) == ("8:16", "holder")
    assert "2 I/Os of device 8:16" in found.text
    assert "dd:7" in found.text
    assert times(story, found) == [1.5, 2, 3]


@pytest.mark.parametrize(
    ("others", "end", "dead"), [(4, 5.2, False), (4, 6, True), (12, 13.2, True)]
)
def test_a_device_that_takes_its_time(others: int, end: float, dead: bool) -> None:
    story = Story()
    story.record(1, 0, 7, "block_rq_issue", rq=0x10, dev=8 << 20)
    for number in range(others):
        story.record(1.9 + number, 0, 7, "block_rq_issue", rq=0x20, dev=8 << 20)
        story.record(2 + number, 1, 0, "block_rq_complete", rq=0x20, dev=8 << 20)
    story.record(end, 1, 0, "softirq_raise", vec=1)
    # It is dead once nothing comes back, or if it never looks at a request.
    assert len(named(story, "dead-device")) == dead


@pytest.mark.parametrize(("usual", "dead"), [(0.2, True), (0.9, False)])
def test_a_device_that_is_always_slow(usual: float, dead: bool) -> None:
    story = Story()
    story.record(1, 0, 7, "block_bio_queue", bio=0x10, dev=8 << 20, bio_based=1)
    story.record(1 + usual, 1, 0, "block_bio_complete", bio=0x10, dev=8 << 20)
    story.record(2, 0, 7, "block_bio_queue", bio=0x10, dev=8 << 20, bio_based=1)
    story.record(4, 1, 0, "softirq_raise", vec=1)
    assert len(named(story, "dead-device")) == dead


def test_a_request_that_was_merged_into_another_one() -> None:
    story = Story()
    place = {"dev": 8 << 20, "bytes": 4096}
    story.record(1, 0, 7, "block_rq_insert", rq=0x10, sector=8, **place)
    story.record(1.1, 0, 7, "block_rq_insert", rq=0x20, sector=16, **place)
    story.record(1.2, 0, 7, "block_rq_insert", rq=0x30, sector=32, **place)
    both = {"dev": 8 << 20, "bytes": 8192}
    story.record(1.3, 0, 7, "block_rq_issue", rq=0x10, sector=8, **both)
    story.record(1.4, 1, 0, "block_rq_complete", rq=0x10, sector=8, **both)
    story.record(4, 1, 0, "softirq_raise", vec=1)
    assert [p.since for p in story.state().pending] == [1_200_000_000]


def table_of_tasks(story: Story, *rows: str) -> None:
    story.record(8, 0, 5, "console", text="[  pid  ]   uid  tgid total_vm      rss name")
    for row in rows:
        story.record(8, 0, 5, "console", text=row)


def test_who_has_the_memory_when_it_runs_out() -> None:
    story = Story()
    for number in range(50):
        story.record(1 + number / 10, 1, 7, "page_fault_user", error=6)
    table_of_tasks(
        story,
        "[     12]     0    12    16000     9000     0  131072        0             0 victim",
        "[      7]     0     7    40000    30000    26  389120        0             0 big one",
        "[     99]     0    99    40000      900   -17    0  0  389120        0         -1000 sshd",
    )
    story.panic(9, 0, 12, "Out of memory: compulsory panic_on_oom is enabled")
    found = one(story, "memory-hog")
    assert found.culprit == '"big one":7'
    assert "117 MiB" in found.text
    assert "50 pages" in found.text


@pytest.mark.parametrize(("unreclaimable", "ram"), [(50000, 65394), (50000, 3000), (100, 65394)])
def test_memory_that_no_task_has(unreclaimable: int, ram: int) -> None:
    story = Story()
    text = f"active_anon:38\n slab_reclaimable:507 slab_unreclaimable:{unreclaimable}\n shmem:94\n"
    story.record(8, 0, 5, "console", text=text)
    story.record(8, 0, 5, "console", text=f"{ram} pages RAM")
    row = "[     12]     0    12    16000     900     0  131072        0             0 innocent"
    table_of_tasks(story, row)
    story.panic(9, 0, 12, "Out of memory: compulsory panic_on_oom is enabled")
    found = one(story, "memory-hog")
    if unreclaimable == 50000 and ram > 50000:
        assert found.culprit == "slab_unreclaimable"
        assert "tasks have 3 of 255 MiB, slab_unreclaimable 195 MiB" in found.text
    else:
        assert found.culprit == "innocent:12"


def test_many_small_tasks_of_one_name_together() -> None:
    story = Story()
    row = "[{:>7}]     0 {:>5}    40000 {:>8}    26  389120        0             0 {}"
    bombs = [row.format(pid, pid, 2000, "bomb") for pid in range(100, 140)]
    others = [row.format(pid, pid, 9000, f"other{pid}") for pid in range(200, 230)]
    table_of_tasks(story, row.format(7, 7, 30000, "cache"), *others, *bombs)
    story.panic(9, 0, 12, "Out of memory: compulsory panic_on_oom is enabled")
    found = one(story, "memory-hog")
    assert found.culprit == "bomb:100"
    assert "39 others of that name have 312 MiB" in found.text


def faulting() -> Story:
    """Let a task ask for many pages."""
    story = Story()
    for number in range(50):
        story.record(1 + number / 10, 1, 7 if number % 5 else 8, "page_fault_user", error=6)
    return story


def test_who_took_it_when_the_kernel_does_not_say() -> None:
    story = faulting()
    story.record(7, 0, 3, "mark_victim", comm="x", pid=9)
    found = one(story, "memory-hog")
    assert found.culprit.endswith(":7")
    assert found.text.startswith("out of memory")


def test_memory_that_ran_out_long_ago() -> None:
    story = faulting()
    story.record(7, 0, 3, "mark_victim", comm="x", pid=9)
    story.record(18, 0, 3, "sys_exit", nr=1)
    assert story.suspicions() == []


def test_memory_that_ran_out_in_a_cgroup_only() -> None:
    story = faulting()
    story.record(7, 0, 3, "mark_victim", comm="x", pid=9)
    text = "Memory cgroup out of memory: Killed process 9 (x) total-vm:1kB, anon-rss:1kB"
    story.record(7.1, 0, 3, "console", text=text)
    assert story.suspicions() == []


@pytest.mark.parametrize(("freed", "when"), [(0, 7), (32, 7), (0, 5)])
def test_memory_is_short_if_nothing_can_be_freed(freed: int, when: float) -> None:
    story = faulting()
    for number in range(20):
        end = {"nr_reclaimed": freed}
        story.record(when + number / 100, 0, 3, "mm_vmscan_direct_reclaim_end", **end)
    story.record(7.3, 0, 3, "sys_exit", nr=1)
    found = named(story, "memory-hog")
    if freed or when < 7:
        # It is freed, or was short once.
        assert found == []
    else:
        assert [s.text.split(":")[0] for s in found] == ["memory is short"]


def test_forks_whose_children_stay() -> None:
    story = Story()
    for number in range(120):
        time = 1 + number / 100
        child = {"child_comm": "kid", "child_pid": 100 + number, "child_tgid": 100 + number}
        story.record(time, 0, 7, "sched_process_fork", comm="bomb", **child)
        # A shell's children come and go.
        other = {"child_comm": "ls", "child_pid": 500 + number, "child_tgid": 500 + number}
        story.record(time, 1, 8, "sched_process_fork", comm="shell", **other)
        story.record(time + 0.001, 1, 500 + number, "sched_process_exit", comm="ls")
        # Threads are none.
        story.record(
            time, 0, 9, "sched_process_fork", comm="pool", child_pid=900 + number, child_tgid=9
        )
    assert [s.culprit for s in named(story, "fork-storm")] == ["bomb:7"]
    # It has made all that it wants.
    story.record(5.2, 1, 0, "softirq_raise", vec=1)
    assert named(story, "fork-storm") == []


def test_interrupts_without_end() -> None:
    story = Story()
    handler = story.at("card_irq")
    for number in range(600):
        story.record(1 + number / 1000, 0, 0, "irq_handler_entry", irq=4, handler=handler)
        story.record(1 + number / 1000 + 0.0007, 0, 0, "irq_handler_exit", irq=4)
        story.record(1 + number / 1000, 1, 0, "irq_handler_entry", irq=5, handler=story.at("ok"))
        story.record(1 + number / 1000 + 0.0001, 1, 0, "irq_handler_exit", irq=5)
    found = one(story, "irq-storm")
    assert found.culprit == "card_irq"
    assert "used 70% of" in found.text


def test_one_slow_interrupt_is_no_storm() -> None:
    story = Story()
    story.record(1, 1, 0, "softirq_raise", vec=1)
    story.record(4.85, 0, 0, "irq_handler_entry", irq=3, handler=story.at("slow"))
    story.record(4.95, 0, 0, "irq_handler_exit", irq=3)
    story.panic(5, 1, 0, "x")
    assert story.suspicions() == []


def softirqs(length: float, cpus: int = 1, preempted: float = 1) -> Story:
    """Let a softirq come 200 times in a second."""
    story = Story()
    for number in range(200):
        time, cpu = 1 + number / 200, number % cpus
        story.record(time, cpu, 0, "softirq_entry", vec=3)
        if preempted < length:
            story.switch(time + preempted, cpu, ("ksoftirqd", 17), ("fast", 7))
        story.record(time + length, cpu, 0, "softirq_exit", vec=3)
    return story


def test_softirqs_without_end() -> None:
    found = one(softirqs(0.0045), "irq-storm")
    assert found.culprit == "NET_RX"
    assert "used 90% of CPU 0" in found.text


@pytest.mark.parametrize(
    "story",
    [softirqs(0.003), softirqs(0.0045, cpus=2), softirqs(0.0045, preempted=0.001)],
    ids=["much to do", "shared", "preempted"],
)
def test_softirqs_that_do_their_work(story: Story) -> None:
    assert story.suspicions() == []


@pytest.mark.parametrize("handled", [0, 1])
def test_interrupts_that_are_nobody_s(handled: int) -> None:
    story = Story(nr_slots=1 << 16)
    for number in range(11_000):
        time = 1 + number / 22_000
        story.record(time, 0, 0, "irq_handler_entry", irq=4, handler=story.at("card_irq"))
        story.record(time + 0.00001, 0, 0, "irq_handler_exit", irq=4, handled=handled)
    assert [s.culprit for s in named(story, "irq-storm")] == ["card_irq"] * (not handled)


def test_a_module_that_panics_itself() -> None:
    story = Story()
    story.panic(3, 0, 7, "I give up")
    for text in ("Call Trace:", " dump_stack_lvl+0x1/0x2", " panic+0x1/0x2"):
        story.record(3.1, 0, 7, "console", text=text)
    story.record(3.1, 0, 7, "console", text=" give_up.cold+0x1/0x2 [card]")
    assert one(story, "module-panic").culprit == "give_up"


def test_the_kernel_s_own_detectors_are_not_to_blame() -> None:
    story = Story()
    story.panic(3, 0, 7, "hung_task: blocked tasks")
    for text in (" panic+0x1/0x2", " watchdog+0x1/0x2", " later+0x1/0x2 [card]"):
        story.record(3.1, 0, 7, "console", text=text)
    assert story.suspicions() == []


def test_signals_without_end() -> None:
    story = Story()
    for number in range(2500):
        story.record(1 + number / 5000, 0, 7, "signal_generate", comm="x", pid=9, sig=10)
    story.record(1.4, 1, 8, "signal_generate", comm="x", pid=9, sig=10)
    for number in range(2500):
        # A timer's, and one that a program sends itself.
        own = {"pid": 5, "sig": 27, "code": -2}, {"pid": 4, "sig": 23, "code": -6}
        story.record(1 + number / 5000, 1, 4, "signal_generate", comm="x", **own[number % 2])
    assert [s.culprit for s in named(story, "signal-storm")] == ["?:7"]


def test_who_had_a_hand_in_the_end_of_init() -> None:
    story = Story()
    story.record(1, 0, 7, "sys_enter", nr=101, arg0=16, arg1=1)
    story.record(1, 1, 8, "sys_enter", nr=101, arg0=16, arg1=9)
    story.record(2, 0, 1, "signal_generate", comm="init", pid=1, sig=4)
    story.panic(3, 0, 1, "Attempted to kill init! exitcode=0x00000004")
    found = one(story, "init-killed")
    assert found.culprit == "?:7"
    assert "ptrace" in found.text
    assert times(story, found) == [1, 2, 3]


def test_init_that_ends_by_itself() -> None:
    story = Story()
    story.syscalls |= {62: "kill", 434: "pidfd_open"}
    # It is told that a child has ended, and asked whether it is there.
    story.record(1, 0, 7, "signal_generate", comm="init", pid=1, sig=17)
    story.record(1, 0, 8, "sys_enter", nr=62, arg0=1, arg1=0)
    story.record(1, 0, 9, "sys_enter", nr=434, arg0=1, arg1=0)
    story.panic(3, 0, 1, "Attempted to kill init! exitcode=0x00000100")
    assert one(story, "init-killed").culprit.endswith(":1")


def test_tasks_in_d_state_at_one_place_are_told_together() -> None:
    story = Story()
    for pid in (7, 9, 11):
        story.switch(1 + pid / 100, 1, ("dd", pid), ("swapper/1", 0), D)
    story.switch(1, 1, ("nap", 20), ("swapper/1", 0), S)
    story.record(4, 0, 0, "softirq_raise", vec=1)
    found = one(story, "blocked")
    assert (found.culprit, found.kind) == ("dd:7", "waiter")
    assert "dd:9" in found.text
    assert "nap" not in found.text


def test_who_waits_for_the_program_of_its_child_is_not_blocked() -> None:
    story = Story()
    story.record(1, 0, 7, "sys_enter", nr=58)
    story.record(
        1.1, 0, 7, "sched_process_fork", comm="sh", child_comm="sh", child_pid=8, child_tgid=8
    )
    story.switch(1.2, 0, ("sh", 7), IDLE, D)
    story.record(4, 1, 0, "softirq_raise", vec=1)
    assert story.suspicions() == []
    # A child that it made before is no reason to wait.
    story.switch(4.1, 0, IDLE, ("sh", 7))
    story.record(4.2, 0, 7, "sys_exit", nr=58)
    story.record(4.3, 0, 7, "sys_enter", nr=1)
    story.switch(4.4, 0, ("sh", 7), IDLE, D)
    story.record(6, 1, 0, "softirq_raise", vec=1)
    assert one(story, "blocked").culprit == "sh:7"


def starving(prio: int) -> Story:
    """Let a task with some priority have a CPU that another one waits for."""
    story = Story()
    story.record(0.9, 1, 0, "sched_wakeup", comm="greedy", pid=7, prio=prio, target_cpu=0)
    story.switch(0.95, 0, IDLE, ("greedy", 7))
    story.record(1, 1, 0, "sched_wakeup", comm="poor", pid=8, prio=120, target_cpu=0)
    lively(story, 0, 1.2, 4, pid=7)
    return story


def test_who_starves_others() -> None:
    found = one(starving(prio=49), "starved")
    assert found.culprit == "greedy:7"
    assert "poor:8" in found.text
    assert "real-time tasks used 100% of that time, most of it greedy:7, priority 50" in found.text


def test_who_has_a_deadline_may_starve_others_too() -> None:
    assert "greedy:7, a deadline task" in one(starving(prio=-1), "starved").text


def test_who_is_only_nicer_than_others_is_not_starved() -> None:
    assert starving(prio=100).suspicions() == []


def test_who_is_left_a_part_of_each_second_is_not_starved() -> None:
    story = starving(prio=49)
    for second in (1, 2, 3):
        story.switch(second + 0.95, 0, ("greedy", 7), ("lucky", 9))
        story.switch(second + 0.995, 0, ("lucky", 9), ("greedy", 7))
    assert story.suspicions() == []


def test_who_starved_others_until_a_moment_ago_is_named() -> None:
    story = starving(prio=49)
    story.switch(3.99, 0, ("greedy", 7), ("migration/0", 12))
    assert one(story, "starved").culprit == "greedy:7"


@pytest.mark.parametrize(
    "runnable",
    [
        [EndTask(7, "greedy", prio=49), EndTask(8, "poor", prio=120, throttled=True)],
        [EndTask(7, "greedy", prio=49)],
        [EndTask(7, "greedy", prio=120), EndTask(8, "poor", prio=120)],
    ],
    ids=["throttled", "not waiting", "no longer real-time"],
)
def test_the_dump_knows_who_could_run_and_how(runnable: list[EndTask]) -> None:
    story = starving(prio=49)
    story.end = End(runnable=runnable)
    assert story.suspicions() == []


def test_a_task_that_was_moved_is_starved_elsewhere() -> None:
    story = starving(prio=49)
    story.record(1.5, 1, 0, "sched_migrate_task", comm="poor", pid=8, orig_cpu=0, dest_cpu=1)
    assert story.suspicions() == []
    assert story.state().tasks[8].cpu == 1


def test_a_frozen_task_is_not_blocked() -> None:
    story = Story()
    story.switch(1, 1, ("cold", 7), ("swapper/1", 0), 0x8000)
    story.record(4, 0, 0, "softirq_raise", vec=1)
    assert story.suspicions() == []
    assert story.state().tasks[7].letter == "F"


def test_a_work_item_that_never_ends() -> None:
    story = Story()
    story.record(1, 0, 7, "workqueue_execute_start", work=1, function=story.at("flush_all"))
    story.switch(1.1, 0, ("kworker/0:1", 7), IDLE, S)
    story.record(1.5, 1, 3, "workqueue_queue_work", work=2, function=story.at("other"))
    story.record(3, 1, 3, "softirq_raise", vec=1)
    found = one(story, "endless-work")
    assert (found.culprit, found.kind) == ("flush_all", "holder")
    assert "1 work items queued since" in found.text


def working(queued: float) -> Story:
    story = Story()
    story.record(1, 0, 7, "workqueue_execute_start", work=1, function=story.at("write_back"))
    story.record(queued, 1, 3, "workqueue_queue_work", work=2, function=story.at("other"))
    story.record(3, 1, 3, "softirq_raise", vec=1)
    return story


def test_a_work_item_that_keeps_nobody_waiting() -> None:
    story = working(queued=2.9)
    assert story.suspicions() == []
    story.switch(1.5, 1, ("sync", 8), ("swapper/1", 0), D)
    assert one(story, "endless-work").kind == "holder"
    # It waits for a disk.
    story.end = End(waiting=[EndTask(8, "sync", D)], task_stack=lambda pid: ("io_schedule+0x1",))
    assert named(story, "endless-work") == []
    story.end.task_stack = lambda pid: ("__schedule+0x1", "__flush_work.isra.0+0x2")
    assert one(story, "endless-work").kind == "holder"


def test_every_suspicion_is_of_a_rule_and_a_kind_that_is_known() -> None:
    story = Story()
    stuck(story)
    locked(story, 1.3, ("a", 11), "door", owner=9)
    lively(story, 1, 4, 5)
    found = story.suspicions()
    assert len(found) >= 3
    assert [KINDS.index(s.kind) for s in found] == sorted(KINDS.index(s.kind) for s in found)
    assert {s.rule for s in found} <= set(rules())


@pytest.mark.parametrize("reverse", [False, True])
def test_rank(reverse: bool) -> None:
    light = Suspicion("r", "holder", "a", "", 0, (), 1)
    heavy = Suspicion("r", "holder", "b", "", 0, (), 2)
    fault = Suspicion("q", "fault", "c", "", 0, (), -5)
    again = Suspicion("q", "waiter", "b", "", 0, (), 99)
    given = [light, heavy, fault, again]
    assert rank(given[::-1] if reverse else given) == [fault, heavy, light]


def hotplug(story: Story, time: float, cpu: int, by: int, target: int, ret: int = 0) -> None:
    """Let a CPU's thread, and then another CPU, take a step of CPU hotplug."""
    for number, writer in enumerate((cpu, by)):
        fields = {"cpu_id": cpu, "step": 200 - number}
        at = time + number / 100
        story.record(at, writer, 20 + writer, "cpuhp_enter", target=target, **fields)
        story.record(at + 0.001, writer, 20 + writer, "cpuhp_exit", state=0, ret=ret, **fields)


def left_in_a_call(story: Story) -> None:
    story.switch(1, 1, ("swapper/1", 0), ("looper", 7))
    story.record(1.1, 1, 7, "sys_enter", nr=1)


def test_a_cpu_that_was_taken_offline_is_not_accused() -> None:
    story = Story()
    left_in_a_call(story)
    hotplug(story, 1.2, 1, 0, target=0)
    lively(story, 0, 1.5, 6)
    assert story.suspicions() == []
    cpu = story.state().cpus[1]
    assert (cpu.offline, cpu.since, cpu.task) == (True, 1_201_000_000, None)


@pytest.mark.parametrize(
    ("target", "ret", "by"), [(200, 0, 0), (0, -16, 0), (0, 0, 1)], ids=["up", "refused", "midway"]
)
def test_a_cpu_that_did_not_go_is_accused(target: int, ret: int, by: int) -> None:
    story = Story()
    left_in_a_call(story)
    hotplug(story, 1.2, 1, by, target, ret)
    story.record(1.3, 1, 7, "sys_enter", nr=1)
    lively(story, 0, 1.5, 6)
    assert one(story, "stuck-cpu").culprit == "looper:7"
    assert not story.state().cpus[1].offline


def test_the_dump_has_the_last_word_on_which_cpus_were_online() -> None:
    story = Story()
    left_in_a_call(story)
    lively(story, 0, 1.5, 6)
    assert one(story, "stuck-cpu").culprit == "looper:7"
    story.end = End(current={0: EndTask(0, "swapper/0")}, offline=frozenset({1}))
    assert story.suspicions() == []
    assert story.state().cpus[1].since == 1_100_000_000
    # The CPU that panicked was there, whatever else is damaged.
    story.end.panic_cpu = 1
    assert not story.state().cpus[1].offline


def test_a_cpu_without_a_tick_may_be_silent() -> None:
    story = Story()
    story.switch(1, 1, ("swapper/1", 0), ("looper", 7))
    lively(story, 0, 1.2, 4)
    lively(story, 1, 1.2, 1.5, pid=7)
    lively(story, 0, 4, 5)
    # Only the dump tells whether there was one.
    assert story.suspicions() == []
    story.end = End(current={1: EndTask(7, "looper")})
    assert "not even a tick" in one(story, "stuck-cpu").text
    story.end = End(current={1: EndTask(7, "looper")}, tickless=frozenset({1}))
    assert story.suspicions() == []


def test_cpus_that_were_never_up_share_a_line() -> None:
    story = Story(nr_cpus=8)
    lively(story, 0, 1, 2)
    lively(story, 1, 1, 2)
    story.end = End(current={0: EndTask(0, "swapper/0")}, offline=frozenset(range(2, 8)))
    text = "".join(state_text(story.state(), []))
    assert "\nCPU 2-7  offline\n" in text
    assert "CPU 3 " not in text
