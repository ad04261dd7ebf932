# SPDX-License-Identifier: GPL-2.0-or-later
"""
ORC
---

Stacks without debug info, by the tables that the kernel unwinds itself with
(``arch/x86/include/asm/orc_types.h``, ``arch/x86/kernel/unwind_orc.c``). They lie
in its memory: those of the kernel between symbols, those of a module where its
``struct module`` says.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import struct
from typing import NamedTuple

from drgn import FaultError, Object, Program, sizeof
from drgn.helpers.linux.module import for_each_module
import numpy as np

from lkst.locate.names import Finder

__all__ = ("Orc", "Registers", "read_orc")

#: In a stack.
MAX_FRAMES = 64

# An address farther from its entry is in no function.
_MAX_DISTANCE = 1 << 20
_MAX_TABLE = 1 << 24


class _Numbers(NamedTuple):
    """Numbers of registers: ORC_REG_*."""

    sp: int
    bp: int
    prev_sp: int
    sp_indirect: int
    bp_indirect: int


# Later than 6.12 they are in another order. No type tells, but nearly all entries are
# counted from SP, and next to none from DI, which has its number in the other order.
_NUMBERS = (
    _Numbers(sp=5, bp=4, prev_sp=1, sp_indirect=9, bp_indirect=8),
    _Numbers(sp=3, bp=4, prev_sp=8, sp_indirect=9, bp_indirect=10),
)
_SAMPLE = 4096

# Types of entries. Until 6.4 there were two bits for them, and no "undefined" and
# "end of stack" (fb799447ae29).
_OLD_TYPES = ("call", "regs", "iret")
_TYPES = ("undefined", "end", "call", "regs", "iret")

# struct pt_regs, and what the processor itself pushes of it
_PT_REGS = struct.Struct("<32xQ88xQQ8xQ8x")  # bp, ip, cs, sp
_IRET = struct.Struct("<QQ8xQ8x")  # ip, cs, sp

_MASK = (1 << 64) - 1


@dataclass
class Registers:
    """Where a stack is walked from."""

    ip: int
    sp: int
    bp: int


class Orc:
    """The tables of a kernel and its modules."""

    def __init__(self, prog: Program, tables: Sequence[tuple[int, int, int]]) -> None:
        """
        Read the tables.

        :param tables: addresses of instructions, entries, and how many there are
        :raises FaultError: if they cannot be read
        :raises LookupError: if the kernel's types do not know them
        """
        self._prog = prog
        self._type = prog.type("struct orc_entry")
        bits = self._type.member("type").bit_field_size or 0
        self._types = _OLD_TYPES if bits == 2 else _TYPES
        size = sizeof(self._type)
        self._numbers = self._tell_numbers(*tables[0][1:])
        ips = [np.zeros(0, np.uint64)]
        entries = [np.zeros(0, np.uint64)]
        for ip_table, entry_table, count in tables:
            relative = np.frombuffer(prog.read(ip_table, 4 * count), "<i4").astype(np.int64)
            place = np.uint64(ip_table) + 4 * np.arange(count, dtype=np.uint64)
            ips.append(place + relative.view(np.uint64))
            entries.append(np.uint64(entry_table) + size * np.arange(count, dtype=np.uint64))
        ip = np.concatenate(ips)
        order = np.argsort(ip, kind="stable")
        self._ip, self._entry = ip[order], np.concatenate(entries)[order]

    def _tell_numbers(self, entries: int, count: int) -> _Numbers:
        size = sizeof(self._type)
        count = min(count, _SAMPLE)
        raw = np.frombuffer(self._prog.read(entries, size * count), np.uint8).reshape(count, size)
        byte, bit = divmod(self._type.member("sp_reg").bit_offset, 8)
        used = np.bincount(raw[:, byte] >> bit & 15, minlength=16)
        return max(_NUMBERS, key=lambda numbers: int(used[numbers.sp]))

    def walk(self, registers: Registers) -> list[int]:
        """
        Give the addresses of a stack's frames, the innermost first.

        It ends early where the tables or the stack are damaged.
        """
        frames = [registers.ip]
        state = registers
        exact = True
        try:
            while len(frames) < MAX_FRAMES:
                step = self._step(state, exact)
                if step is None:
                    break
                state, exact = step
                frames.append(state.ip)
        except FaultError:
            pass
        return frames

    def _find(self, ip: int) -> Object | None:
        index = int(np.searchsorted(self._ip, np.uint64(ip & _MASK), "right")) - 1
        if index < 0 or ip - int(self._ip[index]) > _MAX_DISTANCE:
            return None
        return Object(self._prog, self._type, address=int(self._entry[index]))

    def _step(self, state: Registers, exact: bool) -> tuple[Registers, bool] | None:
        """Go to the caller; tell whether its address is that of an instruction, not of a return."""
        entry = self._find(state.ip - (not exact))
        if entry is None:
            return None
        number = entry.type.value_()
        kind = self._types[number] if number < len(self._types) else "undefined"
        base = self._base(entry, state)
        if base is None or kind in ("undefined", "end"):
            return None
        if kind == "call":
            ip = self._read(base - 8)
            bp = self._bp(entry, state, base)
            return (Registers(ip, base, bp), False) if ip else None
        if kind == "regs":
            bp, ip, cs, sp = _PT_REGS.unpack(self._prog.read(base, _PT_REGS.size))
        else:
            bp, (ip, cs, sp) = state.bp, _IRET.unpack(self._prog.read(base, _IRET.size))
        if cs & 3:
            return None  # it came from user space
        return Registers(ip, sp, bp), True

    def _base(self, entry: Object, state: Registers) -> int | None:
        register, offset = entry.sp_reg.value_(), entry.sp_offset.value_()
        numbers = self._numbers
        if register == numbers.sp:
            return int(state.sp + offset)
        if register == numbers.bp:
            return int(state.bp + offset)
        if register == numbers.sp_indirect:
            return int(self._read(state.sp) + offset)
        if register == numbers.bp_indirect:
            return self._read(state.bp + offset)
        # Other registers hold the stack in a few functions that realign it.
        return None

    def _bp(self, entry: Object, state: Registers, base: int) -> int:
        register, offset = entry.bp_reg.value_(), entry.bp_offset.value_()
        if register == self._numbers.prev_sp:
            return self._read(base + offset)
        if register == self._numbers.bp:
            return self._read(state.bp + offset)
        return state.bp

    def _read(self, address: int) -> int:
        return int(self._prog.read_u64(address & _MASK))


def read_orc(prog: Program, find_symbols: Finder) -> Orc | None:
    """
    Read the tables of a kernel and its modules.

    :param find_symbols: looks symbols up, the same whether there is debug info or not
    :return: None if it has none (CONFIG_UNWINDER_ORC) or they cannot be read
    """
    tables = []
    bounds = []
    for name in ("__start_orc_unwind_ip", "__stop_orc_unwind_ip", "__start_orc_unwind"):
        found = find_symbols(prog, name, None, True)
        bounds.append(found[0].address if found else 0)
    start, stop, entries = bounds
    count = (stop - start) // 4
    if not all(bounds) or not 0 < count < _MAX_TABLE:
        return None
    tables.append((start, entries, count))
    try:
        for module in for_each_module(prog):
            count = module.arch.num_orcs.value_()
            if 0 < count < _MAX_TABLE:
                tables.append(
                    (
                        module.arch.orc_unwind_ip.value_(),
                        module.arch.orc_unwind.value_(),
                        count,
                    )
                )
            if len(tables) > 1 << 12:
                break
    except (AttributeError, FaultError, LookupError):
        pass  # the kernel's own are worth having
    try:
        return Orc(prog, tables)
    except (FaultError, LookupError, ValueError):
        return None
