# SPDX-License-Identifier: GPL-2.0-or-later
"""
Numbers that words stand for
-------------------------

Most words that a replay prints stand for one number. Some stand for several, or depend
on another field.
"""

from dataclasses import dataclass
from typing import Protocol

from lkst.abi.kernel_constants import (
    STATE_LETTERS,
    TASK_DEAD,
    TASK_FROZEN,
    TASK_IDLE,
    TASK_PREEMPTED,
    TASK_RTLOCK_WAIT,
    TASK_UNINTERRUPTIBLE,
)
from lkst.decode.catalogue import Event, Field

__all__ = ("NamesLike", "Test", "word_tests", "words_for")


class NamesLike(Protocol):
    """Values of names."""

    def value_of(self, field_type: str, word: str) -> int | None:
        """
        Return the number that a replay shows as a word, or None.

        A ``sig_code`` of one signal only has the signal in the upper 32 bits.
        """

    def words(self, field_type: str) -> list[str]:
        """Return all words of a type; none if they are not known."""


@dataclass(frozen=True)
class Test:
    """A test of a field: ``==``, or with a mask: ``&`` any bit is set, ``!&`` no bit is."""

    field: Field
    op: str
    value: int


#: One alternative holds if all its tests do.
Alternatives = tuple[tuple[Test, ...], ...]


def word_tests(event: Event, field: Field, word: str, names: NamesLike) -> Alternatives | None:
    """Return the tests under which a replay prints a word for a field; None: never."""
    if field.type == "task_state":
        states = _STATES.get(word)
        if states is None:
            return None
        return tuple(tuple(Test(field, op, value) for op, value in tests) for tests in states)
    if field.type == "exit_code" and word.isdecimal() and word.isascii():
        # The argument of exit(2).
        return ((Test(field, "==", int(word) << 8),),) if int(word) < 256 else None
    value = names.value_of(field.type, word)
    if value is None:
        return None
    if field.type == "syscall" and (compat := event.field("compat")):
        # The names are those of 64-bit programs; other ABIs have other numbers.
        return ((Test(field, "==", value), Test(compat, "==", 0)),)
    if field.type == "sig_code":
        signal, code = value >> 32, (value & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)
        tests: tuple[Test, ...] = (Test(field, "==", code),)
        if signal > 0:
            other = event.field("sig")
            if other is None:
                return None
            tests = (Test(other, "==", signal), *tests)
        return (tests,)
    return ((Test(field, "==", value),),)


def words_for(field_type: str, names: NamesLike) -> list[str]:
    """Return all words for a field type."""
    return list(_STATES) if field_type == "task_state" else names.words(field_type)


_ALSO_D = TASK_RTLOCK_WAIT | TASK_FROZEN
_NOLOAD = TASK_IDLE & ~TASK_UNINTERRUPTIBLE
_BITS = (1 << len(STATE_LETTERS) - 1) - 1

_Bits = tuple[tuple[str, int], ...]


def _states() -> dict[str, tuple[_Bits, ...]]:
    """Invert ``__task_state_index()`` of include/linux/sched.h: the highest bit counts."""
    never = TASK_PREEMPTED | _ALSO_D | TASK_DEAD
    states: dict[str, tuple[_Bits, ...]] = {STATE_LETTERS[0]: ((("!&", never | _BITS),),)}
    for index, letter in enumerate(STATE_LETTERS[1:]):
        higher = _BITS & ~((2 << index) - 1)
        states[letter] = ((("&", 1 << index), ("!&", never | higher)),)
    ((set_, (_, clear)),) = states["D"]
    states["D"] = (
        (set_, ("!&", clear | _NOLOAD)),
        (("&", _ALSO_D), ("!&", TASK_PREEMPTED | _NOLOAD)),
    )
    states["X"] += ((("&", TASK_DEAD), ("!&", TASK_PREEMPTED | _ALSO_D)),)
    states["I"] = ((("&", TASK_UNINTERRUPTIBLE), ("&", _NOLOAD), ("!&", TASK_PREEMPTED)),)
    states["R+"] = ((("&", TASK_PREEMPTED),),)
    return states


_STATES = _states()
