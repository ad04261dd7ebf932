# SPDX-License-Identifier: GPL-2.0-or-later
"""
Memory
------

Who has the memory when there is none left: from the table of tasks that the OOM killer
prints, and from the page faults of tasks.
"""

from collections.abc import Iterator
import re

import numpy as np

from lkst.state.model import State
from lkst.state.naming import Naming, seconds, who
from lkst.state.reports import console_lines, message, troubles
from lkst.state.rules.base import Suspicion, rule
from lkst.trace.event_table import table

__all__ = ()

#: mm/oom_kill.c: dump_task(); pid, uid, tgid, total_vm, rss in pages, more numbers, name
_TASK = re.compile(r"^\[\s*(\d+)\]\s+\d+\s+\d+\s+\d+\s+(\d+)(?:\s+-?\d+)+\s(\S.*)$")

_PAGE = 4096

#: Tasks of one name from this number on are summed up.
_MANY_TASKS = 20

#: This many direct reclaims within the last second that free nothing mean that memory is short.
#: Reclaims that free something are normal with a page cache.
_MANY_RECLAIMS = 20
_SECOND = 10**9

#: An older OOM kill has helped, in ns.
_RECENT = 10 * _SECOND

_OOM = re.compile("(?i)out of memory|deadlocked on memory")
#: mm/oom_kill.c: __oom_kill_process()
_CGROUP = re.compile(r"Memory cgroup out of memory: Killed process (\d+)")


#: mm/show_mem.c: pages of the kernel, and of all RAM.
_KERNELS = re.compile(r"(slab_unreclaimable|shmem|pagetables):(\d+)")
_RAM = re.compile(r"^(\d+) pages RAM")

#: If tasks together have less than this part of all memory, they do not fill it.
_LITTLE = 0.2


@rule("memory-hog")
def find_hogs(state: State) -> Iterator[Suspicion]:
    """Name the task with the most memory, or with the most page faults, if memory is short."""
    trace = state.trace
    signs = _signs(state)
    if not signs:
        return
    out = any(e in ("panic", "mark_victim") for e in map(Naming(trace).event, signs))
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
    # Rows that show that memory is short.
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
    # Rows in which the OOM killer recently chose a task, except for the limit of a cgroup.
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
    # The last table of tasks that the kernel printed: pid -> bytes in memory, name.
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
    Find the largest memory user of the kernel itself, if the kernel fills the memory.

    :param total: memory of all tasks, in bytes
    :return: name in the kernel's table, pages, pages of all RAM
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
    Find the task with the most memory, or the first of many tasks of one name that have more.

    :return: pid, size in bytes, text between name and size
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
    # Shared pages are counted in each task.
    return pid, size, f" and {others - 1} others of that name have"


def _faults(state: State) -> dict[int, list[int]]:
    # pid -> rows of page faults of user space for new pages.
    trace = state.trace
    faults = table(trace, "page_fault_user", "error")
    wanted = faults.rows[faults["error"] & 1 == 0]
    found: dict[int, list[int]] = {}
    for row, pid in zip(wanted.tolist(), trace.pid[wanted].tolist(), strict=True):
        found.setdefault(pid, []).append(row)
    return found
