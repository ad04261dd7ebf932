# SPDX-License-Identifier: GPL-2.0-or-later
"""
Access paths
---------------------------------

The steps from a register to a value, and the value's layout in a record.
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
    """Values that are available at a probe."""

    #: Name, type and index of the first word of each parameter.
    parameters: tuple[tuple[str, int, int], ...]
    #: Type of the return value; None: there is none, or it is not known.
    result: int | None
    #: Whether arguments are available: at function entry and at tracepoints.
    has_arguments: bool = True
    #: Whether registers are available: not for fentry and fexit.
    has_registers: bool = False
    #: Whether the probe also sees the return.
    returns: bool = False


@dataclass(frozen=True)
class Argument:
    """The value starts at an argument: the index of its word."""

    word: int


@dataclass(frozen=True)
class Result:
    """The value starts at the return value."""


@dataclass(frozen=True)
class Current:
    """The value starts at the current task's struct task_struct."""


@dataclass(frozen=True)
class Source:
    """The value starts at a register."""

    offset: int


Start = Argument | Result | Current | Source


@dataclass(frozen=True)
class Load:
    """Read memory at the current address."""

    offset: int
    size: int
    #: Whether the verifier knows the type from BTF, so that a direct load is allowed.
    known: bool


@dataclass(frozen=True)
class Offset:
    """Add an offset to the address."""

    offset: int


@dataclass(frozen=True)
class Shape:
    """Layout of a value in a record."""

    #: Type in the catalogue.
    type: str
    size: int
    #: Whether it is big-endian and has to be swapped.
    swapped: bool = False
    #: Name of its enum, or "".
    enum: str = ""
    #: For a string: whether it is in user space.
    user: bool = False


@dataclass(frozen=True)
class Typed:
    """A typed field."""

    name: str
    text: str
    start: Start
    #: The last step reads the value; for a string, the steps lead to its address.
    steps: tuple[Load | Offset, ...]
    #: For a bitfield: first bit and number of bits; None: all bits.
    bits: tuple[int, int] | None
    #: Bytes to read.
    size: int
    signed: bool
    shape: Shape

    @property
    def at_return(self) -> bool:
        """Return whether the value is known only when the function returns."""
        return isinstance(self.start, Result)


def register_offset(name: str) -> int | None:
    """Return the offset of a register in struct pt_regs."""
    return 8 * REGISTERS.index(name) if name in REGISTERS else None
