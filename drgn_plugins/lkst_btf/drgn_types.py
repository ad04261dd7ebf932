# SPDX-License-Identifier: GPL-2.0-or-later
"""
drgn's types
------------

Made out of BTF when they are asked for.
"""

import functools

from drgn import (
    Object,
    Program,
    Qualifiers,
    Type,
    TypeEnumerator,
    TypeKind,
    TypeKindSet,
    TypeMember,
    TypeParameter,
    sizeof,
)

from .btf import (
    BTF,
    INT_BOOL,
    INT_SIGNED,
    KIND_ARRAY,
    KIND_CONST,
    KIND_ENUM,
    KIND_ENUM64,
    KIND_FLOAT,
    KIND_FUNC_PROTO,
    KIND_FWD,
    KIND_INT,
    KIND_PTR,
    KIND_RESTRICT,
    KIND_STRUCT,
    KIND_TYPE_TAG,
    KIND_TYPEDEF,
    KIND_UNION,
    KIND_VOID,
    KIND_VOLATILE,
    BTFError,
    Member,
)

__all__ = ("Types",)

_QUALIFIERS = {
    KIND_CONST: Qualifiers.CONST,
    KIND_VOLATILE: Qualifiers.VOLATILE,
    KIND_RESTRICT: Qualifiers.RESTRICT,
}

_FOUND_AS = {
    TypeKind.INT: (KIND_INT,),
    TypeKind.BOOL: (KIND_INT,),
    TypeKind.FLOAT: (KIND_FLOAT,),
    TypeKind.STRUCT: (KIND_STRUCT,),
    TypeKind.UNION: (KIND_UNION,),
    TypeKind.ENUM: (KIND_ENUM, KIND_ENUM64),
    TypeKind.TYPEDEF: (KIND_TYPEDEF,),
}

# Integer types of enums, by size and signedness.
_ENUM_INTEGERS = {
    (1, False): "unsigned char",
    (1, True): "signed char",
    (2, False): "unsigned short",
    (2, True): "short",
    (4, False): "unsigned int",
    (4, True): "int",
    (8, False): "unsigned long",
    (8, True): "long",
}


