# SPDX-License-Identifier: GPL-2.0-or-later
"""What tasks waited for, in traces made by hand."""

from ends import PREEMPTED, D, S, Story, lively
import pytest

from lkst.abi.layout import HANDLERS
from lkst.trace.event_table import ends_are_recorded
from lkst.trace.facts import End, EndTask

IDLE = ("swapper/0", 0)
MUTEX, SPIN, READ = 0x20, 0x01, 0x02


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (0, ("runnable", "R")),
        (PREEMPTED | S, ("runnable", "R+")),
        (S, ("blocked", "S")),
        (D, ("blocked", "D")),
        (0x402, ("blocked", "I")),
        (0x80, ("dead", "X")),
    ],
)
def test_where_the_last_switch_has_left_it(state: int, told: tuple[str, str]) -> None:
    story = Story()
    story.switch(1, 0, ("cat", 7), IDLE, state)
    task = story.state().tasks[7]
    assert (task.state, task.letter) == told
    assert task.since == 1_000_000_000


def test_woken_and_not_yet_running() -> None:
    story = Story()
    story.switch(1, 0, ("cat", 7), IDLE, D)
    story.record(2, 1, 5, "sched_wakeup", comm="cat", pid=7, target_cpu=1)
    task = story.state().tasks[7]
    assert (task.state, task.letter, task.since, task.cpu) == ("runnable", "", 2_000_000_000, 1)
    story.switch(3, 1, ("sh", 5), ("cat", 7))
    assert story.state().tasks[7].state == "running"


def test_left_its_cpu_without_a_record() -> None:
    story = Story()
    story.switch(1, 0, ("sh", 5), ("cat", 7))
    assert story.state().tasks[7].state == "running"
    story.switch(2, 0, ("dd", 8), ("sh", 5))
    assert story.state().tasks[7].state == "unknown"
    story.record(3, 0, 5, "sched_wakeup", comm="cat", pid=7, target_cpu=1)
    assert story.state().tasks[7].state == "runnable"
    story.switch(4, 0, ("sh", 5), ("cat", 7))
    assert story.state().tasks[7].state == "running"


def test_a_wakeup_before_it_went_to_sleep_does_not_count() -> None:
    story = Story()
    story.record(0.5, 1, 5, "sched_wakeup", comm="cat", pid=7)
    story.switch(1, 0, ("cat", 7), IDLE, D)
    assert story.state().tasks[7].state == "blocked"


def test_gone() -> None:
    story = Story()
    story.record(1, 0, 7, "sys_enter", nr=1)
    story.record(2, 0, 7, "sched_process_exit", comm="cat")
    story.switch(3, 0, ("cat", 7), IDLE, 0x80)
    task = story.state().tasks[7]
    assert (task.state, task.contexts) == ("dead", [])


def test_a_task_that_somebody_else_has_replaced_is_not_said_to_run() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("cat", 7))
    story.record(2, 0, 9, "sys_enter", nr=1)
    tasks = story.state().tasks
    assert tasks[7].state == "unknown"
    assert tasks[9].state == "running"


def test_numbers_of_32_bit_programs_are_not_taken_for_others() -> None:
    story = Story()
    story.record(1, 0, 7, "sys_enter", nr=1, compat=1)
    (call,) = story.state().tasks[7].contexts
    assert call.name == "1"


def test_what_was_before_all_cpus_have_records_is_doubtful() -> None:
    story = Story(nr_slots=16)
    story.switch(1, 0, ("cat", 7), IDLE, D)
    for number in range(40):
        story.record(5 + number / 100, 1, 9, "sys_exit", nr=number)
    state = story.state()
    assert not state.tasks[7].certain
    assert state.begin > 5_000_000_000


def waiting(story: Story, time: float, comm: str, pid: int, lock: str, **fields: object) -> None:
    story.record(time, 0, pid, "contention_begin", lock=story.at(lock), flags=MUTEX, **fields)
    story.switch(time + 0.001, 0, (comm, pid), IDLE, D)


def test_the_owner_that_a_lock_names() -> None:
    story = Story()
    story.record(0.5, 1, 3, "contention_end", lock=story.at("door"))
    waiting(story, 1, "a", 7, "door", owner=9, owner_comm="keeper")
    waiting(story, 2, "b", 8, "door", owner=9, owner_comm="keeper")
    (lock,) = story.state().locks
    assert (lock.name, lock.kind, lock.owner, lock.named) == ("door", "mutex", 9, True)
    assert list(lock.waiters) == [7, 8]


