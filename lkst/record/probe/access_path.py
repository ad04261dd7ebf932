# SPDX-License-Identifier: GPL-2.0-or-later
"""
What fields of probes are made of
---------------------------------

The way to a value, from a register on, and how it lies in a record.
"""

from dataclasses import dataclass

__all__ = (
    "REGISTERS",
    "TEXT",
    "Argument",
    "Current",
    "Load",
    "Offset",
    "Result",
    "Shape",
    "Signature",
    "Source",
    "Start",
    "Typed",
    "register_offset",
)

TEXT = "text"

# struct pt_regs of arch/x86/include/asm/ptrace.h, which is part of its interface to programs.
REGISTERS = "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss".split()


@dataclass(frozen=True)
class Signature:
    """What there is to see where a probe is."""

    #: Name, type, and number of the first word of each parameter.
    parameters: tuple[tuple[str, int, int], ...]
    #: Type of what it returns; None: there is no return, or it is not known.
    result: int | None
    #: Whether arguments can be told: at the beginning of a function, and at tracepoints.
    has_arguments: bool = True
    #: Whether there are registers: not at those functions that are called directly.
    has_registers: bool = False
    #: Whether the probe also sees the return.
    returns: bool = False


@dataclass(frozen=True)
class Argument:
    """The value begins as an argument: a word of those of the call."""

    word: int


@dataclass(frozen=True)
class Result:
    """... as what the function returns."""


@dataclass(frozen=True)
class Current:
    """... as the current task's struct task_struct."""


@dataclass(frozen=True)
class Source:
    """... as a register."""

    offset: int


Start = Argument | Result | Current | Source


@dataclass(frozen=True)
class Load:
    """Read what lies there."""

    offset: int
    size: int
    #: Whether the verifier knows by its BTF what lies there, so that it can be read directly.
    known: bool


@dataclass(frozen=True)
class Offset:
    """Go further in memory."""

    offset: int


@dataclass(frozen=True)
class Shape:
    """How a value lies in a record."""

    #: Of the catalogue.
    type: str
    size: int
    #: Whether its bytes are in the order of networks, and turned round.
    swapped: bool = False
    #: Name of the enum that it is of, or "".
    enum: str = ""
    #: Of a string: whether it is in user space.
    user: bool = False


@dataclass(frozen=True)
class Typed:
    """A field whose value can be fetched."""

    name: str
    text: str
    start: Start
    #: The last one reads the value; of a string, what they lead to is where it is.
    steps: tuple[Load | Offset, ...]
    #: Bits of what is read: first, and how many; None: all.
    bits: tuple[int, int] | None
    #: Of what is read, in bytes.
    size: int
    signed: bool
    shape: Shape

    @property
    def at_return(self) -> bool:
        """Whether it is known only when the function returns."""
        return isinstance(self.start, Result)


def register_offset(name: str) -> int | None:
    """Tell where in struct pt_regs a register is."""
    return 8 * REGISTERS.index(name) if name in REGISTERS else None
