# SPDX-License-Identifier: GPL-2.0-or-later
"""
BTF of the running kernel
-------------------------

Types of the kernel and its modules, read with libbpf: ``struct btf_type`` and the data
after it in include/uapi/linux/btf.h.
"""

from collections.abc import Iterator
import contextlib
import ctypes
import os
from pathlib import Path
import struct
from typing import NamedTuple

from lkst.bpf.libbpf import BPFError, library

__all__ = (
    "ARRAY",
    "ENUM",
    "ENUM64",
    "FUNC",
    "FWD",
    "INT",
    "PTR",
    "STRUCT",
    "TYPEDEF",
    "UNION",
    "Btf",
    "Member",
    "modules_with_btf",
    "open_btf",
    "read_enums",
)

# enum of include/uapi/linux/btf.h
INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF = range(1, 9)
VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO = range(9, 14)
TYPE_TAG, ENUM64 = 18, 19

_THROUGH = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)
_SIGNED, _BOOL = 1, 4  # BTF_INT_SIGNED, BTF_INT_BOOL
_FLAG = 1 << 31
_MAX_DEPTH = 64

_TYPE = struct.Struct("<III")  # name, info, size or type
_PARAM = struct.Struct("<II")  # name, type
_MEMBER = struct.Struct("<III")  # name, type, offset
_ARRAY = struct.Struct("<III")  # element, index type, length
_ENUMERATOR = struct.Struct("<Ii")  # name, value
_ENUMERATOR64 = struct.Struct("<III")  # name, lower, upper half

FOLDER = Path("/sys/kernel/btf")


class Member(NamedTuple):
    """A member of a struct or union."""

    #: "" if it is anonymous.
    name: str
    type: int
    #: Offset in the struct, in bits.
    bit_offset: int
    #: Bits of a bitfield, otherwise 0.
    bit_size: int


def modules_with_btf(folder: Path = FOLDER) -> list[str]:
    """Return the modules that have BTF."""
    with contextlib.suppress(OSError):
        return sorted(path.name for path in folder.iterdir() if path.name != "vmlinux")
    return []


@contextlib.contextmanager
def open_btf(module: str = "", file: Path | None = None) -> Iterator["Btf"]:
    """
    Open the types of the kernel, or of a module together with those of the kernel.

    :param file: an ELF file or raw BTF, instead of the kernel's
    :raises BPFError: if there is no BTF
    """
    lib = library()
    lib.btf__type_by_id.restype = ctypes.c_void_p
    lib.btf__name_by_offset.restype = ctypes.c_char_p
    lib.btf__load_module_btf.restype = ctypes.c_void_p
    lib.btf__parse.restype = ctypes.c_void_p
    base = ctypes.c_void_p(
        lib.btf__parse(os.fsencode(file), None) if file else lib.btf__load_vmlinux_btf()
    )
    if not base.value:
        reason = os.strerror(ctypes.get_errno())
        raise BPFError(f"{file or FOLDER / 'vmlinux'}: cannot be read: {reason}")
    own = base
    try:
        if module:
            own = ctypes.c_void_p(lib.btf__load_module_btf(module.encode(), base))
            if not own.value:
                raise BPFError(f"module {module} has no BTF")
        yield Btf(lib, own)
    finally:
        if own.value and own is not base:
            lib.btf__free(own)
        lib.btf__free(base)


