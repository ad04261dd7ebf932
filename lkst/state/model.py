# SPDX-License-Identifier: GPL-2.0-or-later
"""
State
-----

What every CPU and task was in the middle of when a trace ends. Times are in ns of
CLOCK_MONOTONIC; None stands for what the trace cannot tell.
"""

from dataclasses import dataclass, field
import re

from lkst.trace.facts import End
from lkst.trace.trace import Trace

__all__ = ("CPU", "Context", "Lock", "Pending", "State", "Task")


@dataclass(frozen=True)
class Context:
    """Something that had begun and not ended."""

    #: task, syscall, work, reclaim, lock, exception, softirq, irq, timer, hrtimer, tasklet, idle
    kind: str
    #: Row of the record with which it began.
    row: int
    since: int
    #: What it is about, in a word: the system call, the function, the lock, the softirq.
    name: str
    #: All that its record has.
    text: str = ""
    #: Whether it is certain that it had not ended.
    certain: bool = True


@dataclass
class Task:
    """A task, as its records show it."""

    pid: int
    comm: str
    #: running, runnable, blocked, dead, unknown
    state: str
    #: Of one that is blocked: S, D, ..., F if it is frozen; of one that was preempted: R+.
    letter: str = ""
    #: Since when it is in this state.
    since: int | None = None
    #: Row of the record that says so.
    row: int | None = None
    #: CPU that it was last on, or is to run on.
    cpu: int | None = None
    #: Outermost first: system call, work item, direct reclaim, lock that it waits for.
    contexts: list[Context] = field(default_factory=list)
    #: Row of its last record.
    last: int | None = None
    #: Whether all CPUs have records since then: else it may have gone on unseen.
    certain: bool = True


@dataclass
class CPU:
    """A CPU."""

    cpu: int
    #: None: it has no record, or is offline.
    task: Task | None = None
    #: It was taken offline, or never brought up.
    offline: bool = False
    #: When it went to that task, or offline; None: before the trace begins.
    since: int | None = None
    #: Outermost first: those of its task, then exceptions and interrupts.
    contexts: list[Context] = field(default_factory=list)
    #: Rows of its last records.
    last: list[int] = field(default_factory=list)
    #: What cannot be known of it.
    notes: list[str] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Whether its idle task had nothing to do."""
        quiet = {"task", "idle"}
        return bool(self.task and not self.task.pid and all(c.kind in quiet for c in self.contexts))


@dataclass
class Lock:
    """A lock that tasks waited for."""

    address: int
    name: str
    #: spin, mutex, ...: flags of the wait.
    kind: str
    #: Tasks that wait, by pid, each with the row where it began; the longest first.
    waiters: dict[int, int]
    #: Who had it when the last wait began or ended.
    owner: int | None = None
    #: Row of the record that says so.
    row: int | None = None
    #: Whether the kernel itself named the owner; else it is who took it last, of those that waited.
    named: bool = False

    @property
    def is_spin(self) -> bool:
        """Whether it lets nobody sleep, neither who has it nor who waits."""
        # A mutex is spun for until its owner sleeps.
        return "spin" in self.kind and not re.search("mutex|rt", self.kind)


@dataclass(frozen=True)
class Pending:
    """Something in flight: begun by one and to be ended by another."""

    #: request, bio, work, timer
    kind: str
    row: int
    since: int
    #: Function or device.
    name: str
    text: str = ""
    #: Whether all CPUs have records since then: else its end may be lost.
    certain: bool = True


@dataclass
class State:
    """All of it."""

    #: What it is the state of: everything up to the panic.
    trace: Trace
    cpus: list[CPU] = field(default_factory=list)
    #: By pid, without idle tasks.
    tasks: dict[int, Task] = field(default_factory=dict)
    locks: list[Lock] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    #: What the dump says.
    end: End | None = None
    #: Where the dump says otherwise.
    differences: list[str] = field(default_factory=list)
    #: What cannot be known.
    notes: list[str] = field(default_factory=list)
    #: From then on all CPUs have records, in ns of CLOCK_MONOTONIC.
    begin: int = 0

    @property
    def when(self) -> int:
        """The end, in ns of CLOCK_MONOTONIC."""
        return self.trace.end

    def task(self, pid: int) -> Task:
        """Give a task, even one without any record of its own."""
        return self.tasks.get(pid) or Task(pid, "", "unknown")

    def waits_for(self, pid: int) -> Lock | None:
        """Give the lock that a task waits for."""
        return next((lock for lock in self.locks if pid in lock.waiters), None)
