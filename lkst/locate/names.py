# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names
-----

The kernel's own names for numbers, read from its memory: its symbols, the table of system
calls, and the tables with which it prints flags.
"""

from collections.abc import Callable, Sequence
import functools
from functools import partial
import re
import struct

from drgn import Architecture, FaultError, Program, Symbol

from lkst.abi.syscalls import i386_names
from lkst.trace.facts import Enums, Names

__all__ = ("read_names",)

#: Enums of the kernel that fields are shown with.
_ENUMS = (
    "compact_result",
    "cpuhp_state",
    "fault_flag",
    "req_op",
    "skb_drop_reason",
    "vm_fault_reason",
    "vmscan_throttle_state",
)

_MAX_SYSCALLS = 1024
_MAX_FLAGS = 256
_MAX_NAME = 64
_SOFTIRQS = 10  # NR_SOFTIRQS, include/linux/interrupt.h

#: Functions whose names differ from those of their system calls.
_SYSCALLS = {
    "newstat": "stat",
    "newfstat": "fstat",
    "newlstat": "lstat",
    "newuname": "uname",
    "umount": "umount2",
    "sendfile64": "sendfile",
}

Finder = Callable[[Program, str | None, int | None, bool], Sequence[Symbol]]


def read_names(prog: Program, find_symbols: Finder) -> Names:
    """
    Read the names; names that cannot be read are missing.

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    """

    def address(name: str) -> int | None:
        found = find_symbols(prog, name, None, True)
        return found[0].address if found else None

    @functools.lru_cache(maxsize=65536)
    def name_at(value: int) -> tuple[str, int] | None:
        found = find_symbols(prog, None, value, True)
        return (found[0].name, value - found[0].address) if found else None

    def symbol(value: int) -> str | None:
        # Small numbers are near the per-CPU symbols, which are offsets.
        found = name_at(value) if value >> 63 else None
        return f"{found[0]}+{found[1]:#x}" if found else None

    syscalls = _read_syscalls(prog, address("sys_call_table"), name_at)
    # Gone since Linux 6.9 (1e3ad78334a6).
    compat_table = _read_syscalls(prog, address("ia32_sys_call_table"), name_at)
    is_x86 = prog.platform is not None and prog.platform.arch == Architecture.X86_64
    return Names(
        syscalls=syscalls,
        compat_syscalls=_compat_names(syscalls, compat_table) if is_x86 else {},
        softirqs=_read_softirqs(prog, address("softirq_to_name")),
        gfp_flags=_read_flags(prog, address("gfpflag_names")),
        enums=Enums({name: _read_enum(prog, name) for name in _ENUMS}, partial(_read_enum, prog)),
        symbol=symbol,
    )


def _read_syscalls(
    prog: Program, table: int | None, name_at: Callable[[int], tuple[str, int] | None]
) -> dict[int, str]:
    """Read a table of functions: arch/x86/entry/syscall_64.c, syscall_32.c."""
    names: dict[int, str] = {}
    if table is None:
        return names
    for number in range(_MAX_SYSCALLS):
        try:
            found = name_at(prog.read_u64(table + 8 * number))
        except FaultError:
            break
        match = found and re.fullmatch(r"(?:__(?:x64|ia32|x32)_)?(?:compat_)?(sys_\w+)", found[0])
        if not match:
            break
        name = match[1].removeprefix("sys_").removeprefix("ia32_")
        if name != "ni_syscall":
            names[number] = _SYSCALLS.get(name, name)
    return names


def _compat_names(native: dict[int, str], table: dict[int, str]) -> dict[int, str]:
    """
    Name the calls of 32-bit programs as these do: mmap2, not mmap_pgoff.

    :param table: names of functions by number; empty: the kernel has no such table
    """
    names = i386_names(native)
    if not table:
        return names
    return {number: names.get(number, function) for number, function in table.items()}


def _read_softirqs(prog: Program, table: int | None) -> list[str]:
    if table is None:
        return []
    try:
        pointers = struct.unpack(f"<{_SOFTIRQS}Q", prog.read(table, 8 * _SOFTIRQS))
        return [_read_string(prog, pointer) for pointer in pointers]
    except FaultError:
        return []


def _read_flags(prog: Program, table: int | None) -> list[tuple[int, str]]:
    """Read an array of ``struct trace_print_flags``, which ends with zeros."""
    flags: list[tuple[int, str]] = []
    if table is None:
        return flags
    try:
        for index in range(_MAX_FLAGS):
            mask, name = struct.unpack("<QQ", prog.read(table + 16 * index, 16))
            if not name:
                break
            flags.append((mask, _read_string(prog, name)))
    except FaultError:
        pass
    return flags


def _read_string(prog: Program, address: int) -> str:
    raw: bytes = prog.read_c_string(address, max_size=_MAX_NAME)
    return raw.decode("ascii", "replace")


def _read_enum(prog: Program, name: str) -> dict[int, str]:
    try:
        enumerators = prog.type(f"enum {name}").enumerators
    except LookupError:
        return {}
    # If a value has several names, the first is the one in use.
    return {value: text for text, value in reversed(enumerators or ())}
