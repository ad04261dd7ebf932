# SPDX-License-Identifier: GPL-2.0-or-later
"""
Resolver of probe expressions
-------------------------------

Resolves an expression with the kernel's BTF to the steps from a register to its
value.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
import re

from lkst.bpf import btf as kinds
from lkst.bpf.btf import Btf
from lkst.errors import Usage
from lkst.record.probe.access_path import (
    REGISTERS,
    Argument,
    Current,
    Load,
    Offset,
    Result,
    Signature,
    Source,
    Start,
    register_offset,
)
from lkst.record.probe.expr_parser import (
    AddressOf,
    Cast,
    ContainerOf,
    Dereference,
    Expression,
    Index,
    Name,
    Register,
    Select,
)
from lkst.util.nearest import nearest

__all__ = ("AnyType", "Pointer", "Typer", "Value", "id_of")

_MAX_DEPTH = 16


@dataclass(frozen=True)
class Pointer:
    """A pointer type that is not in BTF."""

    target: "AnyType"


#: The id of a type in BTF, or a pointer that is not in BTF.
AnyType = int | Pointer


@dataclass(frozen=True)
class Value:
    """A value: in a register, or in memory at an offset from a register."""

    start: Start
    steps: tuple[Load | Offset, ...]
    type: AnyType
    #: None: the value is in the register.
    offset: int | None = None
    bits: tuple[int, int] | None = None
    #: Whether the verifier knows the type of the pointer in the register.
    known: bool = False
    #: Whether its type is not known.
    untyped: bool = False


class Typer:
    """Resolves expressions."""

    def __init__(self, btf: Btf, signature: Signature) -> None:
        """:param signature: what there is to see"""
        self.btf = btf
        self._signature = signature

    def value(self, expression: Expression) -> Value:
        """Resolve an expression."""
        match expression:
            case Name(name):
                return self._name(name)
            case Register(name):
                return self._register(name)
            case Select(base, name, arrow):
                return self.select(self.value(base), name, arrow)
            case Index(base, index):
                return self._index(self.value(base), index)
            case Dereference(base):
                value = self.in_register(self.value(base))
                return replace(value, type=self._pointed(value.type), offset=0)
            case AddressOf(base):
                return self.address(self.value(base))
            case Cast(type_, stars, base):
                return self._cast(self.value(base), type_, stars)
            case ContainerOf(base, type_, members):
                return self._container(self.value(base), type_, members)

    def _name(self, name: str) -> Value:
        signature = self._signature
        for own, type_, word in signature.parameters:
            if own == name and signature.has_arguments:
                return self._argument(type_, word)
        if name == "ret":
            if not signature.returns:
                raise Usage("the return value is available only with --return")
            if signature.result == 0:
                raise Usage("the function returns nothing")
            if signature.result is None:
                return Value(Result(), (), self._u64(), untyped=True)
            known = self._to_struct(signature.result)
            return Value(Result(), (), signature.result, known=known)
        if name == "task":
            task = self.btf.find("task_struct", kinds.STRUCT)
            return Value(Current(), (), Pointer(task), known=True)
        if match := re.fullmatch(r"arg(\d{1,2})", name):
            if not signature.has_arguments:
                raise Usage("inside a function there are no arguments: use a register, such as %di")
            number = int(match[1])
            if number < len(signature.parameters):
                return self._argument(*signature.parameters[number][1:])
            if signature.parameters or number > 5:
                raise Usage(f"there is no argument {number}: the first is arg0")
            return Value(Argument(number), (), self._u64(), untyped=True)
        names = [own for own, _, _ in signature.parameters] if signature.has_arguments else []
        choice = nearest(name, names) or f": there are {', '.join([*names, 'task'])}"
        raise Usage(f"there is no {name!r}{choice}")

    def _argument(self, type_: int, word: int) -> Value:
        if self.btf.kind(self.btf.strip(type_)) in (kinds.STRUCT, kinds.UNION):
            raise Usage("it is a struct passed by value")
        return Value(Argument(word), (), type_, known=self._to_struct(type_))

    def _register(self, name: str) -> Value:
        offset = register_offset(name)
        if offset is None:
            raise Usage(f"there is no register %{name}{nearest(name, REGISTERS)}")
        if not self._signature.has_registers:
            raise Usage("registers are available only at FUNCTION+OFFSET")
        return Value(Source(offset), (), self._u64(), untyped=True)

    def _u64(self) -> int:
        # The names of gcc and clang.
        names = ("long unsigned int", "unsigned long")
        return next(filter(None, (self.btf.find(name, kinds.INT) for name in names)), 0)

    def kind(self, type_: AnyType) -> int:
        """Return the kind of a type without typedefs and qualifiers."""
        return kinds.PTR if isinstance(type_, Pointer) else self.btf.kind(self.btf.strip(type_))

    def _to_struct(self, type_: AnyType) -> bool:
        target = self.target(type_)
        return target is not None and self.kind(target) in (kinds.STRUCT, kinds.UNION)

    def target(self, type_: AnyType) -> AnyType | None:
        """Return the target of a pointer; None: it is not a pointer."""
        if isinstance(type_, Pointer):
            return type_.target
        type_ = self.btf.strip(type_)
        return self.btf.target(type_) if self.btf.kind(type_) == kinds.PTR else None

    def _pointed(self, type_: AnyType) -> AnyType:
        target = self.target(type_)
        if target is None:
            raise Usage(f"{self.declare(type_)} is not a pointer")
        if target == 0 or self.kind(target) == 0:
            raise Usage("a void * has no target type: cast it, such as (struct sock *)x")
        return target

    def declare(self, type_: AnyType) -> str:
        """Return a type in C syntax."""
        if isinstance(type_, Pointer):
            return f"{self.declare(type_.target)} *"
        return self.btf.declare(type_)

    def size(self, type_: AnyType) -> int:
        """Return the size of a type, in bytes."""
        return 8 if isinstance(type_, Pointer) else self.btf.size(type_)

    def in_register(self, value: Value) -> Value:
        """Load a value from memory into a register."""
        if value.offset is None:
            return value
        if value.bits:
            raise Usage("a bitfield is not a pointer")
        if self.kind(value.type) == kinds.ARRAY:
            element, _ = self.btf.array(self.btf.strip(id_of(value.type)))
            return replace(self.address(value), type=Pointer(element))
        step = Load(value.offset, self.size(value.type), value.known)
        known = value.known and self._to_struct(value.type)
        return Value(value.start, (*value.steps, step), value.type, known=known)

    def address(self, value: Value) -> Value:
        """Return the address of a value in memory."""
        if value.offset is None or value.bits:
            raise Usage("'&' needs a value in memory")
        steps = (*value.steps, Offset(value.offset)) if value.offset else value.steps
        known = value.known and not value.offset
        return Value(value.start, steps, Pointer(value.type), known=known)

    def select(self, value: Value, name: str, arrow: bool) -> Value:
        """Select a member."""
        is_pointer = self.target(value.type) is not None
        if arrow:
            value = self.in_register(value)
            value = replace(value, type=self._pointed(value.type), offset=0)
        elif is_pointer:
            raise Usage(f"{self.declare(value.type)} is a pointer: use ->{name}")
        if self.kind(value.type) not in (kinds.STRUCT, kinds.UNION) or value.offset is None:
            raise Usage(f"{self.declare(value.type)} has no members")
        struct = self.btf.strip(id_of(value.type))
        found = self._member(struct, name)
        if found is None:
            choice = nearest(name, (own for own, _ in self.choice(struct)))
            raise Usage(f"{self.declare(struct)} has no member {name!r}{choice}")
        type_, bit, bits = found
        if bits:
            # Read the storage unit of the declared type, as C does.
            size = max(self.size(type_), 1)
            start = bit // (8 * size) * size
            if bit + bits > 8 * (start + size):
                start, size = bit // 8, 8
            offset = value.offset + start
            return replace(value, type=type_, offset=offset, bits=(bit - 8 * start, bits))
        return replace(value, type=type_, offset=value.offset + bit // 8)

    def _member(self, struct: int, name: str, depth: int = 0) -> tuple[int, int, int] | None:
        """Find a member, also in anonymous members: type, first bit, bits of a bitfield."""
        for member in self.btf.members(struct):
            if member.name == name:
                return member.type, member.bit_offset, member.bit_size
            inner = self.btf.strip(member.type)
            if (
                not member.name
                and depth < _MAX_DEPTH
                and self.btf.kind(inner) in (kinds.STRUCT, kinds.UNION)
            ):
                found = self._member(inner, name, depth + 1)
                if found:
                    return found[0], found[1] + member.bit_offset, found[2]
        return None

    def choice(self, struct: int, depth: int = 0) -> Iterable[tuple[str, str]]:
        """Yield name and type of all members, also those of anonymous members."""
        for member in self.btf.members(struct):
            if member.name:
                bits = f" : {member.bit_size}" if member.bit_size else ""
                yield member.name, self.btf.declare(member.type) + bits
            elif depth < _MAX_DEPTH and self.btf.kind(self.btf.strip(member.type)) in (
                kinds.STRUCT,
                kinds.UNION,
            ):
                yield from self.choice(self.btf.strip(member.type), depth + 1)

    def _index(self, value: Value, index: int) -> Value:
        if value.offset is not None and self.kind(value.type) == kinds.ARRAY:
            element, length = self.btf.array(self.btf.strip(id_of(value.type)))
            if index >= length > 0:
                raise Usage(f"index {index} is out of range: 0 to {length - 1}")
            offset = value.offset + index * self.size(element)
            return replace(value, type=element, offset=offset)
        value = self.in_register(value)
        target = self._pointed(value.type)
        known = value.known and index == 0
        return replace(value, type=target, offset=index * self.size(target), known=known)

    def find(self, words: tuple[str, ...]) -> int:
        """Find a type by its name in C."""
        prefixes = {"struct": kinds.STRUCT, "union": kinds.UNION, "enum": kinds.ENUM}
        if words[0] in prefixes and len(words) == 2:
            found = self.btf.find(words[1], prefixes[words[0]])
        else:
            found = self.btf.find(" ".join(words), kinds.TYPEDEF, kinds.INT)
        if not found:
            raise Usage(f"the kernel has no type {' '.join(words)}")
        return found

    def _cast(self, value: Value, words: tuple[str, ...], stars: int) -> Value:
        type_: AnyType = 0 if words == ("void",) else self.find(words)
        for _ in range(stars):
            type_ = Pointer(type_)
        if self.kind(type_) in (kinds.STRUCT, kinds.UNION, kinds.ARRAY, 0):
            raise Usage(
                f"cannot cast to {self.declare(type_)}: cast to a pointer, {' '.join(words)} *"
            )
        return replace(self.in_register(value), type=type_, known=False, untyped=False)

    def _container(self, value: Value, words: tuple[str, ...], members: tuple[str, ...]) -> Value:
        struct = self.find(words)
        inner, offset = self.btf.strip(struct), 0
        for name in members:
            is_struct = self.btf.kind(inner) in (kinds.STRUCT, kinds.UNION)
            found = self._member(inner, name) if is_struct else None
            if found is None:
                raise Usage(f"{self.declare(inner)} has no member {name!r}")
            inner, offset = self.btf.strip(found[0]), offset + found[1] // 8
        value = self.in_register(value)
        if self.target(value.type) is None:
            raise Usage(f"{self.declare(value.type)} is not a pointer")
        steps = (*value.steps, Offset(-offset)) if offset else value.steps
        return Value(value.start, steps, Pointer(struct))


def id_of(type_: AnyType) -> int:
    """Return the id of a type that is in BTF."""
    assert isinstance(type_, int)
    return type_
