# SPDX-License-Identifier: GPL-2.0-or-later
"""
Conditions of triggers
----------------------

Compiles a condition to what the recorder's programs check at an event: clauses, one
of which must hold, each with a few terms about one event, all of which must hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
import itertools
import re

from lkst.abi.kernel_constants import SIGNED
from lkst.decode.catalogue import Catalogue, Event, Field
from lkst.decode.matching import old_names
from lkst.errors import Usage
from lkst.record.trigger.syntax import And, Comparison, Node, Not, Token, normalised, parse, wrong
from lkst.record.trigger.value_terms import NamesLike, Test, word_tests, words_for
from lkst.util.nearest import nearest
from lkst.util.units import parse_duration, parse_size

__all__ = (
    "MAX_CLAUSES",
    "MAX_TERMS",
    "Clause",
    "NamesLike",
    "Term",
    "compile_expression",
    "normalised",
)

#: Terms of one clause; clauses of one condition.
MAX_TERMS = 4
MAX_CLAUSES = 8

_NAMES = ("comm", "name")
#: Bytes of a name, without the terminating zero: TASK_COMM_LEN - 1, IFNAMSIZ - 1.
_NAME_SIZE = 15

_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">", "&": "!&"}
_OPPOSITE["!&"] = "&"

#: Types whose values have no order.
_ORDERLESS = {"task_state", "exit_code", "sig_code"}
#: Types that count something, unless they have a unit.
_COUNTS = re.compile(r"[us](?:8|16|32|64)|ret")
_NUMBER = re.compile(r"-?(?:0[xX][0-9a-fA-F]+|[0-9]+)")
_TIME = re.compile(r"[0-9.]+(?:h|min|s|ms|us|ns)")
_SIZE = re.compile(r"[0-9]+[KMG]")
# Sensible numbers have fewer digits.
_MAX_DIGITS = 30


@dataclass(frozen=True)
class Term:
    """A comparison of a field of the event's record with a value."""

    field: Field
    #: ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``; ``&``: any bit of the value is set in the
    #: field; ``!&``: none is.
    op: str
    #: A number that the field can hold; a mask is never negative. For a name: its bytes,
    #: at most 15, without padding.
    value: int | bytes
    #: Whether the field is signed.
    signed: bool


@dataclass(frozen=True)
class Clause:
    """Terms that must all hold for a record of the event."""

    event: Event
    terms: tuple[Term, ...]


def compile_expression(
    text: str, catalogue: Catalogue, names: NamesLike, of: Event | None = None
) -> tuple[Clause, ...]:
    """
    Compile a condition. It holds if one of the clauses does.

    :param names: values of words
    :param of: the event, if the condition names only its fields: ``count > 100``
    :raises Usage: with the column, if it is invalid
    """
    compiler = _Compiler(catalogue, names, of)
    clauses = compiler.clauses(parse(text), negated=False)
    for clause in clauses:
        if len(clause.terms) > MAX_TERMS:
            raise Usage(
                f"{len(clause.terms)} comparisons of {clause.event.name} combined with 'and':"
                f" at most {MAX_TERMS}"
            )
    return clauses


