# SPDX-License-Identifier: GPL-2.0-or-later
"""Made-up ends: records by hand, with times in seconds and symbols by name."""

from collections.abc import Collection
from typing import Any

from synthetic import Synthetic

from lkst.abi.layout import HANDLERS
from lkst.state.build import build_state
from lkst.state.model import State
from lkst.state.rules import Suspicion, find_suspicions
from lkst.trace.facts import End, Facts, Names

__all__ = ("PREEMPTED", "D", "S", "Story", "lively")

SECOND = 10**9
S, D, PREEMPTED = 1, 2, 1 << 31
_BASE = 0xFFFF_FFFF_8100_0000


class Story:
    """A recorder in the making whose state is asked for at the end."""

    def __init__(
        self, nr_cpus: int = 2, nr_slots: int = 4096, unrecorded: Collection[str] = ()
    ) -> None:
        """
        Begin.

        :param unrecorded: events that are switched off; all others are recorded
        """
        self._unrecorded = unrecorded
        self.made = Synthetic(nr_cpus=nr_cpus, nr_slots=nr_slots, start=0)
        self.end: End | None = None
        self.syscalls = {0: "read", 1: "write", 101: "ptrace"}
        self._symbols: dict[int, str] = {}

    def at(self, name: str) -> int:
        """Give the address of a symbol, which is made if need be."""
        for address, known in self._symbols.items():
            if known == name:
                return address
        address = _BASE + 0x1000 * len(self._symbols)
        self._symbols[address] = name
        return address

    def record(self, time: float, cpu: int, pid: int, event: str, /, **fields: Any) -> None:
        """
        Write a record.

        :param time: in seconds
        """
        self.made.record(cpu, round(time * SECOND), pid, event, **fields)

    def switch(
        self, time: float, cpu: int, prev: tuple[str, int], next_: tuple[str, int], state: int = 0
    ) -> None:
        """Let a CPU go from one task to another."""
        self.record(
            time,
            cpu,
            prev[1],
            "sched_switch",
            prev_comm=prev[0],
            next_comm=next_[0],
            next_pid=next_[1],
            prev_state=state,
        )

    def panic(self, time: float, cpu: int, pid: int, message: str) -> None:
        self.record(time, cpu, pid, "console", text=f"Kernel panic - not syncing: {message}")
        self.record(time, cpu, pid, "panic", message=message)

    def state(self) -> State:
        def symbol(address: int) -> str | None:
            name = self._symbols.get(address & ~0xFFF)
            return f"{name}+{address & 0xFFF:#x}" if name else None

        end = self.end
        facts = Facts(
            names=Names(syscalls=self.syscalls, symbol=symbol),
            end=lambda: end,
        )
        trace = self.made.trace(facts)
        assert trace.control
        for event in trace.catalogue.events.values():
            if event.name not in self._unrecorded:
                trace.control.handler[0][event.id] = HANDLERS.index("record")
        return build_state(trace, trace.facts.end())

    def suspicions(self) -> list[Suspicion]:
        return find_suspicions(self.state())


def lively(story: Story, cpu: int, start: float, end: float, pid: int = 0) -> None:
    """Let a CPU record a tick every 10 ms."""
    for tick in range(round((end - start) * 100)):
        story.record(start + tick / 100, cpu, pid, "hrtimer_expire_entry", hrtimer=0x99)
        story.record(start + tick / 100 + 0.0001, cpu, pid, "hrtimer_expire_exit", hrtimer=0x99)