class Btf:
    """Types by their ids; 0 is void."""

    def __init__(self, lib: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self._lib = lib
        self._handle = handle

    def find(self, name: str, *kinds: int) -> int:
        """Find a type by its name; 0: there is none."""
        for kind in kinds:
            id_: int = self._lib.btf__find_by_name_kind(self._handle, name.encode(), kind)
            if id_ > 0:
                return id_
        return 0

    def kind(self, id_: int) -> int:
        """Return the kind of a type."""
        return self._head(id_)[1] >> 24 & 31 if id_ else 0

    def name(self, id_: int) -> str:
        """Return the name of a type, "" if it is anonymous."""
        return self._text(self._head(id_)[0]) if id_ else "void"

    def target(self, id_: int) -> int:
        """Return the target of a pointer, typedef or qualifier, or the result of a function."""
        return self._head(id_)[2]

    def strip(self, id_: int) -> int:
        """Resolve typedefs, qualifiers and forward declarations."""
        for _ in range(_MAX_DEPTH):
            kind = self.kind(id_)
            if kind == FWD:
                return self.find(self.name(id_), STRUCT, UNION) or id_
            if kind not in _THROUGH:
                break
            id_ = self.target(id_)
        return id_

    def typedefs(self, id_: int) -> list[str]:
        """Return the typedefs of a type, the outermost first."""
        names = []
        for _ in range(_MAX_DEPTH):
            kind = self.kind(id_)
            if kind not in _THROUGH:
                break
            if kind == TYPEDEF:
                names.append(self.name(id_))
            id_ = self.target(id_)
        return names

    def size(self, id_: int) -> int:
        """Return the size of a type in bytes; 0 if it has none."""
        id_ = self.strip(id_)
        kind = self.kind(id_)
        if kind == PTR:
            return 8
        if kind == ARRAY:
            element, length = self.array(id_)
            return self.size(element) * length
        return self.target(id_) if kind in (INT, STRUCT, UNION, ENUM, ENUM64) else 0

    def is_signed(self, id_: int) -> bool:
        """Return whether an integer or enum is signed."""
        id_ = self.strip(id_)
        if self.kind(id_) == INT:
            return bool(self._encoding(id_) & _SIGNED)
        return self.kind(id_) in (ENUM, ENUM64) and bool(self._head(id_)[1] & _FLAG)

    def is_bool(self, id_: int) -> bool:
        """Return whether an integer is a bool."""
        id_ = self.strip(id_)
        return self.kind(id_) == INT and bool(self._encoding(id_) & _BOOL)

    def array(self, id_: int) -> tuple[int, int]:
        """Return the type of an array's elements, and their number."""
        element, _, length = _ARRAY.unpack(self._behind(id_, _ARRAY.size))
        return element, length

    def members(self, id_: int) -> list[Member]:
        """Return the members of a struct or union."""
        info = self._head(id_)[1]
        found = []
        for name, type_, offset in self._entries(id_, _MEMBER):
            bits = offset >> 24 if info & _FLAG else 0
            found.append(
                Member(self._text(name), type_, offset & 0xFFFFFF if info & _FLAG else offset, bits)
            )
        return found

    def parameters(self, id_: int) -> list[tuple[str, int]]:
        """Return name and type of the parameters of a function or prototype."""
        if self.kind(id_) == FUNC:
            id_ = self.target(id_)
        return [(self._text(name), type_) for name, type_ in self._entries(id_, _PARAM)]

    def result(self, id_: int) -> int:
        """Return the type of a function's result."""
        return self.target(self.target(id_) if self.kind(id_) == FUNC else id_)

    def enumerators(self, id_: int) -> list[tuple[str, int]]:
        """Return names and values of an enum."""
        signed = self.is_signed(id_)
        if self.kind(id_) == ENUM64:
            wide = [
                (self._text(n), h << 32 | low) for n, low, h in self._entries(id_, _ENUMERATOR64)
            ]
            return [(name, v - (1 << 64) if signed and v >> 63 else v) for name, v in wide]
        return [(self._text(name), value) for name, value in self._entries(id_, _ENUMERATOR)]

    def declare(self, id_: int, name: str = "") -> str:
        """Return a type in C syntax, or the declaration of a variable of that type."""
        space = " " if name else ""
        match self.kind(id_):
            case 0:
                return f"void{space}{name}"
            case kind if kind == PTR:
                target = self.target(id_)
                if self.kind(self._unqualified(target)) in (ARRAY, FUNC_PROTO):
                    return self.declare(target, f"(*{name})")
                return self.declare(target, f"*{name}")
            case kind if kind == ARRAY:
                element, length = self.array(id_)
                return self.declare(element, f"{name}[{length}]")
            case kind if kind == FUNC_PROTO:
                words = ", ".join(self.declare(type_) for _, type_ in self.parameters(id_))
                return self.declare(self.target(id_), f"{name}({words or 'void'})")
            case kind if kind == CONST:
                return f"const {self.declare(self.target(id_), name)}"
            case kind if kind in (VOLATILE, RESTRICT, TYPE_TAG):
                return self.declare(self.target(id_), name)
            case kind:
                words_ = {STRUCT: "struct ", UNION: "union ", FWD: "struct ", ENUM: "enum "}
                return f"{words_.get(kind, '')}{self.name(id_) or '{...}'}{space}{name}"

    def _unqualified(self, id_: int) -> int:
        while self.kind(id_) in (CONST, VOLATILE, RESTRICT, TYPE_TAG):
            id_ = self.target(id_)
        return id_

    def _address(self, id_: int) -> int:
        address: int | None = self._lib.btf__type_by_id(self._handle, id_)
        if not address:
            raise BPFError(f"the kernel's BTF has no type {id_}")
        return address

    def _head(self, id_: int) -> tuple[int, int, int]:
        name, info, third = _TYPE.unpack(ctypes.string_at(self._address(id_), _TYPE.size))
        return name, info, third

    def _behind(self, id_: int, size: int) -> bytes:
        return ctypes.string_at(self._address(id_) + _TYPE.size, size)

    def _entries(self, id_: int, entry: struct.Struct) -> Iterator[tuple[int, ...]]:
        count = self._head(id_)[1] & 0xFFFF
        return entry.iter_unpack(self._behind(id_, count * entry.size))

    def _encoding(self, id_: int) -> int:
        return int.from_bytes(self._behind(id_, 4), "little") >> 24 & 15

    def _text(self, offset: int) -> str:
        raw: bytes | None = self._lib.btf__name_by_offset(self._handle, offset)
        return (raw or b"").decode(errors="replace")


def read_enums(names: list[str]) -> dict[str, dict[int, str]]:
    """
    Read enums of the kernel: name of the enum -> value -> name.

    The first name of a value counts. Enums that cannot be read are empty.
    """
    enums: dict[str, dict[int, str]] = {name: {} for name in names}
    with contextlib.suppress(BPFError), open_btf() as btf:
        for name in names:
            if id_ := btf.find(name, ENUM, ENUM64):
                for text, value in btf.enumerators(id_):
                    enums[name].setdefault(value, text)
    return enums
