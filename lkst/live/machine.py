# SPDX-License-Identifier: GPL-2.0-or-later
"""
Machine
-------

The facts about the machine that a recorder writes into its header.
"""

from collections.abc import Callable
import ctypes
import os
from pathlib import Path
import re
import time
from typing import NamedTuple
import uuid

__all__ = (
    "Clock",
    "boot_id",
    "exchange",
    "memory",
    "mount_bpffs",
    "on_each_cpu",
    "possible_cpus",
    "read_clock",
    "symbol_address",
)


class Clock(NamedTuple):
    """Both clocks at the same time."""

    #: CLOCK_MONOTONIC, in ns.
    monotonic: int
    #: CLOCK_REALTIME - CLOCK_MONOTONIC, in ns.
    real_offset: int


def read_clock() -> Clock:
    """Read CLOCK_REALTIME between two reads of CLOCK_MONOTONIC, the closest of a few."""
    best: tuple[int, Clock] | None = None
    for _ in range(5):
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        real = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        middle = (before + after) // 2
        if best is None or after - before < best[0]:
            best = after - before, Clock(middle, real - middle)
    assert best
    return best[1]


def symbol_address(*names: str) -> int:
    """
    Find the address of a kernel symbol.

    :param names: the symbol's names in different kernels
    :return: 0: the kernel has none of them, or hides them (kptr_restrict)
    """
    pattern = rb"^([0-9a-f]+) \w (?:%b)$" % b"|".join(name.encode() for name in names)
    try:
        match = re.search(pattern, Path("/proc/kallsyms").read_bytes(), re.MULTILINE)
    except OSError:
        return 0
    return int(match[1], 16) if match else 0


def boot_id() -> bytes:
    """Return the 16-byte boot id (random(4))."""
    return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip()).bytes


def memory() -> int:
    """Return the size of the machine's memory, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def possible_cpus() -> int:
    """Return the highest possible CPU number, plus one."""
    text = Path("/sys/devices/system/cpu/possible").read_text()
    return max(int(number) for number in re.findall(r"\d+", text)) + 1


def exchange(one: Path, other: Path) -> None:
    """
    Swap the names of two directories atomically (renameat2(2), RENAME_EXCHANGE).

    :raises OSError: if it cannot be done
    """
    at_cwd, exchange_flag = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange_flag):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(other))


def mount_bpffs(folder: Path) -> None:
    """
    Mount a BPF file system for root alone.

    :raises OSError: if it cannot be mounted
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"bpf", os.fsencode(folder), b"bpf", 0, b"mode=0700"):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(folder))


def on_each_cpu(do: Callable[[], object]) -> None:
    """Run a function on each CPU that this process may use."""
    before = os.sched_getaffinity(0)
    try:
        for cpu in before:
            os.sched_setaffinity(0, {cpu})
            do()
    finally:
        os.sched_setaffinity(0, before)
