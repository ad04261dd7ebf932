# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists what can be recorded at a target: parameters, return value, members."""

from lkst.bpf import btf as kinds
from lkst.bpf.btf import Btf
from lkst.record.probe.access_path import Signature
from lkst.record.probe.expr_parser import parse_field
from lkst.record.probe.field_types import members_behind
from lkst.record.probe.target import Target, open_target, parse_target

__all__ = ("fields_of", "show_target")


def show_target(text: str, expression: str | None) -> str:
    """
    Show a target's signature, and the fields to choose from.

    :param expression: show only the members behind this one
    :raises LkstError: if the target cannot be probed, or the expression is invalid
    """
    with open_target(parse_target(text)) as target:
        signature = target.signature(returns=not target.tracepoint)
        if expression:
            return "".join(f"{line}\n" for line in _members(target.btf, signature, expression))
        lines = [_heading(target, signature)]
        if not target.id:
            lines += [
                "  its types are not known: there are arg0 to arg5, ret, and casts, as"
                " (struct sock *)arg0"
            ]
        for name, type_, _ in signature.parameters:
            lines += ["", f"{name}  {target.btf.declare(type_)}"]
            if _to_struct(target.btf, type_):
                lines += [f"  {line}" for line in _members(target.btf, signature, name)]
        return "".join(f"{line}\n" for line in lines)


def _heading(target: Target, signature: Signature) -> str:
    btf = target.btf
    words = ", ".join(btf.declare(type_, name) for name, type_, _ in signature.parameters)
    where = f"  [{target.module}]" if target.module else ""
    if target.tracepoint:
        return f"tracepoint {target.text.name}({words}){where}"
    result = btf.declare(signature.result) if signature.result is not None else "?"
    return f"{result} {target.text.name}({words if target.id else '?'}){where}"


def _to_struct(btf: Btf, type_: int) -> bool:
    pointer = btf.strip(type_)
    if btf.kind(pointer) != kinds.PTR:
        return False
    return btf.kind(btf.strip(btf.target(pointer))) in (kinds.STRUCT, kinds.UNION)


def _members(btf: Btf, signature: Signature, expression: str) -> list[str]:
    found = members_behind(parse_field(expression).expression, btf, signature)
    width = max((len(name) for name, _ in found), default=0)
    return [f"{expression}{name:<{width}}  {type_}" for name, type_ in found]


def fields_of(target: str, incomplete: str) -> list[str]:
    """
    Return the completions of a field that is being typed.

    :raises LkstError: if there is no such target
    """
    name, equals, word = incomplete.rpartition("=")
    base = max(word.rfind("->") + 2 if "->" in word else 0, word.rfind(".") + 1)
    with open_target(parse_target(target)) as found:
        signature = found.signature(returns=True)
        if not base:
            words = [own for own, _, _ in signature.parameters]
            words += ["task", "$stack", *(["ret"] if not found.tracepoint else [])]
            return [f"{name}{equals}{own}" for own in words]
        left = word[:base].removesuffix("->").removesuffix(".")
        members = members_behind(parse_field(left).expression, found.btf, signature)
        return [f"{name}{equals}{left}{member}" for member, _ in members]
