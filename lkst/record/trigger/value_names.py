# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names of this machine's numbers
-------------------------------

Maps the names that a replay shows for numbers back to numbers, as they are on the
running machine.
"""

from collections.abc import Callable, Mapping
import contextlib
import ctypes
import functools
from pathlib import Path
import re

from lkst.abi.kernel_constants import (
    BLK_STATUS,
    ERRNOS,
    ETHERTYPES,
    LOCK_FLAGS,
    PF_FLAGS,
    REQ_OPS,
    SIG_RESULTS,
    SOFTIRQS,
)
from lkst.abi.signals import code_name, signal_name
from lkst.bpf.btf import read_enums

__all__ = ("LiveNames", "read_symbols", "read_syscalls")

_KALLSYMS = Path("/proc/kallsyms")

# Headers of the C library, if they are installed.
_HEADERS = (
    Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    Path("/usr/include/asm/unistd_64.h"),
)
_SCMP_ARCH_X86_64 = 0xC000003E
_MAX_SYSCALLS = 1024

#: enum x86_pf_error_code: words for bits that are set and bits that are clear.
_PF_WORDS = {
    "not-present": 0,
    "prot": 1,
    "read": 0,
    "write": 2,
    "kernel": 0,
    "user": 4,
    "instr": 16,
}

_MAX_SIGNAL = 64
_SYMBOL = re.compile(r"(.+?)(?:\+0x([0-9a-f]{1,8}))?")


def read_syscalls() -> dict[str, int]:
    """
    Return the system calls of 64-bit programs: name -> number; empty if not known.

    The numbers are part of the kernel's ABI, so any source is right.
    """
    names: dict[str, int] = {}
    for header in _HEADERS:
        with contextlib.suppress(OSError):
            found = re.findall(r"^#define __NR_(\w+) (\d+)$", header.read_text(), re.MULTILINE)
            names |= {name: int(number) for name, number in found}
    return names | _seccomp_syscalls()


def _seccomp_syscalls() -> dict[str, int]:
    """Ask libseccomp, which systemd depends on."""
    try:
        lib = ctypes.CDLL("libseccomp.so.2")
        free = ctypes.CDLL(None).free
    except OSError:
        return {}
    resolve = lib.seccomp_syscall_resolve_num_arch
    resolve.restype = ctypes.c_void_p
    names = {}
    for number in range(_MAX_SYSCALLS):
        address = resolve(ctypes.c_uint32(_SCMP_ARCH_X86_64), number)
        if address:
            names[ctypes.string_at(address).decode()] = number
            free(ctypes.c_void_p(address))
    return names


def read_symbols(path: Path = _KALLSYMS) -> dict[str, int]:
    """
    Read the kernel's symbols, except hidden and ambiguous ones.

    :param path: a file in the format of /proc/kallsyms
    """
    symbols: dict[str, int] = {}
    several = set()
    with contextlib.suppress(OSError), path.open() as lines:
        for line in lines:
            words = line.split()
            if len(words) < 3:
                continue
            address, name = int(words[0], 16), words[2]
            if address and symbols.setdefault(name, address) != address:
                several.add(name)
    return {name: address for name, address in symbols.items() if name not in several}


def _inverse(names: Mapping[int, str]) -> dict[str, int]:
    return {name: number for number, name in names.items()}


def _signals() -> dict[str, int]:
    names = {number: signal_name(number) for number in range(1, _MAX_SIGNAL + 1)}
    return {name: number for number, name in names.items() if isinstance(name, str)}


def _sig_codes() -> dict[str, int]:
    """Return codes; a code of one signal only has the signal in the upper 32 bits."""
    codes: dict[str, int] = {}
    for signal in range(_MAX_SIGNAL + 1):
        for code in range(-64, 0x81):
            name = code_name(signal, code)
            if isinstance(name, str):
                codes.setdefault(name, signal << 32 | code & 0xFFFFFFFF)
    return codes


def _exit_codes() -> dict[str, int]:
    signals = {name: number for name, number in _signals().items() if number < 0x7F}
    return signals | {f"{name}+core": number | 0x80 for name, number in signals.items()}


def _flags(table: dict[str, int], word: str) -> int | None:
    """Parse ``spin|read``."""
    value = 0
    for name in word.split("|"):
        if name not in table:
            return None
        value |= table[name]
    return value


class LiveNames:
    """Values of names on this machine, looked up on demand."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[str, int]] = {}

    def value_of(self, field_type: str, word: str) -> int | None:
        """Return the number that a replay shows as a word, or None."""
        match field_type:
            case "dev":
                match = re.fullmatch(r"([0-9]{1,4}):([0-9]{1,7})", word)
                number = int(match[1]) << 20 | int(match[2]) if match else None
                return number if match and int(match[2]) < 1 << 20 else None
            case "ksym":
                return self._symbol(word)
            case "lock_flags" | "pf_error":
                return _flags(self._table(field_type), word)
            case _ if field_type.startswith("flags:"):
                return _flags(self._table(field_type), word)
            case "ret" | "errno" if not word.startswith("-"):
                word = f"-{word}"
        return self._table(field_type).get(word)

    def words(self, field_type: str) -> list[str]:
        """Return all words of a type; none if they are not known."""
        return list(self._table(field_type))

    @functools.cached_property
    def _enums(self) -> dict[str, dict[int, str]]:
        return read_enums(["req_op", "skb_drop_reason"])

    def _table(self, field_type: str) -> dict[str, int]:
        if field_type not in self._tables:
            _, _, enum = field_type.partition(":")
            make = self._makers.get(field_type, lambda: _inverse(read_enums([enum])[enum]))
            self._tables[field_type] = make() if enum or field_type in self._makers else {}
        return self._tables[field_type]

    @property
    def _makers(self) -> dict[str, Callable[[], dict[str, int]]]:
        return {
            "signal": _signals,
            "sig_code": _sig_codes,
            "sig_result": lambda: _inverse(dict(enumerate(SIG_RESULTS))),
            "softirq": lambda: _inverse(dict(enumerate(SOFTIRQS))),
            "exit_code": _exit_codes,
            "ret": _errnos,
            "errno": _errnos,
            "blk_op": self._block_operations,
            "blk_status": lambda: _inverse(BLK_STATUS),
            "ethertype": lambda: _inverse(ETHERTYPES),
            "drop_reason": self._drop_reasons,
            "lock_flags": lambda: _inverse(dict(LOCK_FLAGS)),
            "pf_error": lambda: _PF_WORDS | _inverse(dict(PF_FLAGS)),
            "syscall": read_syscalls,
            "ksym": read_symbols,
        }

    def _block_operations(self) -> dict[str, int]:
        own = {value: name.removeprefix("REQ_OP_") for value, name in self._enums["req_op"].items()}
        return _inverse(REQ_OPS | own)

    def _drop_reasons(self) -> dict[str, int]:
        reasons = self._enums["skb_drop_reason"]
        return {
            name.removeprefix("SKB_").removeprefix("DROP_REASON_"): value
            for value, name in reasons.items()
        }

    def _symbol(self, word: str) -> int | None:
        symbols = self._table("ksym")
        match = _SYMBOL.fullmatch(word)
        if word in symbols or not match or match[1] not in symbols:
            return symbols.get(word)
        return symbols[match[1]] + int(match[2] or "0", 16)


def _errnos() -> dict[str, int]:
    return {f"-{name}": -number for number, name in ERRNOS.items()}
