# SPDX-License-Identifier: GPL-2.0-or-later
"""
Maps
----

Creating, pinning, reading and writing maps.
"""

import ctypes
import errno
import mmap
from pathlib import Path
from typing import Any

from lkst.bpf.libbpf import check, get_info, library, pinned

__all__ = ("create_array_map", "look_up", "map_id", "map_keys", "map_pinned", "update_map")

# include/uapi/linux/bpf.h
_MAP_TYPE_ARRAY = 2
_MMAPABLE, _INNER_MAP = 1 << 10, 1 << 12


class _MapCreateOpts(ctypes.Structure):
    # struct bpf_map_create_opts, tools/lib/bpf/bpf.h
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("btf_fd", ctypes.c_uint32),
        ("btf_key_type_id", ctypes.c_uint32),
        ("btf_value_type_id", ctypes.c_uint32),
        ("btf_vmlinux_value_type_id", ctypes.c_uint32),
        ("inner_map_fd", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
        ("map_extra", ctypes.c_uint64),
        ("numa_node", ctypes.c_uint32),
        ("map_ifindex", ctypes.c_uint32),
    )


class _MapInfo(ctypes.Structure):
    # struct bpf_map_info, include/uapi/linux/bpf.h
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
    )


def map_pinned(pin: Path, *, writable: bool = False) -> mmap.mmap:
    """
    Map a pinned, mmapable array map into this process.

    :raises OSError: if it does not exist or permission is missing
    """
    with pinned(pin) as fd:
        info = _MapInfo()
        get_info(fd, info)
        size = (info.value_size + 7) // 8 * 8 * info.max_entries
        size = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(fd, size, mmap.MAP_SHARED, protection)


def create_array_map(name: str, entries: int, value_size: int) -> int:
    """
    Create an mmapable array that fits a map of maps whatever its length.

    :param value_size: in bytes
    :return: file descriptor
    :raises BPFError: if there is not enough memory
    """
    options = _MapCreateOpts(sz=ctypes.sizeof(_MapCreateOpts), map_flags=_MMAPABLE | _INNER_MAP)
    fd: int = library().bpf_map_create(
        _MAP_TYPE_ARRAY, name.encode(), 4, value_size, entries, ctypes.byref(options)
    )
    return check(fd, f"make a map of {entries * value_size >> 10} KiB")


def update_map(pin: Path, key: int, value: int | None) -> None:
    """
    Set or delete an entry of a pinned map whose keys and values are 32 bits.

    When it returns, no program uses the old entry of a map of maps
    (synchronize_rcu in maybe_wait_bpf_programs, kernel/bpf/syscall.c).

    :param value: None: delete it
    """
    raw_key = ctypes.c_uint32(key)
    with pinned(pin) as fd:
        if value is None:
            result = library().bpf_map_delete_elem(fd, ctypes.byref(raw_key))
            if result == -errno.ENOENT:
                return
        else:
            raw_value = ctypes.c_uint32(value)
            result = library().bpf_map_update_elem(
                fd, ctypes.byref(raw_key), ctypes.byref(raw_value), ctypes.c_uint64(0)
            )
    check(result, f"write to {pin.name}")


def map_keys(pin: Path) -> list[int]:
    """Return the keys of a pinned hash map whose keys are 32 bits."""
    keys: list[int] = []
    key = ctypes.c_uint32()
    last: Any = None
    with pinned(pin) as fd:
        while library().bpf_map_get_next_key(fd, last, ctypes.byref(key)) == 0:
            keys.append(key.value)
            last = ctypes.byref(ctypes.c_uint32(key.value))
    return keys


def look_up(pin: Path, key: int) -> int | None:
    """Return an entry of a pinned map whose keys and values are 32 bits."""
    value = ctypes.c_uint32()
    with pinned(pin) as fd:
        result = library().bpf_map_lookup_elem(
            fd, ctypes.byref(ctypes.c_uint32(key)), ctypes.byref(value)
        )
    return None if result else value.value


def map_id(fd: int) -> int:
    """Return the id of a map."""
    info = _MapInfo()
    get_info(fd, info)
    return int(info.id)
