# SPDX-License-Identifier: GPL-2.0-or-later
"""
Facts
-----

Read the facts about the machine and its end from a kernel's memory.
"""

from collections.abc import Callable
import functools
import re

from drgn import FaultError, Object, Program
from drgn.helpers.linux.pid import find_task

from lkst.locate.names import Finder, read_names
from lkst.locate.printk import newest_first
from lkst.locate.timekeeper import read_crash_time, read_timekeeper
from lkst.trace.facts import End, Facts, Names
from lkst.trace.foreign import ForeignTrace

__all__ = ("read_facts",)

# kernel/panic.c: vpanic()
_PANIC = re.compile(rb"^Kernel panic - not syncing: (.*)", re.DOTALL)


def read_facts(prog: Program, find_symbols: Finder) -> Facts:
    """
    Read the facts; facts that cannot be read stay empty.

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    """

    def uts(member: str) -> str:
        return _string(lambda: prog["init_uts_ns"].name.member_(member))

    names = read_names(prog, find_symbols)
    return Facts(
        release=uts("release"),
        version=uts("version"),
        machine=uts("nodename"),
        arch=uts("machine"),
        panic_message=_panic_message(prog),
        clock=read_timekeeper(prog, find_symbols),
        crash_time=read_crash_time(prog),
        task_name=lambda pid: _string(lambda: find_task(prog, pid).comm, "surrogateescape"),
        names=names,
        foreign=functools.cache(lambda kind: _foreign(prog, find_symbols, names, kind)),
        end=functools.cache(lambda: _end(prog, find_symbols)),
    )


# Import on demand what a replay does not need.


def _end(prog: Program, find_symbols: Finder) -> End | None:
    from lkst.locate.end import read_end

    return read_end(prog, find_symbols)


def _foreign(prog: Program, find_symbols: Finder, names: Names, kind: str) -> list[ForeignTrace]:
    from lkst.locate.dmesg import read_dmesg
    from lkst.locate.ftrace import read_ftrace
    from lkst.locate.ringbuf import read_ringbufs

    if kind == "dmesg":
        return read_dmesg(prog)
    return (
        read_ftrace(prog, find_symbols, names.symbol) if kind == "ftrace" else read_ringbufs(prog)
    )


def _string(get: Callable[[], Object], errors: str = "replace") -> str:
    try:
        raw: bytes = get().string_()
    except (AttributeError, FaultError, LookupError, ValueError):
        return ""
    return raw.decode("utf-8", errors)


def _panic_message(prog: Program) -> str:
    """Find the panic in the kernel's log: the last, since user space can print such a line."""
    try:
        for record in newest_first(prog):
            if match := _PANIC.match(record.text):
                return match[1].decode("utf-8", "replace").rstrip()
    except (AttributeError, FaultError, LookupError, ValueError):
        pass
    return ""