def test_who_took_it_last() -> None:
    story = Story()
    waiting(story, 1, "a", 7, "door", owner=9, owner_comm="keeper")
    story.record(1.5, 1, 8, "contention_begin", lock=story.at("door"), flags=MUTEX)
    story.record(1.6, 1, 8, "contention_end", lock=story.at("door"), ret=0)
    (lock,) = story.state().locks
    assert (lock.owner, lock.named, list(lock.waiters)) == (8, False, [7])


@pytest.mark.parametrize("event", ["sys_exit", "page_fault_user", "workqueue_execute_end"])
@pytest.mark.parametrize("named", [False, True])
def test_who_has_left_the_kernel_since_has_no_lock(event: str, named: bool) -> None:
    story = Story()
    fields = {"owner": 8, "owner_comm": "b"} if named else {}
    story.record(1, 1, 8, "contention_end", lock=story.at("door"), ret=0)
    waiting(story, 1.5, "a", 7, "door", **fields)
    (lock,) = story.state().locks
    assert (lock.owner, lock.named) == (8, named)
    story.record(2, 1, 8, event)
    (lock,) = story.state().locks
    assert (lock.owner, lock.named) == (None, False)


def test_who_took_a_lock_once_and_waits_for_it_again_does_not_have_it() -> None:
    story = Story()
    story.record(1, 0, 7, "contention_end", lock=story.at("door"), ret=0)
    story.record(1.5, 0, 7, "contention_begin", lock=story.at("door"), flags=SPIN)
    lively(story, 1, 1.5, 4)
    (lock,) = story.state().locks
    assert (lock.owner, list(lock.waiters)) == (None, [7])
    assert "deadlock" not in {suspicion.rule for suspicion in story.suspicions()}


def test_what_has_begun_is_told_only_if_ends_are_recorded() -> None:
    story = Story(unrecorded={"contention_end", "sys_exit", "softirq_exit"})
    story.record(1, 0, 7, "sys_enter", nr=1)
    story.record(2, 0, 7, "softirq_entry", vec=1)
    waiting(story, 1, "a", 7, "door")
    story.switch(3, 0, IDLE, ("a", 7))
    story.record(4, 0, 7, "softirq_entry", vec=1)
    state = story.state()
    assert (state.locks, state.tasks[7].contexts) == ([], [])
    assert [context.kind for context in state.cpus[0].contexts] == ["task"]


def test_a_wait_that_failed_takes_nothing() -> None:
    story = Story()
    waiting(story, 1, "a", 7, "door")
    story.record(1.6, 1, 8, "contention_end", lock=story.at("door"), ret=-4)
    (lock,) = story.state().locks
    assert lock.owner is None


def test_waits_that_are_over_are_not_told() -> None:
    story = Story()
    waiting(story, 1, "a", 7, "door")
    story.record(2, 0, 7, "contention_end", lock=story.at("door"))
    waiting(story, 1, "b", 8, "door")
    story.record(2, 1, 8, "sched_process_exit", comm="b")
    assert story.state().locks == []


def test_a_wait_whose_end_is_lost() -> None:
    story = Story()
    waiting(story, 1, "a", 7, "door")
    story.record(3, 1, 7, "sys_exit", nr=1)
    assert story.state().locks == []


def test_what_is_in_flight_from_before_all_cpus_have_records() -> None:
    story = Story(nr_slots=16)
    for rq, time in ((0x10, 1), (0x20, 7)):
        story.record(time, 0, 7, "block_rq_issue", rq=rq, dev=8 << 20)
    for number in range(40):
        story.record(5 + number / 100, 1, 9, "block_rq_complete", rq=0x99, dev=9 << 20)
    story.record(9, 1, 9, "sys_exit", nr=1)
    state = story.state()
    assert [p.certain for p in state.pending] == [False, True]
    found = next(s for s in story.suspicions() if s.rule == "dead-device")
    assert found.text.startswith("1 I/O of")


