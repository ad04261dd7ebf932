# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fields of probes, typed
-----------------------

Selects the type of the catalogue (``recorder/types.h``) for the value of a field's
expression.
"""

from collections.abc import Mapping

from lkst.bpf import btf as kinds
from lkst.bpf.btf import Btf
from lkst.decode.catalogue import Catalogue
from lkst.errors import Usage
from lkst.record.probe.access_path import TEXT, Load, Result, Shape, Signature, Typed
from lkst.record.probe.expr_parser import Expression, FieldText
from lkst.record.probe.resolver import Pointer, Typer, Value, id_of
from lkst.util.nearest import nearest

__all__ = ("members_behind", "shapes_of", "type_field")

#: Typedefs with a type of their own in the catalogue.
_TYPEDEFS = {
    "gfp_t": "gfp",
    "dev_t": "dev",
    "pid_t": "pid",
    "__kernel_pid_t": "pid",
    "vm_fault_t": "vm_fault",
    "__be16": "be16",
    "__be32": "be32",
    "__be64": "be64",
}
#: Types that only built-in events have.
_NOT_SAID = (TEXT, "event", "syscall", "sig_code")
_MAX_TEXT = 32


def shapes_of(catalogue: Catalogue) -> dict[str, Shape]:
    """Return the types that a user can give after the colon, by name."""
    shapes = {
        field.type: Shape(field.type, field.size)
        for event in catalogue.events.values()
        for field in event.fields
        if field.is_number and field.type not in _NOT_SAID and ":" not in field.type
    }
    for size in (1, 2, 4, 8):
        shapes[f"u{8 * size}"] = Shape(f"u{8 * size}", size)
        shapes[f"s{8 * size}"] = Shape(f"s{8 * size}", size)
        shapes[f"x{8 * size}"] = Shape("hex", size)
        if size > 1:
            shapes[f"be{8 * size}"] = Shape(f"u{8 * size}", size, swapped=True)
    shapes["bool"] = Shape("bool", 1)
    shapes["str"] = Shape(TEXT, 2)
    shapes["ustr"] = Shape(TEXT, 2, user=True)
    for size in range(8, _MAX_TEXT + 1, 8):
        shapes[f"str{size}"] = Shape("name", size)
    return shapes


def type_field(
    field: FieldText, btf: Btf, signature: Signature, shapes: Mapping[str, Shape]
) -> Typed:
    """
    Determine the access path and the type of a field.

    :param shapes: types that a user can give after the colon
    :raises Usage: if it has no value, or the type does not suit
    """
    try:
        typer = Typer(btf, signature)
        value = typer.value(field.expression)
        return _finish(field, typer, value, shapes)
    except Usage as error:
        raise Usage(f"field {field.text!r}: {error}") from None


def members_behind(expression: Expression, btf: Btf, signature: Signature) -> list[tuple[str, str]]:
    """
    Return the members that can follow an expression, as ``->name`` or ``.name``, and their types.

    :raises Usage: if the expression is invalid
    """
    typer = Typer(btf, signature)
    value = typer.value(expression)
    target, sign = typer.target(value.type), "->"
    if target is None:
        target, sign = value.type, "."
    if typer.kind(target) not in (kinds.STRUCT, kinds.UNION):
        raise Usage(f"{typer.declare(value.type)} has no members")
    return [(sign + name, text) for name, text in typer.choice(btf.strip(id_of(target)))]


def _finish(field: FieldText, typer: Typer, value: Value, shapes: Mapping[str, Shape]) -> Typed:
    btf = typer.btf
    # A counter or a kuid_t: use its only member.
    while value.offset is not None and typer.kind(value.type) == kinds.STRUCT:
        members = btf.members(btf.strip(id_of(value.type)))
        if len(members) != 1 or not members[0].name or members[0].bit_size:
            raise Usage(f"{typer.declare(value.type)} is a struct: choose one of its members")
        value = typer.select(value, members[0].name, False)
    if typer.kind(value.type) in (kinds.UNION, 0):
        raise Usage(f"{typer.declare(value.type)} is not a value: choose a member or an element")
    shape = _shape(field, typer, value, shapes)
    if shape.type in (TEXT, "name"):
        return _string(field, typer, value, shape)
    size, signed = typer.size(value.type), False
    if not isinstance(value.type, Pointer):
        signed = btf.is_signed(value.type)
    if size not in (1, 2, 4, 8):
        raise Usage(f"{typer.declare(value.type)} has {size} bytes: numbers have 1, 2, 4 or 8")
    if value.bits and value.bits[1] > 8 * shape.size:
        raise Usage(f"{value.bits[1]} bits do not fit into {shape.size} bytes")
    steps = value.steps
    if value.offset is not None:
        steps = (*steps, Load(value.offset, size, value.known and not value.bits))
    if shape.swapped and size != shape.size:
        raise Usage(f"be{8 * shape.size} needs {shape.size} bytes, the value has {size}")
    return Typed(field.name, field.text, value.start, steps, value.bits, size, signed, shape)


def _string(field: FieldText, typer: Typer, value: Value, shape: Shape) -> Typed:
    if value.offset is not None and typer.kind(value.type) == kinds.ARRAY:
        value = typer.address(value)
    else:
        value = typer.in_register(value)
        if typer.target(value.type) is None and typer.size(value.type) != 8:
            raise Usage(f"{typer.declare(value.type)} is not a string")
    return Typed(field.name, field.text, value.start, value.steps, None, 8, False, shape)


def _shape(field: FieldText, typer: Typer, value: Value, shapes: Mapping[str, Shape]) -> Shape:
    if field.type in ("enum", "flags"):
        own = typer.btf.strip(value.type) if isinstance(value.type, int) else 0
        enum = field.enum or (typer.btf.name(own) if typer.kind(own) in _ENUMS else "")
        if not enum or not typer.btf.find(enum, *_ENUMS):
            raise Usage(
                f"the kernel has no enum {enum}" if enum else f"name the enum: :{field.type}(NAME)"
            )
        return Shape(field.type, min(max(typer.size(value.type), 1), 8), enum=enum)
    if field.enum:
        raise Usage(f"only enum and flags take a name in parentheses, {field.type} does not")
    if field.type:
        if field.type not in shapes:
            raise Usage(f"there is no type {field.type!r}{nearest(field.type, shapes)}")
        return shapes[field.type]
    return _default_shape(typer, value, shapes)


_ENUMS = (kinds.ENUM, kinds.ENUM64)


def _default_shape(typer: Typer, value: Value, shapes: Mapping[str, Shape]) -> Shape:
    btf, type_ = typer.btf, value.type
    target = typer.target(type_)
    if target is not None:
        is_function = not isinstance(target, Pointer) and typer.kind(target) == kinds.FUNC_PROTO
        return Shape("ksym", 8) if is_function else Shape("hex", 8)
    type_ = id_of(type_)
    if value.untyped:
        return Shape("hex", 8)
    stripped = btf.strip(type_)
    kind = btf.kind(stripped)
    if kind == kinds.ARRAY:
        element, length = btf.array(stripped)
        if btf.size(element) != 1:
            raise Usage(f"{btf.declare(type_)} is an array: choose an element, such as [0]")
        return Shape("name", min(max(-(-length // 8) * 8, 8), _MAX_TEXT))
    size = btf.size(type_)
    if value.bits:
        size = next(size for size in (1, 2, 4, 8) if 8 * size >= value.bits[1])
    if kind in _ENUMS and btf.name(stripped) and not value.bits:
        return Shape("enum", size, enum=btf.name(stripped))
    for name in btf.typedefs(type_):
        shape = shapes.get(_TYPEDEFS.get(name, ""))
        if shape and shape.size == size:
            return shape
    if btf.is_bool(type_):
        return shapes["bool"]
    signed = btf.is_signed(type_)
    if signed and isinstance(value.start, Result) and not value.steps and value.offset is None:
        # Negative: an errno, the kernel's convention.
        return {4: Shape("errno", 4), 8: Shape("ret", 8)}.get(size, Shape(f"s{8 * size}", size))
    return shapes.get(f"{'s' if signed else 'u'}{8 * size}", Shape("hex", 8))
