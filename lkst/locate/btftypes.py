# SPDX-License-Identifier: GPL-2.0-or-later
"""
Types of ring buffer records
----------------------------

A ring buffer has no type. But programs carry BTF of their structures: if exactly one
structure of the programs that can write to a buffer has a record's size, it is the type.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from drgn import FaultError, Object, Program
from drgn.helpers.linux.bpf import bpf_prog_for_each

from drgn_plugins.lkst_btf import BTF, BTFError
from lkst.trace.foreign import Value

__all__ = ("Typed", "record_types", "typed_by")

# enum btf_kind: include/uapi/linux/btf.h
_INT, _ARRAY, _STRUCT, _ENUM, _ENUM64 = 1, 3, 4, 6, 19
_THROUGH = {8, 9, 10, 11, 18}  # typedef, volatile, const, restrict, type tag
_SIGNED, _CHAR = 1, 2

_MAX_BTF = 1 << 24
_MAX_MAPS = 1 << 10
_MAX_DEPTH = 8

_FAULTS = (AttributeError, BTFError, FaultError, IndexError, LookupError, ValueError)

#: From a record's bytes to the name of its type and the values of its members.
Typed = Callable[[bytes], tuple[str, dict[str, Value]] | None]


def record_types(prog: Program) -> dict[int, Typed]:
    """Return a function that types the records of each map, by address of its struct bpf_map."""
    found: dict[int, dict[int, BTF]] = defaultdict(dict)
    read: dict[int, BTF] = {}
    try:
        for program in bpf_prog_for_each(prog):
            btf = program.aux.btf
            address = btf.value_()
            if not address:
                continue
            if address not in read:
                read[address] = _read(prog, btf)
            for index in range(min(program.aux.used_map_cnt.value_(), _MAX_MAPS)):
                found[program.aux.used_maps[index].value_()][address] = read[address]
    except _FAULTS:
        pass
    return {address: typed_by(list(btfs.values())) for address, btfs in found.items()}


def _read(prog: Program, btf: Object) -> BTF:
    size = btf.data_size.value_()
    if size > _MAX_BTF:
        raise BTFError("a program's BTF is too large")
    return BTF(prog.read(btf.data.value_(), size))


def typed_by(btfs: Sequence[BTF]) -> Typed:
    """
    Return a function that finds the type of a record.

    :param btfs: of the programs that may have written them
    """
    by_size: dict[int, dict[str, tuple[BTF, int]]] = defaultdict(dict)
    for btf in btfs:
        for type_id in range(1, len(btf)):
            if btf.kind(type_id) == _STRUCT and btf.name(type_id):
                by_size[btf.size(type_id)].setdefault(btf.name(type_id), (btf, type_id))

    def typed(data: bytes) -> tuple[str, dict[str, Value]] | None:
        candidates = by_size.get(len(data), {})
        if len(candidates) != 1:
            return None
        ((name, (btf, type_id)),) = candidates.items()
        try:
            return name, dict(_members(btf, type_id, data))
        except _FAULTS:
            return None

    return typed


def _members(
    btf: BTF, type_id: int, data: bytes, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, Value]]:
    for member in btf.members(type_id):
        target = _strip(btf, member.type_id)
        size = _size(btf, target)
        start, rest = divmod(member.bit_offset, 8)
        raw = data[start : start + size]
        name = prefix + member.name
        kind = btf.kind(target) if target else 0
        if kind == _STRUCT and not member.bit_size and depth < _MAX_DEPTH:
            yield from _members(btf, target, raw, f"{name}." if member.name else prefix, depth + 1)
        elif kind in (_INT, _ENUM, _ENUM64):
            signed = kind == _INT and bool(btf.encoding(target) & _SIGNED)
            number = int.from_bytes(raw, "little", signed=signed and not member.bit_size)
            if member.bit_size:
                number = number >> rest & (1 << member.bit_size) - 1
            yield name, number
        elif kind == _ARRAY and _is_text(btf, target):
            yield name, raw.split(b"\0", 1)[0].decode("utf-8", "replace")
        else:
            yield name, "0x" + raw.hex()


def _strip(btf: BTF, type_id: int) -> int:
    for _ in range(64):
        if not type_id or btf.kind(type_id) not in _THROUGH:
            break
        type_id = btf.target(type_id)
    return type_id


def _size(btf: BTF, type_id: int) -> int:
    if not type_id:
        return 0
    kind = btf.kind(type_id)
    if kind == _ARRAY:
        element, length = btf.array(type_id)
        return _size(btf, _strip(btf, element)) * length
    # A pointer's entry has its target there.
    return 8 if kind == 2 else btf.size(type_id)


def _is_text(btf: BTF, type_id: int) -> bool:
    element, _ = btf.array(type_id)
    element = _strip(btf, element)
    if not element or btf.kind(element) != _INT or btf.size(element) != 1:
        return False
    return bool(btf.encoding(element) & _CHAR) or btf.name(element) == "char"