def test_the_dump_is_compared() -> None:
    story = Story()
    story.switch(1, 0, ("cat", 7), IDLE, D)
    story.switch(1, 1, ("sh", 5), ("dd", 6))
    story.panic(2, 1, 6, "so it is")
    story.end = End(
        panic_cpu=0,
        current={0: EndTask(0, "swapper/0"), 1: EndTask(5, "sh")},
        waiting=[EndTask(6, "dd", D)],
    )
    assert story.state().differences == [
        "the panic was recorded on CPU 1; the dump says CPU 0",
        "CPU 1: the trace ends in dd:6, the dump in sh:5",
        "cat:7: blocked (D) in the trace, not in the dump",
        "dd:6: running in the trace, D in the dump",
    ]


def test_in_flight() -> None:
    story = Story(unrecorded={"workqueue_execute_start"})
    dev = 8 << 20 | 1
    story.record(1, 0, 7, "block_rq_issue", rq=0x10, dev=dev, bytes=512)
    story.record(2, 0, 7, "block_rq_issue", rq=0x20, dev=dev, bytes=1024)
    story.record(3, 0, 7, "block_rq_complete", rq=0x10, dev=dev)
    story.record(4, 0, 7, "block_bio_queue", bio=0x30, dev=dev)
    story.record(5, 0, 7, "block_bio_queue", bio=0x40, dev=9 << 20, bio_based=1)
    story.record(5.5, 0, 7, "block_bio_queue", bio=0x50, dev=9 << 20, bio_based=1)
    story.record(6, 0, 7, "block_bio_complete", bio=0x50, dev=9 << 20)
    story.record(7, 0, 7, "workqueue_queue_work", work=0x60, function=story.at("later"))
    state = story.state()
    assert [(p.kind, p.name) for p in state.pending] == [("request", "8:1"), ("bio", "9:0")]
    assert any("work items in flight" in note for note in state.notes)
    story.record(8, 0, 3, "workqueue_execute_start", work=0x70, function=story.at("other"))
    assert [(p.kind, p.name) for p in story.state().pending][-1] == ("work", "later")


def arm(story: Story, time: float, timer: int, expires: int, name: str = "f") -> None:
    fields = {"timer": timer, "expires": expires, "function": story.at(name)}
    story.record(time, 0, 0, "timer_start", **fields)


def test_timers_that_are_overdue() -> None:
    story = Story()
    for number in range(4):  # 250 jiffies a second
        arm(story, 1 + number, 0x10, 1000 + 250 * number + 25)
        story.record(1.1 + number, 0, 0, "timer_expire_entry", timer=0x10)
    arm(story, 2, 0x20, 1375, "forgotten")
    arm(story, 2, 0x30, 1375, "cancelled")
    story.record(2.1, 0, 0, "timer_cancel", timer=0x30)
    arm(story, 4, 0x40, 9000, "later")
    # It is armed for 900 jiffies, which may take 112 more.
    arm(story, 1.1, 0x50, 1025 + 900, "slack")
    story.panic(5, 0, 0, "x")
    state = story.state()
    assert [(p.kind, p.name) for p in state.pending] == [("timer", "forgotten")]
    assert state.pending[0].since == 2_000_000_000


def test_which_timers_are_overdue_may_not_be_known() -> None:
    story = Story()
    arm(story, 1, 0x10, 1000)
    state = story.state()
    assert state.pending == []
    assert any("overdue timers are not known" in note for note in state.notes)


def test_a_ring_that_was_frozen_is_told() -> None:
    story = Story(nr_slots=16)
    for number in range(12):
        story.record(1 + number / 10, 0, 7, "sys_enter", nr=number)
    story.record(3, 1, 8, "sys_enter", nr=0)
    story.made.buffers[0].limits = [12, 12]
    state = story.state()
    assert any("frozen" in note for note in state.cpus[0].notes)


def test_ends_that_would_be_recorded_and_are_not_there() -> None:
    story = Story()
    story.record(1, 0, 7, "block_bio_queue", bio=0x40, dev=9 << 20, bio_based=1)
    trace = story.made.trace()
    assert not ends_are_recorded(trace, "block_bio_complete")
    assert trace.control
    trace.control.handler[0][story.made.id("block_bio_complete")] = HANDLERS.index("record")
    assert ends_are_recorded(trace, "block_bio_complete")
    assert not ends_are_recorded(trace, "no_such_event")


def test_a_trace_without_any_record() -> None:
    state = Story().state()
    assert state.notes == ["no records: nothing is known"]
    assert state.tasks == {}
