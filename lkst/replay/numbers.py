# SPDX-License-Identifier: GPL-2.0-or-later
"""
Numbers that have names
-----------------------

Names of numbers, by type of the field (``recorder/types.h``). The traced kernel's own
tables come first; tables here are either user-space ABI, which never changes, or the
same in all kernels that the recorder runs on. A number without a certain name is shown
as a number.
"""

from collections.abc import Callable, Iterable
from functools import partial
import socket

from lkst.abi.kernel_constants import (
    ADDRESS_FAMILIES,
    BLK_STATUS,
    ERRNOS,
    ETHERTYPES,
    IPC_KINDS,
    LOCK_FLAGS,
    PF_FLAGS,
    REQ_OPS,
    SIG_RESULTS,
    SOFTIRQS,
    STATE_LETTERS,
    TASK_DEAD,
    TASK_FROZEN,
    TASK_IDLE,
    TASK_PREEMPTED,
    TASK_RTLOCK_WAIT,
    TASK_UNINTERRUPTIBLE,
    TCP_STATES,
)
from lkst.abi.signals import code_name, signal_name
from lkst.abi.syscalls import X32_BIT, x32_name
from lkst.trace.facts import Names

__all__ = ("COMPANIONS", "NAMERS", "Value", "namer_of")

#: A number to show in decimal, or a text.
Value = int | str

#: Types whose numbers depend on another field, which is passed in the upper 32 bits: 32-bit
#: programs have other numbers for system calls, signals have their own codes, and sockets of
#: other families have no IPv4 address.
COMPANIONS = {"syscall": "compat", "sig_code": "sig", "ipv4": "family"}

_U64 = (1 << 64) - 1

_MAX_ERRNO = 4095  # include/linux/err.h

_INET6 = 10
#: IPv4 address of a socket that has an IPv6 address: LOOPBACK4_IPV6 of
#: include/net/ipv6.h, 127.0.0.6; or 0.
_NO_IPV4 = (0, 0x0600007F)


def _flags(value: int, table: Iterable[tuple[int, str]]) -> list[str]:
    # As the kernel's %pGg: in the order of the table.
    found = []
    for mask, name in table:
        if mask and value & mask == mask:
            found.append(name)
            value &= ~mask
    if value:
        found.append(hex(value))
    return found


def _ksym(value: int, names: Names) -> Value:
    # Most addresses are the start of a function.
    return (names.symbol(value) or hex(value)).removesuffix("+0x0")


def _syscall(value: int, names: Names) -> Value:
    number, compat = _low(value), value >> 32
    if compat & 1:
        return names.compat_syscalls.get(number, number)
    if number >= X32_BIT:
        return x32_name(number - X32_BIT, names.syscalls) or number
    # -1: a tracer cancelled the system call.
    return names.syscalls.get(number, number)


def _low(value: int) -> int:
    # The lower 32 bits as a signed number.
    return (value & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)


def _ret(value: int, names: Names) -> Value:
    if -_MAX_ERRNO <= value < 0 and -value in ERRNOS:
        return "-" + ERRNOS[-value]
    return hex(value & _U64) if abs(value) > 1 << 31 else value


def _signal(value: int, names: Names) -> Value:
    return signal_name(value)


def _sig_code(value: int, names: Names) -> Value:
    code, signal = _low(value), value >> 32
    return code_name(signal, code)


def _sig_result(value: int, names: Names) -> Value:
    return SIG_RESULTS[value] if value < len(SIG_RESULTS) else value


def _task_state(value: int, names: Names) -> Value:
    # As sched_switch shows it: __task_state_index() of include/linux/sched.h.
    if value & TASK_PREEMPTED:
        # A preempted task counts as running, whatever its state.
        return "R+"
    if value & TASK_IDLE == TASK_IDLE:
        return "I"
    if value & (TASK_RTLOCK_WAIT | TASK_FROZEN):
        value = TASK_UNINTERRUPTIBLE
    if value & TASK_DEAD:
        return "X"
    return STATE_LETTERS[(value & 0x7F).bit_length()]


def _softirq(value: int, names: Names) -> Value:
    table = names.softirqs or SOFTIRQS
    return table[value] if value < len(table) else value


def _exit_code(value: int, names: Names) -> Value:
    # 3 for exit(3), SIGSEGV+core for a signal.
    signal = value & 0x7F
    if value >> 16 or signal == 0x7F:
        return hex(value)
    if not signal:
        return value >> 8
    name = signal_name(signal)
    return (f"SIG{name}" if isinstance(name, int) else name) + ("+core" if value & 0x80 else "")


def _gfp(value: int, names: Names) -> Value:
    if not names.gfp_flags:
        return hex(value)
    return "|".join(_flags(value, names.gfp_flags)) or "none"