class _Compiler:
    """Resolves the words of a condition."""

    def __init__(self, catalogue: Catalogue, names: NamesLike, of: Event | None) -> None:
        self._names = names
        self._of = of
        self._categories: dict[str, list[Event]] = {}
        self._events: dict[str, list[Event]] = {}
        for event in catalogue.events.values():
            self._categories.setdefault(event.category, []).append(event)
            for name in old_names(event):
                self._events.setdefault(name, []).append(event)
        self._events |= {event.name: [event] for event in catalogue.events.values()}

    def clauses(self, node: Node, negated: bool) -> tuple[Clause, ...]:
        """Convert a part of the condition, or its negation, to disjunctive normal form."""
        match node:
            case Comparison():
                return self._compared(node, negated)
            case Not():
                self._check_one_event(node)
                return self.clauses(node.part, not negated)
            case And():
                self._check_one_event(node)
        parts = [self.clauses(part, negated) for part in node.parts]
        if isinstance(node, And) != negated:
            return _all_hold(parts)
        return _simplified(itertools.chain.from_iterable(parts))

    def _check_one_event(self, node: And | Not) -> None:
        events = {event.name: event for event in self._mentioned(node)}
        if len(events) > 1:
            first, second, *_ = events
            raise wrong(
                node.column,
                f"a condition is about one event at a time: {first} and {second} happen separately",
            )

    def _mentioned(self, node: Node) -> list[Event]:
        if isinstance(node, Comparison):
            return [self._event(node.subject)]
        parts = (node.part,) if isinstance(node, Not) else node.parts
        return [event for part in parts for event in self._mentioned(part)]

    def _event(self, subject: Token) -> Event:
        if self._of:
            return self._of
        name = subject.text.partition(".")[0]
        found = self._events.get(name, [])
        if len(found) == 1:
            return found[0]
        several = found or self._categories.get(name, [])
        if several:
            choice = ", ".join(event.name for event in several)
            raise wrong(subject.column, f"{name} is more than one event: use one of {choice}")
        raise wrong(subject.column, f"no event is called {name!r}{nearest(name, self._events)}")

    def _field(self, event: Event, subject: Token) -> Field:
        _, dot, name = subject.text.partition(".")
        if self._of and not dot:
            dot, name = ".", subject.text
        choice = ", ".join(field.name for field in event.fields)
        if not dot and event.category == "delay":
            name = "delay"
        elif not dot:
            raise wrong(
                subject.column,
                f"{event.name} is an event: compare one of its fields ({choice})",
            )
        found = event.field(name)
        if found is None:
            raise wrong(subject.column, f"{subject.text}: no such field ({choice})")
        return found

    def _compared(self, node: Comparison, negated: bool) -> tuple[Clause, ...]:
        event = self._event(node.subject)
        if node.value is None:
            if "." in node.subject.text or self._of:
                self._field(event, node.subject)
                raise wrong(node.subject.column, f"{node.subject.text}: compare it with a value")
            if negated:
                raise wrong(
                    node.subject.column, f"not {event.name}: a missing event cannot fire a trigger"
                )
            return (Clause(event, ()),)
        field = self._field(event, node.subject)
        try:
            alternatives = self._terms(event, field, node.op, node.value)
        except Usage as error:
            raise wrong(node.value.column, f"{event.name}.{field.name}: {error}") from None
        if not negated:
            return _simplified(Clause(event, terms) for terms in alternatives)
        # De Morgan: in each alternative one term does not hold.
        return _all_hold(
            [tuple(Clause(event, (_opposite(term),)) for term in terms) for terms in alternatives]
        )

    def _terms(
        self, event: Event, field: Field, op: str, value: Token
    ) -> Iterable[tuple[Term, ...]]:
        """Return alternatives of terms."""
        if field.type == "text":
            raise Usage("a text cannot be compared: it is spread over several slots")
        if field.type in _NAMES:
            if field.size != _NAME_SIZE + 1:
                raise Usage(f"only names of {_NAME_SIZE + 1} bytes can be compared")
            return [(_name_term(field, op, value),)]
        if not field.is_number:
            raise Usage(f"it is of type {field.type}, which cannot be compared")
        if op in ("==", "!="):
            return self._equal_terms(event, field, op, value)
        number = _number(field, value.value)
        if field.type in _ORDERLESS:
            if op != "&":
                raise Usage("such values have no order: use == or !=")
            if number is None:
                raise Usage("expected a number after '&'")
        if number is None:
            number = self._names.value_of(field.type, value.value)
        if number is None:
            raise Usage(self._unknown(field, value.value))
        return [(_number_term(field, op, number),)]

    def _equal_terms(
        self, event: Event, field: Field, op: str, value: Token
    ) -> Iterable[tuple[Term, ...]]:
        tests = word_tests(event, field, value.value, self._names)
        if tests is None:
            number = _number(field, value.value)
            if number is None:
                raise Usage(self._unknown(field, value.value))
            if field.type == "exit_code" and value.value.isdecimal():
                raise Usage(f"{number} is out of range: 0 to 255, or the wait status as 0x...")
            tests = ((Test(field, "==", number),),)
        alternatives = [
            tuple(_number_term(test.field, test.op, test.value) for test in group)
            for group in tests
        ]
        if op == "==":
            return alternatives
        return [tuple(map(_opposite, group)) for group in itertools.product(*alternatives)]

    def _unknown(self, field: Field, word: str) -> str:
        if _TIME.fullmatch(word):
            return f"{word!r} is a time, which this field is not"
        if _SIZE.fullmatch(word):
            return f"{word!r} is a size, which this field is not"
        words = words_for(field.type, self._names)
        if field.type not in _NAMED:
            return (
                f"{word!r} is not a value of type {field.type}{nearest(word, words)}"
                if words
                else f"{word!r} is not a number"
            )
        what = _NAMED[field.type]
        if not words:
            return f"{word!r}: the names of {what} are not known on this machine: use a number"
        return (
            f"{word!r} is not a name of {what} on this machine: use a number{nearest(word, words)}"
        )


