# SPDX-License-Identifier: GPL-2.0-or-later
"""
State
-----

What every CPU and task was in the middle of when a trace ends. Times are in ns of
CLOCK_MONOTONIC; None means not known from the trace.
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
    #: Name of the system call, function, lock or softirq.
    name: str
    #: Fields of its record, as text.
    text: str = ""
    #: Whether it certainly had not ended.
    certain: bool = True


@dataclass
class Task:
    """A task, as far as its records show."""

    pid: int
    comm: str
    #: running, runnable, blocked, dead, unknown
    state: str
    #: If blocked: S, D, ..., F for frozen; if preempted: R+.
    letter: str = ""
    #: When it entered this state.
    since: int | None = None
    #: Row of the record that shows this.
    row: int | None = None
    #: CPU on which it ran last, or whose run queue it is in.
    cpu: int | None = None
    #: Outermost first: system call, work item, direct reclaim, wait for a lock.
    contexts: list[Context] = field(default_factory=list)
    #: Row of its last record.
    last: int | None = None
    #: Whether all CPUs have records since then; if not, a later change may be lost.
    certain: bool = True


@dataclass
class CPU:
    """A CPU."""

    cpu: int
    #: None: the CPU has no records, or is offline.
    task: Task | None = None
    #: It was taken offline, or never brought up.
    offline: bool = False
    #: When it switched to that task or went offline; None: before the trace begins.
    since: int | None = None
    #: Outermost first: contexts of its task, then exceptions and interrupts.
    contexts: list[Context] = field(default_factory=list)
    #: Rows of its last records.
    last: list[int] = field(default_factory=list)
    #: What is not known about it.
    notes: list[str] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Whether the CPU was idle."""
        quiet = {"task", "idle"}
        return bool(self.task and not self.task.pid and all(c.kind in quiet for c in self.contexts))


@dataclass
class Lock:
    """A lock that tasks waited for."""

    address: int
    name: str
    #: Flags of the wait: spin, mutex, ...
    kind: str
    #: pid -> row where the wait began; the longest wait first.
    waiters: dict[int, int]
    #: pid of the owner when the last wait began or ended.
    owner: int | None = None
    #: Row of the record that shows this.
    row: int | None = None
    #: Whether the kernel named the owner; if not, the owner is the last waiter that took the lock.
    named: bool = False

    @property
    def is_spin(self) -> bool:
        """Whether neither its owner nor its waiters may sleep."""
        # Waiters of a mutex spin while its owner runs.
        return "spin" in self.kind and not re.search("mutex|rt", self.kind)


@dataclass(frozen=True)
class Pending:
    """Something in flight: begun by one context, to be ended by another."""

    #: request, bio, work, timer
    kind: str
    row: int
    since: int
    #: Function or device.
    name: str
    text: str = ""
    #: Whether all CPUs have records since then; if not, its end may be lost.
    certain: bool = True


@dataclass
class State:
    """The state of a machine when a trace ends."""

    #: The records up to the panic.
    trace: Trace
    cpus: list[CPU] = field(default_factory=list)
    #: By pid, without idle tasks.
    tasks: dict[int, Task] = field(default_factory=dict)
    locks: list[Lock] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    #: What the dump says.
    end: End | None = None
    #: Contradictions between the trace and the dump.
    differences: list[str] = field(default_factory=list)
    #: What is not known.
    notes: list[str] = field(default_factory=list)
    #: All CPUs have records from this time on, in ns of CLOCK_MONOTONIC.
    begin: int = 0

    @property
    def when(self) -> int:
        """End of the trace, in ns of CLOCK_MONOTONIC."""
        return self.trace.end

    def task(self, pid: int) -> Task:
        """Return a task, also one without records."""
        return self.tasks.get(pid) or Task(pid, "", "unknown")

    def waits_for(self, pid: int) -> Lock | None:
        """Return the lock that a task waits for."""
        return next((lock for lock in self.locks if pid in lock.waiters), None)
