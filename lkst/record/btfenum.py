# SPDX-License-Identifier: GPL-2.0-or-later
"""
Enums of the running kernel
---------------------------

Read from its BTF by libbpf: ``struct btf_type`` and ``struct btf_enum`` of
include/uapi/linux/btf.h.
"""

import ctypes
import struct

from lkst.record.libbpf import BPFError, library

__all__ = ("read_enums",)

_KIND_ENUM = 6
_MAX_VLEN = 0xFFFF
_TYPE = struct.Struct("<III")  # name, info, size
_ENUMERATOR = struct.Struct("<Ii")  # name, value


def read_enums(names: list[str]) -> dict[str, dict[int, str]]:
    """
    Read enums: by name, by value.

    Of several names for a value the first counts. What cannot be read is empty.
    """
    enums: dict[str, dict[int, str]] = {name: {} for name in names}
    try:
        lib = library()
    except BPFError:
        return enums
    lib.btf__type_by_id.restype = ctypes.c_void_p
    lib.btf__name_by_offset.restype = ctypes.c_char_p
    btf = ctypes.c_void_p(lib.btf__load_vmlinux_btf())
    if not btf.value:
        return enums
    try:
        for name in names:
            id_ = lib.btf__find_by_name_kind(btf, name.encode(), _KIND_ENUM)
            if id_ > 0:
                enums[name] = _read(lib, btf, lib.btf__type_by_id(btf, id_))
    finally:
        lib.btf__free(btf)
    return enums


def _read(lib: ctypes.CDLL, btf: ctypes.c_void_p, address: int) -> dict[int, str]:
    _, info, _ = _TYPE.unpack(ctypes.string_at(address, _TYPE.size))
    size = (info & _MAX_VLEN) * _ENUMERATOR.size
    found: dict[int, str] = {}
    for name, value in _ENUMERATOR.iter_unpack(ctypes.string_at(address + _TYPE.size, size)):
        found.setdefault(value, lib.btf__name_by_offset(btf, name).decode())
    return found
