# SPDX-License-Identifier: GPL-2.0-or-later
"""
Memory
------

Who has the memory when there is none left: by the table of tasks that the kernel
prints then, and by the pages that tasks asked for, which page faults tell.
"""

from collections.abc import Iterator
import re

import numpy as np

from lkst.state.model import State
from lkst.state.reports import console_lines, message, troubles
from lkst.state.rules.base import Suspicion, rule
from lkst.state.tables import table
from lkst.state.words import Words, seconds, who

__all__ = ()

#: mm/oom_kill.c: dump_task(); pid, uid, tgid, total_vm, rss in pages, more numbers, name
_TASK = re.compile(r"^\[\s*(\d+)\]\s+\d+\s+\d+\s+\d+\s+(\d+)(?:\s+-?\d+)+\s(\S.*)$")

_PAGE = 4096

#: Of one name, so that they are looked at together.
_MANY_TASKS = 20

#: Reclaims by tasks themselves that free nothing, within the last second, tell that memory is
#: short. Those that free something are what a page cache costs.
_MANY_RECLAIMS = 20
_SECOND = 10**9

#: What the OOM killer did before has helped.
_RECENT = 10 * _SECOND

_OOM = re.compile("(?i)out of memory|deadlocked on memory")
#: mm/oom_kill.c: __oom_kill_process()
_CGROUP = re.compile(r"Memory cgroup out of memory: Killed process (\d+)")


#: mm/show_mem.c: what the kernel has, in pages, and all that there is.
_KERNELS = re.compile(r"(slab_unreclaimable|shmem|pagetables):(\d+)")
_RAM = re.compile(r"^(\d+) pages RAM")

#: Part of all memory below which tasks together are not what fills it.
_LITTLE = 0.2


@rule("memory-hog")
def find_hogs(state: State) -> Iterator[Suspicion]:
    """Name who has the most memory, or has taken the most lately, when it has run out."""
    trace = state.trace
    signs = _signs(state)
    if not signs:
        return
    out = any(e in ("panic", "mark_victim") for e in map(Words(trace).event, signs))
    what = "out of memory" if out else "memory is short"
    faults = _faults(state)
    sizes = _sizes(state)
    if sizes:
        pid, size, about = _biggest(sizes)
        total = sum(size for size, _ in sizes.values())
        if kernels := _kernels(state, total):
            name, pages, ram = kernels
            yield Suspicion(
                "memory-hog",
                "hog",
                name,
                f"{what}: tasks have {total >> 20} of {ram * _PAGE >> 20} MiB,"
                f" {name} {pages * _PAGE >> 20} MiB",
                int(trace.ts[signs[0]]),
                tuple(sorted({signs[0], signs[-1]})),
                pages / ram,
            )
            return
        culprit = who(sizes[pid][1], pid)
        text = (
            f"{what}: {culprit}{about} {size >> 20} MiB,"
            f" {100 * size // max(total, 1)}% of the memory of all {len(sizes)} tasks"
        )
        weight = size / max(total, 1)
    elif faults:
        pid = max(faults, key=lambda pid: len(faults[pid]))
        culprit = who(state.task(pid).comm, pid)
        text = f"{what}: {culprit} had the most page faults for new pages"
        weight = 0.5
    else:
        return
    own = faults.get(pid, [])
    if own:
        span = int(trace.ts[own[-1]]) - int(trace.ts[own[0]])
        text += f"; it faulted in {len(own)} pages within {seconds(max(span, 1))}"
    since = int(trace.ts[own[0]]) if own else int(trace.ts[signs[0]])
    rows = tuple(sorted({*own[:1], *own[-1:], *signs[:1], *signs[-1:]}))
    yield Suspicion("memory-hog", "hog", culprit, text, since, rows, weight)


def _signs(state: State) -> list[int]:
    """Give the rows that say that memory is short."""
    trace = state.trace
    rows = _victims(state)
    rows += [row for row in troubles(trace, "panic") if _OOM.search(message(trace, row))]
    reclaims = table(trace, "mm_vmscan_direct_reclaim_end", "nr_reclaimed")
    recent = trace.ts[reclaims.rows] > state.when - _SECOND
    fruitless = reclaims.rows[recent & (reclaims["nr_reclaimed"] == 0)].tolist()
    if len(fruitless) >= _MANY_RECLAIMS:
        rows += fruitless
    return sorted(rows)


def _victims(state: State) -> list[int]:
    """Give the rows in which the OOM killer chose a task lately, not for a cgroup's limit."""
    whole = state.trace.whole
    victims = table(state.trace, "mark_victim", "pid")
    victims = victims.select(state.trace.ts[victims.rows] > state.when - _RECENT)
    if not len(victims):
        return []
    found = map(_CGROUP.search, console_lines(whole, np.arange(len(whole))))
    limited = [int(match[1]) for match in found if match]
    rows: list[int] = victims.rows[~np.isin(victims["pid"], limited)].tolist()
    return rows


def _sizes(state: State) -> dict[int, tuple[int, str]]:
    """Read the last table that the kernel has printed: by pid, bytes in memory and name."""
    whole = state.trace.whole
    sizes: dict[int, tuple[int, str]] = {}
    for line in console_lines(whole, np.arange(len(whole))):
        if line.startswith("[  pid  ]"):
            sizes = {}
        elif found := _TASK.match(line.rstrip("\n")):
            sizes[int(found[1])] = int(found[2]) * _PAGE, found[3]
    return sizes


def _kernels(state: State, total: int) -> tuple[str, int, int] | None:
    """
    Tell what the kernel itself has most of, if that is what fills the memory.

    :param total: what tasks have, in bytes
    :return: its name in the kernel's table, pages, and the pages of all RAM
    """
    whole = state.trace.whole
    ram, parts = 0, dict[str, int]()
    for line in console_lines(whole, np.arange(len(whole))):
        if found := _RAM.match(line):
            ram = int(found[1])
        elif "slab_unreclaimable:" in line and "Node" not in line:
            parts = {name: int(pages) for name, pages in _KERNELS.findall(line)}
    if not parts or total >= _LITTLE * ram * _PAGE:
        return None
    name = max(parts, key=lambda name: parts[name])
    return (name, parts[name], ram) if parts[name] * _PAGE > total else None


def _biggest(sizes: dict[int, tuple[int, str]]) -> tuple[int, int, str]:
    """
    Find the task that has the most, or the first of many that together have more.

    :return: its pid, the size in bytes, and words between name and size
    """
    pid, (size, _) = max(sizes.items(), key=lambda item: item[1][0])
    names: dict[str, list[int]] = {}
    for number, (_, name) in sizes.items():
        names.setdefault(name, []).append(number)
    for pids in names.values():
        together = sum(sizes[number][0] for number in pids)
        if len(pids) >= _MANY_TASKS and together > size:
            pid, size = min(pids), together
    others = len(names[sizes[pid][1]])
    if size == sizes[pid][0]:
        return pid, size, " has"
    # What they share is counted in each.
    return pid, size, f" and {others - 1} others of that name have"


def _faults(state: State) -> dict[int, list[int]]:
    """Give the rows of page faults of user space that wanted new pages, by pid."""
    trace = state.trace
    faults = table(trace, "page_fault_user", "error")
    wanted = faults.rows[faults["error"] & 1 == 0]
    found: dict[int, list[int]] = {}
    for row, pid in zip(wanted.tolist(), trace.pid[wanted].tolist(), strict=True):
        found.setdefault(pid, []).append(row)
    return found