def _pf_error(value: int, names: Names) -> Value:
    words = [
        "prot" if value & 1 else "not-present",
        "instr" if value & 1 << 4 else "write" if value & 1 << 1 else "read",
        "user" if value & 1 << 2 else "kernel",
    ]
    return "|".join(words + _flags(value & ~0x17, PF_FLAGS))


def _dev(value: int, names: Names) -> Value:
    return f"{value >> 20}:{value & 0xFFFFF}"


def _blk_op(value: int, names: Names) -> Value:
    name = names.enums.get("req_op", {}).get(value)
    return name.removeprefix("REQ_OP_") if name else REQ_OPS.get(value, value)


def _blk_status(value: int, names: Names) -> Value:
    return BLK_STATUS.get(value, value)


def _ethertype(value: int, names: Names) -> Value:
    return ETHERTYPES.get(value, f"{value:#06x}")


def _drop_reason(value: int, names: Names) -> Value:
    name = names.enums.get("skb_drop_reason", {}).get(value)
    return name.removeprefix("SKB_").removeprefix("DROP_REASON_") if name else value


def _ipv4(value: int, names: Names) -> Value:
    address, family = value & 0xFFFFFFFF, value >> 32
    if family == _INET6 and address in _NO_IPV4:
        return "IPv6"  # the address is not recorded
    return socket.inet_ntoa(address.to_bytes(4, "little"))


def _af(value: int, names: Names) -> Value:
    return ADDRESS_FAMILIES.get(value, value)


def _tcp_state(value: int, names: Names) -> Value:
    return TCP_STATES[value] if 0 < value < len(TCP_STATES) else value


def _ipc_kind(value: int, names: Names) -> Value:
    return IPC_KINDS[value] if value < len(IPC_KINDS) else value


def _enumerator(enum: str, prefix: str) -> Callable[[int, Names], Value]:
    # A function that names a number by an enum of the kernel.

    def name(value: int, names: Names) -> Value:
        found = names.enums.get(enum, {}).get(value)
        return found.removeprefix(prefix) if found else value

    return name


def _enum_flags(enum: str, prefix: str) -> Callable[[int, Names], Value]:
    # A function that names bits by an enum of the kernel.

    def name(value: int, names: Names) -> Value:
        table = names.enums.get(enum)
        if not table:
            return hex(value)
        # A value of several bits is a mask and names no bit.
        bits = [(bit, text.removeprefix(prefix)) for bit, text in sorted(table.items())]
        return "|".join(_flags(value, [b for b in bits if b[0].bit_count() == 1])) or 0

    return name


def _enum(name: str, value: int, names: Names) -> Value:
    return names.enums[name].get(value, value)


def _flags_of(name: str, value: int, names: Names) -> Value:
    bits = [bit for bit in sorted(names.enums[name].items()) if bit[0].bit_count() == 1]
    return ("|".join(_flags(value, bits)) or 0) if bits else hex(value)


def _lock_flags(value: int, names: Names) -> Value:
    return "|".join(_flags(value, LOCK_FLAGS)) or 0


#: Type of a field -> how its numbers are shown.
NAMERS: dict[str, Callable[[int, Names], Value]] = {
    "ksym": _ksym,
    "syscall": _syscall,
    "ret": _ret,
    "errno": _ret,
    "signal": _signal,
    "sig_code": _sig_code,
    "sig_result": _sig_result,
    "task_state": _task_state,
    "softirq": _softirq,
    "exit_code": _exit_code,
    "gfp": _gfp,
    "pf_error": _pf_error,
    "vm_fault": _enum_flags("vm_fault_reason", "VM_FAULT_"),
    "fault_flag": _enum_flags("fault_flag", "FAULT_FLAG_"),
    "vmscan_throttle": _enumerator("vmscan_throttle_state", "VMSCAN_THROTTLE_"),
    "compact_result": _enumerator("compact_result", "COMPACT_"),
    "cpuhp_state": _enumerator("cpuhp_state", "CPUHP_"),
    "ipc_kind": _ipc_kind,
    "ipv4": _ipv4,
    "af": _af,
    "tcp_state": _tcp_state,
    "dev": _dev,
    "blk_op": _blk_op,
    "blk_status": _blk_status,
    "ethertype": _ethertype,
    "drop_reason": _drop_reason,
    "lock_flags": _lock_flags,
}

#: Types with the name of an enum: ``enum:zone_type``.
_OF_ENUM = {"enum": _enum, "flags": _flags_of}


def namer_of(type_: str) -> Callable[[int, Names], Value] | None:
    """Return the function that names numbers of a type; None: numbers are shown as they are."""
    kind, _, enum = type_.partition(":")
    return partial(_OF_ENUM[kind], enum) if kind in _OF_ENUM else NAMERS.get(type_)