#: Types whose names depend on the running machine.
_NAMED = {
    "syscall": "system calls",
    "ksym": "symbols",
    "drop_reason": "drop reasons",
    "gfp": "allocation flags",
}


def _opposite(term: Term) -> Term:
    return replace(term, op=_OPPOSITE[term.op])


def _name_term(field: Field, op: str, value: Token) -> Term:
    if op not in ("==", "!="):
        raise Usage("names can only be compared with == and !=")
    name = value.value.encode("utf-8", "surrogateescape")
    if len(name) > _NAME_SIZE:
        raise Usage(f"{value} is too long: the kernel keeps {_NAME_SIZE} bytes of a name")
    if b"\0" in name:
        raise Usage("a name cannot contain a zero byte")
    return Term(field, op, name, False)


def _number(field: Field, word: str) -> int | None:
    """Parse a number with a unit of the field; None: it is not a number."""
    if len(word) <= _MAX_DIGITS:
        if _NUMBER.fullmatch(word):
            return int(word, 16 if "x" in word.lower() else 10)
        if field.unit == "ns" and _TIME.fullmatch(word):
            return parse_duration(word)
        if field.unit != "ns" and _COUNTS.fullmatch(field.type) and _SIZE.fullmatch(word):
            return parse_size(word)
    return None


def _number_term(field: Field, op: str, value: int) -> Term:
    bits = 8 * field.size
    # System call numbers are signed: a tracer cancels a call with -1.
    signed = field.type in SIGNED or field.type == "syscall"
    masking = op in ("&", "!&")
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if masking:
        low, high = 1, (1 << bits) - 1
    if not low <= value <= high:
        what = "not a bit mask" if masking else "out of range"
        raise Usage(f"{value} is {what}: {low} to {high}")
    return Term(field, op, value, signed)


def _all_hold(parts: Iterable[Iterable[Clause]]) -> tuple[Clause, ...]:
    """Return the conjunction of several disjunctions; all are about one event."""
    whole: tuple[Clause, ...] | None = None
    for part in parts:
        if whole is None:
            whole = _simplified(part)
        else:
            whole = _simplified(
                Clause(one.event, tuple(dict.fromkeys((*one.terms, *other.terms))))
                for one in whole
                for other in part
            )
    assert whole is not None
    return whole


def _simplified(clauses: Iterable[Clause]) -> tuple[Clause, ...]:
    """Drop clauses that are implied by another one."""
    kept: list[Clause] = []
    for clause in clauses:
        if not any(_covers(other, clause) for other in kept):
            kept = [*(other for other in kept if not _covers(clause, other)), clause]
    if len(kept) > MAX_CLAUSES:
        raise Usage(f"{len(kept)} alternatives: at most {MAX_CLAUSES}")
    return tuple(kept)


def _covers(wide: Clause, narrow: Clause) -> bool:
    return wide.event == narrow.event and set(wide.terms) <= set(narrow.terms)
