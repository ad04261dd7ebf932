# SPDX-License-Identifier: GPL-2.0-or-later
"""
Facts
-----

What a source knows about the machine besides the records, and the kernel's names for
numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lkst.trace.foreign import ForeignTrace

__all__ = ("ClockReading", "End", "EndTask", "Enums", "Facts", "Names")


class Enums(dict[str, dict[int, str]]):
    """
    Enumerators by enum name and value: ``enums["req_op"][0] == "REQ_OP_READ"``.

    An enum that nobody has asked for is read when somebody does; empty: it is not known.
    """

    def __init__(
        self,
        known: Mapping[str, dict[int, str]] | None = None,
        read: Callable[[str], dict[int, str]] = lambda name: {},
    ) -> None:
        super().__init__(known or {})
        self._read = read

    def __missing__(self, name: str) -> dict[int, str]:
        self[name] = self._read(name)
        return self[name]


@dataclass
class Names:
    """Names from the traced kernel's memory, as far as it has them."""

    #: System calls by number; separate ones for 32-bit programs.
    syscalls: dict[int, str] = field(default_factory=dict)
    compat_syscalls: dict[int, str] = field(default_factory=dict)
    #: Softirqs by vector.
    softirqs: list[str] = field(default_factory=list)
    #: Flags of gfp_t: (mask, name), from the kernel's own table.
    gfp_flags: list[tuple[int, str]] = field(default_factory=list)
    enums: dict[str, dict[int, str]] = field(default_factory=Enums)
    #: Returns the name of a kernel address, ``symbol+0x12``, or None.
    symbol: Callable[[int], str | None] = lambda address: None


@dataclass(frozen=True)
class EndTask:
    """A task as the dump has it."""

    pid: int
    comm: str
    #: ``__state`` of struct task_struct: bits of include/linux/sched.h.
    state: int = 0
    #: ``prio`` of struct task_struct: below 100 real-time, below 0 deadline; None: not known.
    prio: int | None = None
    #: Throttled: its cgroup or its deadline has used up its run time.
    throttled: bool = False


@dataclass
class End:
    """The state of a kernel when it was dumped, from its memory."""

    #: CPU that panicked; None if none did.
    panic_cpu: int | None = None
    #: Tasks running on the CPUs; a CPU whose task cannot be read is missing.
    current: dict[int, EndTask] = field(default_factory=dict)
    #: Tasks in D state.
    waiting: list[EndTask] = field(default_factory=list)
    #: Runnable tasks, running ones included. None: not known.
    runnable: list[EndTask] | None = None
    #: CPUs that were offline before the panic stopped any. None: not known.
    offline: frozenset[int] | None = None
    #: CPUs whose tick the kernel had stopped: idle CPUs, and CPUs of nohz_full.
    tickless: frozenset[int] = frozenset()
    #: Stacks of what a CPU runs and of a task by pid: ``symbol+0x12``, the innermost frame
    #: first; empty if the stack cannot be read.
    cpu_stack: Callable[[int], tuple[str, ...]] = lambda cpu: ()
    task_stack: Callable[[int], tuple[str, ...]] = lambda pid: ()

    @property
    def cpus(self) -> list[int]:
        """CPUs that may have a stack, in order."""
        panicked = [] if self.panic_cpu is None else [self.panic_cpu]
        return sorted({*self.current, *panicked})


@dataclass(frozen=True)
class ClockReading:
    """The wall clock as a source knows it at its end. All times are ns."""

    #: Time of the reading: CLOCK_MONOTONIC.
    ts: int
    #: CLOCK_REALTIME - CLOCK_MONOTONIC.
    real_offset: int
    #: Error bound of the offset.
    error: int
    #: Origin of the reading: "the kernel's timekeeper".
    how: str


@dataclass
class Facts:
    """What a source says about its machine and its end."""

    #: Path or address of the source.
    source: str = ""
    #: ``vmcore``, ``live``, ``kcore``, ``qemu``, ``saved``
    kind: str = ""
    #: Kernel release and version (uname -r, -v).
    release: str = ""
    version: str = ""
    #: Host name.
    machine: str = ""
    #: Architecture (uname -m).
    arch: str = ""
    #: As the kernel printed it, or "" if it did not panic.
    panic_message: str = ""
    #: Returns the name of the task with a pid that was alive at the end, or "".
    task_name: Callable[[int], str] = lambda pid: ""
    #: The wall clock at the end; None: not known.
    clock: ClockReading | None = None
    #: CLOCK_REALTIME of the crash in seconds (CRASHTIME of VMCOREINFO); None: not known.
    crash_time: int | None = None
    #: Notes for the reader: carved, damaged, guessed.
    notes: list[str] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    #: Reads the state at the end from memory, which is slow; None: not available.
    end: Callable[[], End | None] = lambda: None
    #: Reads foreign traces of one of ``lkst.trace.foreign.KINDS``; None: a source
    #: of this kind has only the records.
    foreign: Callable[[str], list[ForeignTrace]] | None = None
