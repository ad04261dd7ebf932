# SPDX-License-Identifier: GPL-2.0-or-later
"""What CPUs were in the middle of, in traces made by hand."""

from ends import S, Story

IDLE = ("swapper/0", 0)


def kinds(story: Story, cpu: int = 0) -> list[tuple[str, str]]:
    return [(c.kind, c.name) for c in story.state().cpus[cpu].contexts if c.kind != "task"]


def busy() -> Story:
    """Give a CPU that has gone to a task, which is in a system call."""
    story = Story()
    story.switch(1, 0, IDLE, ("cat", 7))
    story.record(1.1, 0, 7, "sys_enter", nr=0, arg0=3)
    return story


def test_contexts_are_nested_as_they_began() -> None:
    story = busy()
    story.record(1.2, 0, 7, "irq_handler_entry", irq=4, handler=story.at("serial"), name="ttyS0")
    story.record(1.3, 0, 7, "irq_handler_exit", irq=4)
    story.record(1.4, 0, 7, "softirq_entry", vec=1)
    story.record(1.5, 0, 7, "timer_expire_entry", timer=0x10, function=story.at("beat"))
    story.record(1.6, 0, 7, "irq_handler_entry", irq=5, handler=story.at("disk"), name="vda")
    state = story.state()
    assert [(c.kind, c.name, c.since) for c in state.cpus[0].contexts] == [
        ("task", "cat:7", 1_000_000_000),
        ("syscall", "read", 1_100_000_000),
        ("softirq", "TIMER", 1_400_000_000),
        ("timer", "beat", 1_500_000_000),
        ("irq", "disk", 1_600_000_000),
    ]
    assert "arg0=0x3" in state.cpus[0].contexts[1].text


def test_the_end_of_one_ends_what_is_inside_of_it() -> None:
    story = busy()
    story.record(1.2, 0, 7, "softirq_entry", vec=3)
    story.record(1.3, 0, 7, "irq_handler_entry", irq=4, handler=story.at("serial"))
    story.record(1.4, 0, 7, "softirq_exit", vec=3)
    assert kinds(story) == [("syscall", "read")]


def test_unmatched_ends_do_no_harm() -> None:
    story = Story()
    story.record(0.5, 0, 7, "softirq_exit", vec=1)
    story.record(0.6, 0, 7, "irq_handler_exit", irq=9)
    story.record(0.7, 0, 7, "sys_exit", nr=0)
    state = story.state()
    assert state.cpus[0].contexts == []
    assert state.cpus[0].since is None
    assert (state.cpus[0].task and state.cpus[0].task.pid) == 7


def test_what_happens_in_a_task_only_shows_that_interrupts_are_over() -> None:
    story = busy()
    story.record(1.2, 0, 7, "irq_handler_entry", irq=4, handler=story.at("serial"))
    story.record(1.3, 0, 7, "sys_exit", nr=0)
    assert kinds(story) == []


def test_interrupts_before_the_last_switch_are_over() -> None:
    story = Story()
    story.record(0.9, 0, 0, "irq_handler_entry", irq=4, handler=story.at("serial"))
    story.switch(1, 0, IDLE, ("cat", 7))
    story.record(1.1, 0, 7, "softirq_raise", vec=1)
    assert kinds(story) == []


def test_a_system_call_lasts_while_its_task_sleeps_and_moves() -> None:
    story = busy()
    story.switch(1.2, 0, ("cat", 7), IDLE, S)
    story.record(1.3, 1, 0, "sched_wakeup", comm="cat", pid=7, target_cpu=1)
    story.switch(1.4, 1, ("swapper/1", 0), ("cat", 7))
    assert kinds(story, 1) == [("syscall", "read")]
    assert kinds(story, 0) == []


def test_idle() -> None:
    story = Story()
    story.switch(1, 0, ("cat", 7), IDLE, S)
    story.record(1.1, 0, 0, "cpu_idle", state=1, cpu_id=0)
    assert story.state().cpus[0].is_idle
    assert kinds(story) == [("idle", "")]
    story.record(1.2, 0, 0, "cpu_idle", state=0xFFFFFFFF, cpu_id=0)
    story.record(1.3, 0, 0, "softirq_entry", vec=1)
    assert not story.state().cpus[0].is_idle
    assert kinds(story) == [("softirq", "TIMER")]


def test_a_fault_is_certain_when_the_kernel_has_died_of_it() -> None:
    story = busy()
    story.record(1.2, 0, 7, "page_fault_kernel", address=0, ip=story.at("broken") + 5)
    story.record(1.3, 0, 7, "softirq_raise", vec=1)
    (fault,) = (c for c in story.state().cpus[0].contexts if c.kind == "exception")
    assert not fault.certain
    story.record(1.4, 0, 7, "oops", message="Oops: 0002")
    # Printing the code near it faults as well.
    story.record(1.5, 0, 7, "page_fault_kernel", address=9, ip=story.at("printer"))
    story.panic(1.6, 0, 7, "Fatal exception")
    (fault,) = (c for c in story.state().cpus[0].contexts if c.kind == "exception")
    assert (fault.name, fault.certain) == ("broken+0x5", True)


def test_a_fault_is_over_when_its_task_goes_on() -> None:
    story = busy()
    story.record(1.2, 0, 7, "page_fault_kernel", address=0, ip=story.at("copy"))
    story.record(1.3, 0, 7, "kfree_skb", skb=1)
    assert kinds(story) == [("syscall", "read")]


def test_a_cpu_without_a_record() -> None:
    story = busy()
    cpu = story.state().cpus[1]
    assert cpu.task is None
    assert cpu.notes == ["it has no records"]


def test_a_lost_switch_is_told() -> None:
    story = busy()
    story.record(1.5, 0, 99, "sys_enter", nr=1)
    cpu = story.state().cpus[0]
    assert cpu.task and cpu.task.pid == 99
    assert cpu.since is None
    assert cpu.notes == ["the switch to its task was not recorded"]


def test_records_after_the_panic_do_not_count() -> None:
    story = busy()
    story.panic(2, 0, 7, "that was it")
    story.record(2.5, 0, 7, "sys_exit", nr=0)
    assert kinds(story) == [("syscall", "read")]


def test_a_cpu_whose_last_record_is_its_switch_has_the_next_task() -> None:
    story = Story()
    story.switch(1, 0, IDLE, ("cat", 7))
    task = story.state().cpus[0].task
    assert task and (task.comm, task.pid, task.state) == ("cat", 7, "running")


def test_missing_records_are_told() -> None:
    story = busy()
    seq = story.made.record(0, 1_300_000_000, 7, "softirq_raise", vec=1)
    story.record(1.4, 0, 7, "softirq_raise", vec=1)
    # A slot of another sequence number than its place can have.
    story.made.slot(0, seq, b"\xff" * 56)
    start = seq % story.made.nr_slots * 64
    story.made.rings[start : start + 6] = (seq + 1).to_bytes(6, "little")
    assert any("records are missing" in note for note in story.state().cpus[0].notes)