class Types:
    # drgn types made out of BTF, when they are asked for.

    def __init__(self, prog: Program, btf: BTF) -> None:
        self._prog = prog
        self.btf = btf
        self._types: dict[int, Type] = {0: prog.void_type()}
        self._found: dict[tuple[TypeKind, str], Type | None] = {}
        self._create = {
            KIND_INT: self._create_int,
            KIND_PTR: self._create_pointer,
            KIND_ARRAY: self._create_array,
            KIND_STRUCT: self._create_compound,
            KIND_UNION: self._create_compound,
            KIND_ENUM: self._create_enum,
            KIND_FWD: self._create_forward,
            KIND_TYPEDEF: self._create_typedef,
            KIND_VOLATILE: self._create_qualified,
            KIND_CONST: self._create_qualified,
            KIND_RESTRICT: self._create_qualified,
            KIND_FUNC_PROTO: self._create_function,
            KIND_FLOAT: self._create_float,
            KIND_TYPE_TAG: self._create_tagged,
            KIND_ENUM64: self._create_enum,
        }

    def find(self, name: str, kinds: TypeKindSet) -> Type | None:
        for kind in _FOUND_AS:
            if kind in kinds:
                type_ = self._find(name, kind)
                if type_ is not None:
                    return type_
        return None

    def _find(self, name: str, kind: TypeKind) -> Type | None:
        try:
            return self._found[kind, name]
        except KeyError:
            pass
        type_id = self.btf.find(name, *_FOUND_AS[kind])
        type_ = None if type_id is None else self.type(type_id)
        # Integers and booleans are of the same BTF kind, and so are enums and
        # forward declarations of enums.
        if type_ is not None and (
            type_.kind != kind or (kind == TypeKind.ENUM and not type_.is_complete())
        ):
            type_ = None
        self._found[kind, name] = type_
        return type_

    def type(self, type_id: int) -> Type:
        type_ = self._types.get(type_id)
        if type_ is None:
            self.btf.check(type_id)
            type_ = self._type(type_id)
        return type_

    def sized_type(self, type_id: int) -> Type:
        type_ = self.type(type_id)
        try:
            sizeof(type_)
        except (TypeError, OverflowError) as e:
            raise BTFError(f"BTF type {type_id} cannot be that of an object: {e}") from e
        return type_

    def _type(self, type_id: int) -> Type:
        # Recurses no deeper than the checked nesting.
        type_ = self._types.get(type_id)
        if type_ is None:
            try:
                type_ = self._create[self.btf.kind(type_id)](type_id)
            except BTFError:
                raise
            except (KeyError, TypeError, ValueError, OverflowError) as e:
                raise BTFError(f"BTF type {type_id} is damaged: {e}") from e
            self._types[type_id] = type_
        return type_

    def _type_but(self, type_id: int, *kinds: TypeKind) -> Type:
        type_ = self._type(type_id)
        if type_.unaliased_kind() in kinds:
            raise BTFError(f"BTF type {type_id} is where C allows none of its kind")
        return type_

    def _create_int(self, type_id: int) -> Type:
        name = self.btf.name(type_id)
        size = self.btf.size(type_id)
        if size not in (1, 2, 4, 8, 16):
            raise BTFError(f"BTF type {type_id} is an integer of {size} bytes")
        encoding = self.btf.encoding(type_id)
        if encoding & INT_BOOL:
            return self._prog.bool_type(name, size)
        return self._prog.int_type(name, size, bool(encoding & INT_SIGNED))

    def _create_float(self, type_id: int) -> Type:
        size = self.btf.size(type_id)
        if size not in (2, 4, 8, 12, 16):
            raise BTFError(f"BTF type {type_id} is a number of {size} bytes")
        return self._prog.float_type(self.btf.name(type_id), size)

    def _create_pointer(self, type_id: int) -> Type:
        return self._prog.pointer_type(self._type(self.btf.target(type_id)))

    def _create_array(self, type_id: int) -> Type:
        element, length = self.btf.array(type_id)
        type_ = self._type_but(element, TypeKind.VOID, TypeKind.FUNCTION)
        return self._prog.array_type(type_, length)

    def _create_typedef(self, type_id: int) -> Type:
        target = self._type(self.btf.target(type_id))
        return self._prog.typedef_type(self.btf.name(type_id), target)

    def _create_qualified(self, type_id: int) -> Type:
        target = self._type(self.btf.target(type_id))
        qualifier = _QUALIFIERS[self.btf.kind(type_id)]
        return target.qualified(target.qualifiers | qualifier)

    def _create_tagged(self, type_id: int) -> Type:
        return self._type(self.btf.target(type_id))

    def _create_function(self, type_id: int) -> Type:
        parameters = list(self.btf.parameters(type_id))
        is_variadic = bool(parameters) and parameters[-1] == ("", KIND_VOID)
        if is_variadic:
            parameters.pop()
        return self._prog.function_type(
            self._type_but(self.btf.target(type_id), TypeKind.FUNCTION),
            [
                TypeParameter(self._type_but(t, TypeKind.VOID, TypeKind.FUNCTION), name or None)
                for name, t in parameters
            ],
            is_variadic,
        )

    def _create_enum(self, type_id: int) -> Type:
        name = self.btf.name(type_id) or None
        enumerators = [TypeEnumerator(*e) for e in self.btf.enumerators(type_id)]
        if not enumerators and name:
            return self._prog.enum_type(name)
        signed = self.btf.flag(type_id)
        integer = self._prog.type(_ENUM_INTEGERS[self.btf.size(type_id), signed])
        return self._prog.enum_type(name, integer, enumerators)

    def _create_forward(self, type_id: int) -> Type:
        definition = self.btf.definition(type_id)
        if definition:
            return self._type(definition)
        name = self.btf.name(type_id)
        if not name:
            raise BTFError(f"BTF type {type_id} declares nothing")
        if self.btf.flag(type_id):
            return self._prog.union_type(name)
        return self._prog.struct_type(name)

    def _create_compound(self, type_id: int) -> Type:
        self.btf.check(type_id)
        size = self.btf.size(type_id)
        members = list(self.btf.members(type_id))
        for member in members:
            if member.bit_offset + member.bit_size > size * 8:
                raise BTFError(f"BTF type {type_id} has a member outside of it")
        create = (
            self._prog.union_type
            if self.btf.kind(type_id) == KIND_UNION
            else self._prog.struct_type
        )
        return create(
            self.btf.name(type_id) or None,
            size,
            [
                TypeMember(
                    functools.partial(self._member, member, number == len(members) > 1),
                    member.name or None,
                    member.bit_offset,
                )
                for number, member in enumerate(members, 1)
            ],
        )

    def _member(self, member: Member, last: bool) -> Object | Type:
        type_ = self.sized_type(member.type_id)
        if not member.name and type_.unaliased_kind() not in (TypeKind.STRUCT, TypeKind.UNION):
            raise BTFError(f"BTF type {member.type_id} is that of a member without a name")
        if member.bit_size:
            try:
                return Object(self._prog, type_, bit_field_size=member.bit_size)
            except (TypeError, ValueError, OverflowError) as e:
                raise BTFError(f"BTF bit field {member.name!r} is damaged") from e
        if last and type_.kind == TypeKind.ARRAY and not type_.length:
            # BTF does not tell a flexible array member from one of length 0.
            return self._prog.array_type(type_.type)
        return type_
