# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fields of probes as text
------------------------

Parses the text of a field: ``[NAME=]EXPR[:TYPE]``. EXPR is a C expression of members,
pointers and casts. :mod:`lkst.record.probe.field_types` resolves its meaning.
"""

from dataclasses import dataclass
import re

from lkst.errors import Usage

__all__ = (
    "AddressOf",
    "Cast",
    "ContainerOf",
    "Dereference",
    "Expression",
    "FieldText",
    "Index",
    "Name",
    "Register",
    "Select",
    "parse_field",
)

_TOKEN = re.compile(r"\s*(?:(->|[.*&()\[\],])|(%?[A-Za-z_]\w*)|(0[xX][0-9a-fA-F]+|\d+)|(\S))")
_FIELD = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<expression>[^:=]+)"
    r"(?::(?P<type>[A-Za-z]\w*)(?:\((?P<enum>\w+)\))?)?"
)
_NAME_SIZE = 19  # struct lkst_field
_MAX_LENGTH = 200
_MAX_DEPTH = 24


@dataclass(frozen=True)
class Name:
    """A parameter, ``ret``, ``task``, ``argN``."""

    name: str


@dataclass(frozen=True)
class Register:
    """``%di``"""

    name: str


@dataclass(frozen=True)
class Select:
    """``base->name``, ``base.name``"""

    base: "Expression"
    name: str
    arrow: bool


@dataclass(frozen=True)
class Index:
    """``base[3]``"""

    base: "Expression"
    index: int


@dataclass(frozen=True)
class Dereference:
    """``*base``"""

    base: "Expression"


@dataclass(frozen=True)
class AddressOf:
    """``&base``"""

    base: "Expression"


@dataclass(frozen=True)
class Cast:
    """``(struct sock *)base``: words of the type's name, and how many ``*``."""

    type: tuple[str, ...]
    stars: int
    base: "Expression"


@dataclass(frozen=True)
class ContainerOf:
    """``container_of(base, struct inode, i_rcu)``"""

    base: "Expression"
    type: tuple[str, ...]
    members: tuple[str, ...]


Expression = Name | Register | Select | Index | Dereference | AddressOf | Cast | ContainerOf


@dataclass(frozen=True)
class FieldText:
    """The parsed text of a field."""

    text: str
    name: str
    expression: Expression
    #: "": chosen by the value.
    type: str
    #: Name of an enum in parentheses after the type, or "".
    enum: str


def parse_field(text: str) -> FieldText:
    """
    Parse a field.

    :raises Usage: if it is none
    """
    if len(text) > _MAX_LENGTH:
        raise Usage(f"the field has {len(text)} characters: at most {_MAX_LENGTH}")
    match = _FIELD.fullmatch(text.strip())
    if not match:
        raise Usage(
            f"{text!r} is not a field: use [NAME=]EXPR[:TYPE], such as name=d_name.name:str"
        )
    expression = _Parser(match["expression"], text).parse()
    name = match["name"] or _name_of(expression)
    return FieldText(
        text.strip(), name[:_NAME_SIZE], expression, match["type"] or "", match["enum"] or ""
    )


def _name_of(expression: Expression) -> str:
    match expression:
        case Name(name) | Register(name) | Select(_, name, _):
            return name.lstrip("_") or name
        case Index(base, index):
            return f"{_name_of(base)}{index}"
        case ContainerOf(_, type_, _):
            return type_[-1]
        case _:
            return _name_of(expression.base)


class _Parser:
    """A recursive descent parser: each method parses one rule."""

    def __init__(self, text: str, whole: str) -> None:
        self._whole = whole
        self._words: list[str] = [next(filter(None, groups)) for groups in _TOKEN.findall(text)]
        self._depth = 0

    def parse(self) -> Expression:
        expression = self._unary()
        if self._words:
            raise self._wrong(f"unexpected {self._words[0]!r}")
        return expression

    def _wrong(self, why: str) -> Usage:
        return Usage(f"field {self._whole!r}: {why}")

    def _next(self) -> str:
        return self._words[0] if self._words else ""

    def _take(self, *wanted: str) -> str:
        word = self._next()
        if not word or (wanted and word not in wanted):
            expected = " or ".join(map(repr, wanted)) or "a name"
            raise self._wrong(f"expected {expected}, found {word or 'the end'!r}")
        del self._words[0]
        return word

    def _identifier(self) -> str:
        word = self._take()
        if not word.isidentifier():
            raise self._wrong(f"expected a name, found {word!r}")
        return word

    def _number(self) -> int:
        word = self._take()
        if not word[0].isdigit():
            raise self._wrong(f"expected a number, found {word!r}")
        return int(word, 0) if word[:2].lower() == "0x" else int(word)

    def _unary(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._wrong(f"more than {_MAX_DEPTH} nested steps")
        try:
            if self._next() == "*":
                self._take()
                return Dereference(self._unary())
            if self._next() == "&":
                self._take()
                return AddressOf(self._unary())
            if self._next() == "(" and self._is_cast():
                self._take("(")
                type_ = self._type()
                stars = 0
                while self._next() == "*":
                    self._take()
                    stars += 1
                self._take(")")
                return Cast(type_, stars, self._unary())
            return self._postfix()
        finally:
            self._depth -= 1

    def _is_cast(self) -> bool:
        return self._words[1:2] in (["struct"], ["union"], ["enum"]) or (
            # "(u64)x", "(foo *)x": a name in parentheses is a cast if no operator follows.
            self._words[1:2] != []
            and self._words[1].isidentifier()
            and (
                self._words[2:3] == ["*"]
                or (
                    self._words[2:3] == [")"]
                    and self._words[3:] != []
                    and self._words[3] not in ("->", ".", "[", ")", ",")
                )
            )
        )

    def _type(self) -> tuple[str, ...]:
        words = [self._identifier()]
        while self._next().isidentifier():
            words.append(self._identifier())
        return tuple(words)

    def _postfix(self) -> Expression:
        expression = self._primary()
        while self._next() in ("->", ".", "["):
            sign = self._take()
            if sign == "[":
                expression = Index(expression, self._number())
                self._take("]")
            else:
                expression = Select(expression, self._identifier(), sign == "->")
        return expression

    def _primary(self) -> Expression:
        word = self._take()
        if word == "(":
            expression = self._unary()
            self._take(")")
            return expression
        if word == "container_of" and self._next() == "(":
            self._take("(")
            base = self._unary()
            self._take(",")
            type_ = self._type()
            self._take(",")
            members = [self._identifier()]
            while self._next() == ".":
                self._take()
                members.append(self._identifier())
            self._take(")")
            return ContainerOf(base, type_, tuple(members))
        if word.startswith("%") and word[1:]:
            return Register(word[1:])
        if not word.isidentifier():
            raise self._wrong(f"expected a name, found {word!r}")
        return Name(word)
