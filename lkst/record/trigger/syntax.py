# SPDX-License-Identifier: GPL-2.0-or-later
"""
Syntax of conditions
--------------------

Parses the text of a trigger's condition, such as
``block_rq_issue.bytes >= 1M and not block_rq_issue.op == READ``. The meaning of its
words is not checked here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import re

from lkst.errors import Usage

__all__ = ("And", "Comparison", "Node", "Not", "Or", "Token", "normalised", "parse", "wrong")

MAX_LENGTH = 1000
_MAX_DEPTH = 20

_COMPARING = ("==", "!=", "<", "<=", ">", ">=", "&")
_KEYWORDS = ("and", "or", "not")
#: Operators of other languages.
_FOREIGN = {"&&": "and", "||": "or", "!": "not", "=": "=="}

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<sign>==|!=|<=|>=|&&|\|\||[<>&=!()])
      | (?P<word>[^\s()=!<>&"']+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Token:
    """A word, an operator, or the end of the text."""

    #: Its text; "" at the end.
    text: str
    #: Its column, from 1.
    column: int
    #: ``word``, ``quoted``, ``sign`` or ``end``
    kind: str

    @property
    def value(self) -> str:
        """Its text without quotes; bytes that are not UTF-8 become surrogates."""
        if self.kind != "quoted":
            return self.text
        try:
            raw = _ESCAPE.sub(_unescape, self.text[1:-1]).encode("utf-8", "surrogateescape")
        except (OverflowError, ValueError):
            raise Usage(f"{self.text} has an invalid escape") from None
        return raw.decode("utf-8", "surrogateescape")

    def says(self, *texts: str) -> bool:
        """Return whether it is one of these operators or keywords."""
        return self.kind != "quoted" and self.text in texts

    def __str__(self) -> str:
        return self.text if self.kind == "quoted" else repr(self.text) if self.text else "the end"


def _unescape(match: re.Match[str]) -> str:
    """Decode an escape; bytes that are not ASCII become surrogates, which are joined later."""
    byte, short, long, other = match.groups()
    if byte:
        return bytes([int(byte, 16)]).decode("ascii", "surrogateescape")
    if other:
        return _ESCAPES.get(other, other)
    char = chr(int(short or long, 16))
    char.encode()
    return char


@dataclass(frozen=True)
class Comparison:
    """``EVENT.FIELD OP VALUE``, or only the part before OP."""

    subject: Token
    op: str = ""
    value: Token | None = None


@dataclass(frozen=True)
class Not:
    """Its operand does not hold."""

    column: int
    part: "Node"


@dataclass(frozen=True)
class And:
    """All its operands hold."""

    column: int
    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Or:
    """One of its operands holds."""

    column: int
    parts: tuple["Node", ...]


Node = Comparison | Not | And | Or


def wrong(column: int, why: str) -> Usage:
    """Return the error for a column of the text."""
    return Usage(f"column {column}: {why}")


def parse(text: str) -> Node:
    """
    Parse a condition.

    :raises Usage: with the column, if it is invalid
    """
    parser = _Parser(text)
    node = parser.any_of()
    if parser.token.kind != "end":
        raise parser.unexpected("and, or, or the end")
    return node


def normalised(text: str) -> str:
    """
    Format a condition with one space between its words.

    :raises Usage: if it cannot be split into words
    """
    spaced = " ".join(token.text for token in _tokens(text) if token.text)
    # Quotes may contain parentheses.
    parts = re.split(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""", spaced, flags=re.DOTALL)
    parts[::2] = [part.replace("( ", "(").replace(" )", ")") for part in parts[::2]]
    return "".join(parts)


def _tokens(text: str) -> Iterator[Token]:
    if len(text) > MAX_LENGTH:
        raise Usage(f"the condition has {len(text)} characters: at most {MAX_LENGTH}")
    text = text.rstrip()
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            column = position + 1 + len(text[position:]) - len(text[position:].lstrip())
            raise wrong(column, "the quote is not closed")
        kind = str(match.lastgroup)
        yield Token(match[kind], match.start(kind) + 1, kind)
        position = match.end()
    yield Token("", len(text) + 1, "end")


class _Parser:
    """A recursive descent parser: each method parses one rule."""

    def __init__(self, text: str) -> None:
        self._rest = _tokens(text)
        self._depth = 0
        self.token = next(self._rest)

    def take(self) -> Token:
        """Return the current token, and advance."""
        token = self.token
        if token.kind != "end":
            self.token = next(self._rest)
        return token

    def unexpected(self, wanted: str) -> Usage:
        """Return the error for the current token."""
        foreign = _FOREIGN.get(self.token.text) if self.token.kind == "sign" else None
        hint = f": use {foreign!r}" if foreign else ""
        return wrong(self.token.column, f"expected {wanted}, found {self.token}{hint}")

    def any_of(self) -> Node:
        column, parts = self.token.column, [self.all_of()]
        while self.token.says("or"):
            self.take()
            parts.append(self.all_of())
        return Or(column, tuple(parts)) if len(parts) > 1 else parts[0]

    def all_of(self) -> Node:
        column, parts = self.token.column, [self.maybe_not()]
        while self.token.says("and"):
            self.take()
            parts.append(self.maybe_not())
        return And(column, tuple(parts)) if len(parts) > 1 else parts[0]

    def maybe_not(self) -> Node:
        column, negated = self.token.column, False
        while self.token.says("not"):
            self.take()
            negated = not negated
        part = self.in_parentheses() if self.token.says("(") else self.comparison()
        return Not(column, part) if negated else part

    def in_parentheses(self) -> Node:
        opened = self.take()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise wrong(opened.column, f"more than {_MAX_DEPTH} nested parentheses")
        node = self.any_of()
        if not self.token.says(")"):
            raise self.unexpected(f"and, or, or ')' for the '(' in column {opened.column}")
        self.take()
        self._depth -= 1
        return node

    def comparison(self) -> Comparison:
        if self.token.kind != "word" or self.token.says(*_KEYWORDS):
            raise self.unexpected("an event or EVENT.FIELD")
        subject = self.take()
        if not self.token.says(*_COMPARING):
            if self.token.kind == "end" or self.token.says("and", "or", ")"):
                return Comparison(subject)
            raise self.unexpected(f"{', '.join(_COMPARING)}, and, or, or the end")
        op = self.take().text
        if self.token.kind not in ("word", "quoted") or self.token.says(*_KEYWORDS):
            raise self.unexpected(f"a value after {op!r}")
        return Comparison(subject, op, self.take())
