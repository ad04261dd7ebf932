# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs
--------

Loaded programs: their ids, run statistics, and test runs.
"""

from collections.abc import Iterable, Iterator
import contextlib
import ctypes
import errno
import os
from pathlib import Path

from lkst.bpf.libbpf import BPFError, check, get_info, library, pinned

__all__ = (
    "linked_programs",
    "pinned_program",
    "prog_info",
    "program_by_id",
    "programs_named",
    "recursion_misses",
    "run_pinned",
    "run_statistics",
    "run_time_statistics",
)

_STATS_RUN_TIME = 0  # include/uapi/linux/bpf.h


class _TestRunOpts(ctypes.Structure):
    # struct bpf_test_run_opts, tools/lib/bpf/bpf.h
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_void_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    )


class _ProgInfo(ctypes.Structure):
    # struct bpf_prog_info, include/uapi/linux/bpf.h
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("middle", ctypes.c_uint8 * 56),
        ("name", ctypes.c_char * 16),
        ("rest", ctypes.c_uint8 * 112),
        ("run_time_ns", ctypes.c_uint64),
        ("run_cnt", ctypes.c_uint64),
        ("recursion_misses", ctypes.c_uint64),
        ("tail", ctypes.c_uint32 * 4),
    )


class _LinkInfo(ctypes.Structure):
    # struct bpf_link_info, include/uapi/linux/bpf.h
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("prog_id", ctypes.c_uint32),
        ("tail", ctypes.c_uint32 * 13),
    )


def run_pinned(pin: Path, context: bytes = b"") -> int:
    """
    Run a pinned program once, with these bytes as its context.

    :return: its return value
    """
    with pinned(pin) as fd:
        given = ctypes.create_string_buffer(context, len(context))
        options = _TestRunOpts(
            sz=ctypes.sizeof(_TestRunOpts),
            ctx_in=ctypes.addressof(given) if context else None,
            ctx_size_in=len(context),
        )
        check(library().bpf_prog_test_run_opts(fd, ctypes.byref(options)), f"run {pin.name}")
        return int(options.retval)


@contextlib.contextmanager
def program_by_id(prog_id: int) -> Iterator[int]:
    """
    Open a loaded program, as a file descriptor.

    :raises BPFError: if there is none
    """
    fd = library().bpf_prog_get_fd_by_id(prog_id)
    check(fd, f"program {prog_id}")
    try:
        yield fd
    finally:
        os.close(fd)


def prog_info(fd: int) -> tuple[int, int]:
    """
    Ask the kernel about a program.

    :return: its id, and how often it was skipped because it was already running
    """
    info = _ProgInfo()
    get_info(fd, info)
    return int(info.id), int(info.recursion_misses)


def pinned_program(pin: Path) -> int | None:
    """Return the id of a pinned program; None: it is no longer there."""
    try:
        with pinned(pin) as fd:
            return prog_info(fd)[0]
    except (OSError, BPFError):
        return None


def programs_named(name: str) -> list[int]:
    """
    Return the ids of all loaded programs of a name, from any process.

    :raises BPFError: if permission is missing
    """
    found = []
    id_ = ctypes.c_uint32()
    while not (result := library().bpf_prog_get_next_id(id_, ctypes.byref(id_))):
        info = _ProgInfo()
        # It may just have been unloaded.
        with contextlib.suppress(BPFError), program_by_id(id_.value) as fd:
            get_info(fd, info)
            if info.name == name.encode():
                found.append(int(info.id))
    if result != -errno.ENOENT:
        check(result, "bpf_prog_get_next_id")
    return found


@contextlib.contextmanager
def run_time_statistics() -> Iterator[None]:
    """
    Enable run statistics of programs (BPF_ENABLE_STATS, since Linux 5.8).

    :raises BPFError: if it fails
    """
    fd = check(library().bpf_enable_stats(_STATS_RUN_TIME), "bpf_enable_stats")
    try:
        yield
    finally:
        os.close(fd)


def run_statistics(prog_id: int) -> tuple[int, int, int]:
    """
    Return the statistics of a program.

    :return: time in ns, runs, and runs that were skipped because it was already running
    """
    info = _ProgInfo()
    with program_by_id(prog_id) as fd:
        get_info(fd, info)
    return int(info.run_time_ns), int(info.run_cnt), int(info.recursion_misses)


def linked_programs(folder: Path, names: Iterable[str] | None = None) -> dict[str, int]:
    """
    Return the ids of the programs whose links are pinned in a folder, by pin name.

    :param names: names of the pins; None: all
    """
    programs = {}
    for pin in folder.iterdir() if names is None else map(folder.joinpath, names):
        info = _LinkInfo()
        # It may just have been detached.
        with contextlib.suppress(FileNotFoundError), pinned(pin) as fd:
            get_info(fd, info)
            programs[pin.name] = int(info.prog_id)
    return programs


def recursion_misses(prog_id: int) -> int:
    """Return how often the kernel skipped a program because it was already running."""
    try:
        with program_by_id(prog_id) as fd:
            return prog_info(fd)[1]
    except BPFError:
        return 0
