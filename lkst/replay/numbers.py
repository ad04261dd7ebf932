# SPDX-License-Identifier: GPL-2.0-or-later
"""
Numbers that have names
-----------------------

What a number of a field's type (``recorder/types.h``) means. The traced kernel's
own tables come first; what stands here is either part of the interface to
programs and so never changes, or the same in all kernels that the recorder runs
on. A number that cannot be named for sure stays a number.
"""

from collections.abc import Callable, Iterable
import errno

from lkst.replay.signals import code_name, signal_name
from lkst.trace.facts import Names

__all__ = ("COMPANIONS", "NAMERS", "Value")

#: A number that is shown in decimal, or how something else is shown.
Value = int | str

#: Types whose numbers mean something together with another field. It stands in
#: the upper 32 bits; 32-bit programs have other numbers for system calls, and
#: signals have codes of their own.
COMPANIONS = {"syscall": "compat", "sig_code": "sig"}

_U64 = (1 << 64) - 1

# include/trace/events/signal.h
_SIG_RESULTS = ("delivered", "ignored", "already_pending", "overflow_fail", "lose_info")

_SOFTIRQS = "HI TIMER NET_TX NET_RX BLOCK IRQ_POLL TASKLET SCHED HRTIMER RCU".split()

# Where one number has two names, the kernel's; then include/linux/errno.h.
_ERRNOS = dict(errno.errorcode) | {
    11: "EAGAIN",
    35: "EDEADLK",
    95: "EOPNOTSUPP",
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
    517: "EPROBE_DEFER",
    518: "EOPENSTALE",
    519: "ENOPARAM",
    521: "EBADHANDLE",
    522: "ENOTSYNC",
    523: "EBADCOOKIE",
    524: "ENOTSUPP",
    525: "ETOOSMALL",
    526: "ESERVERFAULT",
    527: "EBADTYPE",
    528: "EJUKEBOX",
    529: "EIOCBQUEUED",
    530: "ERECALLCONFLICT",
}
_MAX_ERRNO = 4095  # include/linux/err.h

# include/linux/sched.h: the bits that have a letter, from the right
_STATE_LETTERS = "RSDTtXZP"
_TASK_UNINTERRUPTIBLE = 0x2
_TASK_DEAD = 0x80
_TASK_IDLE = 0x402  # uninterruptible, does not count as load
_TASK_RTLOCK_WAIT, _TASK_FROZEN = 0x1000, 0x8000
_PREEMPTED = 1 << 31

# enum x86_pf_error_code; bits 0 to 4 are told in words
_PF_FLAGS = (
    (1 << 3, "rsvd"),
    (1 << 5, "pk"),
    (1 << 6, "shstk"),
    (1 << 15, "sgx"),
    (1 << 31, "rmp"),
)

# enum req_op; the operations on zones have had other numbers
_REQ_OPS = {
    0: "READ",
    1: "WRITE",
    2: "FLUSH",
    3: "DISCARD",
    5: "SECURE_ERASE",
    9: "WRITE_ZEROES",
    34: "DRV_IN",
    35: "DRV_OUT",
}

# include/linux/blk_types.h; 14 to 18 have had other meanings
_BLK_STATUS = dict(
    enumerate(
        "OK NOTSUPP TIMEOUT NOSPC TRANSPORT TARGET RESV_CONFLICT MEDIUM PROTECTION RESOURCE"
        " IOERR DM_REQUEUE AGAIN DEV_RESOURCE".split()
    )
) | {19: "INVAL"}

# include/uapi/linux/if_ether.h
_ETHERTYPES = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x8035: "RARP",
    0x8100: "802.1Q",
    0x86DD: "IPv6",
    0x8809: "SLOW",
    0x8847: "MPLS",
    0x8863: "PPPoE_DISC",
    0x8864: "PPPoE",
    0x888E: "EAPOL",
    0x88A8: "802.1ad",
    0x88CC: "LLDP",
    0x88F7: "PTP",
}

# LCB_F_* of include/trace/events/lock.h
_LOCK_FLAGS = tuple(
    (1 << bit, name) for bit, name in enumerate("spin read write rt percpu mutex".split())
)


def _flags(value: int, table: Iterable[tuple[int, str]]) -> list[str]:
    """Take flags apart as the kernel's ``%pGg`` does: in the order of the table."""
    found = []
    for mask, name in table:
        if mask and value & mask == mask:
            found.append(name)
            value &= ~mask
    if value:
        found.append(hex(value))
    return found


def _ksym(value: int, names: Names) -> Value:
    # Functions are mostly named by where they begin.
    return (names.symbol(value) or hex(value)).removesuffix("+0x0")


def _syscall(value: int, names: Names) -> Value:
    number, compat = _low(value), value >> 32
    table = names.compat_syscalls if compat else names.syscalls
    # -1: a tracer took the system call back.
    return table.get(number, number)


def _low(value: int) -> int:
    """Give the lower 32 bits, which have a sign."""
    return (value & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)


def _ret(value: int, names: Names) -> Value:
    if -_MAX_ERRNO <= value < 0 and -value in _ERRNOS:
        return "-" + _ERRNOS[-value]
    return hex(value & _U64) if abs(value) > 1 << 31 else value


def _signal(value: int, names: Names) -> Value:
    return signal_name(value)


def _sig_code(value: int, names: Names) -> Value:
    code, signal = _low(value), value >> 32
    return code_name(signal, code)


def _sig_result(value: int, names: Names) -> Value:
    return _SIG_RESULTS[value] if value < len(_SIG_RESULTS) else value


def _task_state(value: int, names: Names) -> Value:
    """As sched_switch shows it: ``__task_state_index()`` of include/linux/sched.h."""
    if value & _PREEMPTED:
        # A preempted task counts as running, whatever it was about to do.
        return "R+"
    if value & _TASK_IDLE == _TASK_IDLE:
        return "I"
    if value & (_TASK_RTLOCK_WAIT | _TASK_FROZEN):
        value = _TASK_UNINTERRUPTIBLE
    if value & _TASK_DEAD:
        return "X"
    return _STATE_LETTERS[(value & 0x7F).bit_length()]


def _softirq(value: int, names: Names) -> Value:
    table = names.softirqs or _SOFTIRQS
    return table[value] if value < len(table) else value


def _exit_code(value: int, names: Names) -> Value:
    """``3`` for exit(3), ``SIGSEGV+core`` for a signal."""
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
    return "|".join(words + _flags(value & ~0x17, _PF_FLAGS))


def _dev(value: int, names: Names) -> Value:
    return f"{value >> 20}:{value & 0xFFFFF}"


def _blk_op(value: int, names: Names) -> Value:
    name = names.enums.get("req_op", {}).get(value)
    return name.removeprefix("REQ_OP_") if name else _REQ_OPS.get(value, value)


def _blk_status(value: int, names: Names) -> Value:
    return _BLK_STATUS.get(value, value)


def _ethertype(value: int, names: Names) -> Value:
    return _ETHERTYPES.get(value, f"{value:#06x}")


def _drop_reason(value: int, names: Names) -> Value:
    name = names.enums.get("skb_drop_reason", {}).get(value)
    return name.removeprefix("SKB_").removeprefix("DROP_REASON_") if name else value


def _lock_flags(value: int, names: Names) -> Value:
    return "|".join(_flags(value, _LOCK_FLAGS)) or 0


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
    "dev": _dev,
    "blk_op": _blk_op,
    "blk_status": _blk_status,
    "ethertype": _ethertype,
    "drop_reason": _drop_reason,
    "lock_flags": _lock_flags,
}
