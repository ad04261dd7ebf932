# SPDX-License-Identifier: GPL-2.0-or-later
"""
libbpf
------

The library, its messages and its errors.
"""

from collections.abc import Iterator
import contextlib
import ctypes
import os
from pathlib import Path
from typing import Any

from lkst.errors import LkstError

__all__ = (
    "BPFError",
    "ForbiddenError",
    "check",
    "get_info",
    "last_words",
    "library",
    "log",
    "pin_fd",
    "pinned",
)

_LIBBPF_INFO = 1  # enum libbpf_print_level
_MAX_MESSAGE = 1 << 18  # the verifier's log comes in one
_Print = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class BPFError(LkstError):
    """libbpf or the kernel refused something."""

    #: Whether the verifier refused it.
    by_verifier = False


class ForbiddenError(BPFError):
    """A policy of the machine forbids to load any program."""


_lib: ctypes.CDLL | None = None

#: Messages of libbpf since this was cleared.
log: list[str] = []


def _collect(level: int, format_: bytes, arguments: int) -> int:
    if level <= _LIBBPF_INFO:
        buffer = ctypes.create_string_buffer(_MAX_MESSAGE)
        ctypes.CDLL(None).vsnprintf(buffer, len(buffer), format_, ctypes.c_void_p(arguments))
        log.append(buffer.value.decode(errors="replace").rstrip())
    return 0


# Keep a reference: libbpf calls it as long as it is loaded.
_print = _Print(_collect)


def library() -> ctypes.CDLL:
    """
    Load libbpf.

    :raises BPFError: if it is not installed
    """
    global _lib
    if _lib is None:
        try:
            lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
        except OSError:
            raise BPFError("libbpf.so.1 is missing: install libbpf1 (Debian) or libbpf") from None
        for name in (
            "bpf_object__open_file",
            "bpf_object__next_program",
            "bpf_object__next_map",
            "bpf_object__find_map_by_name",
            "bpf_object__find_program_by_name",
            "bpf_program__attach",
            "bpf_program__attach_freplace",
            "bpf_program__attach_kprobe_opts",
            "bpf_program__insns",
            "bpf_map__initial_value",
            "btf__load_vmlinux_btf",
            "ring_buffer__new",
        ):
            getattr(lib, name).restype = ctypes.c_void_p
        for name in ("bpf_map__name", "bpf_program__name", "bpf_program__section_name"):
            getattr(lib, name).restype = ctypes.c_char_p
        lib.bpf_program__insn_cnt.restype = ctypes.c_size_t
        lib.libbpf_set_print.argtypes = (_Print,)
        lib.libbpf_set_print(_print)
        _lib = lib
    return _lib


def check(result: int, what: str) -> int:
    """
    Return the result of a libbpf function, or raise its error.

    :param what: description of the operation, for the message
    :raises BPFError: if it is an error, with libbpf's messages
    """
    if result < 0:
        raise BPFError(f"{what}: {os.strerror(-result)}" + last_words())
    return result


def last_words() -> str:
    """Return the last lines of libbpf and the verifier, each indented on its own line."""
    # The last lines are the verifier's statistics; the reason is before them.
    lines = [line for entry in log for line in entry.splitlines() if line.strip()]
    return "".join(f"\n  {line}" for line in lines[-30:])


@contextlib.contextmanager
def pinned(pin: Path) -> Iterator[int]:
    """
    Open a pin, as a file descriptor.

    :raises OSError: if it does not exist or permission is missing
    """
    fd = library().bpf_obj_get(os.fsencode(pin))
    if fd < 0:
        error = -fd if fd != -1 else ctypes.get_errno()
        raise OSError(error, os.strerror(error), str(pin))
    try:
        yield fd
    finally:
        os.close(fd)


def pin_fd(fd: int, pin: Path) -> None:
    """Pin the object of a file descriptor."""
    check(library().bpf_obj_pin(fd, os.fsencode(pin)), f"pin {pin}")


def get_info(fd: int, info: Any) -> None:
    """
    Get the kernel's information about a program, map or link.

    :param info: structure to fill in; unknown members stay 0
    :raises BPFError: if it fails
    """
    size = ctypes.c_uint32(ctypes.sizeof(info))
    check(
        library().bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)),
        "bpf_obj_get_info_by_fd",
    )
