# SPDX-License-Identifier: GPL-2.0-or-later
"""
Code that fetches fields
------------------------

Generates the instructions for PLACE in ``recorder/probe.bpf.c``: they read the values of
a probe's fields into the payload of its record, and check its condition.

Registers: r6 points to struct fetch_context, r7 holds the current value, r8 holds
addresses inside struct fetch_context. Kernel memory is read with
bpf_probe_read_kernel(), which does not fault, or, if the verifier knows the pointer's
type, with a load instruction for which the kernel has a fault handler.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import struct
from typing import NamedTuple

from lkst.abi import layout
from lkst.errors import Usage
from lkst.record.probe.access_path import (
    TEXT,
    Argument,
    Current,
    Load,
    Offset,
    Result,
    Source,
    Typed,
)
from lkst.record.trigger.compile import Clause, Term

__all__ = (
    "ELAPSED",
    "Placed",
    "Words",
    "condition_code",
    "fetch_code",
    "fill_place",
    "keep_code",
    "place_fields",
)

INSN = struct.Struct("<BBhi")

# struct fetch_context
_CTX, _PAYLOAD, _TEXT, _ELAPSED, _SCRATCH = 0, 8, 16, 24, 32
_TEXT_SIZE = 256  # PROBE_TEXT

#: Immediate of the first instruction at PLACE.
_MAGIC = 0x4C4B5354

# Helpers, include/uapi/linux/bpf.h
_READ_KERNEL, _READ_USER_STR, _READ_KERNEL_STR, _CURRENT_TASK = 113, 114, 115, 158

# Instructions: Documentation/bpf/standardization/instruction-set.rst
_MOV, _MOV_IMM, _ADD_IMM, _AND_IMM = 0xBF, 0xB7, 0x07, 0x57
_LSH_IMM, _RSH_IMM, _ARSH_IMM = 0x67, 0x77, 0xC7
_TO_BE, _CALL, _JUMP, _LDDW, _ST_DW = 0xDC, 0x85, 0x05, 0x18, 0x7A
_LDX = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
_STX = {1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}
#: Jump if the comparison of two registers holds.
_JUMPS = {
    ("==", False): 0x1D,
    ("!=", False): 0x5D,
    (">", False): 0x2D,
    (">=", False): 0x3D,
    ("<", False): 0xAD,
    ("<=", False): 0xBD,
    ("&", False): 0x4D,
    (">", True): 0x6D,
    (">=", True): 0x7D,
    ("<", True): 0xCD,
    ("<=", True): 0xDD,
}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_NOP = INSN.pack(_JUMP, 0, 0, 0)


@dataclass(frozen=True)
class Elapsed:
    """Duration of the call: a field of every probe of a return."""

    name: str = "duration"


ELAPSED = Elapsed()


class Placed(NamedTuple):
    """A field and its offset in the payload."""

    field: Typed | Elapsed
    offset: int
    #: In bytes; for a text, the offset of its length.
    size: int


class Words(NamedTuple):
    """Location of a call's arguments in a program's context."""

    #: Offsets of the argument words in the context.
    arguments: Sequence[int]
    #: For arguments on the stack: offset of the first one from the stack pointer, and offset of
    #: the stack pointer in the context.
    stacked: tuple[int, int] | None
    result: int | None
    #: Whether the verifier knows the types of the words.
    typed: bool


class _Code:
    """A code buffer."""

    def __init__(self) -> None:
        self.data = bytearray()

    def __len__(self) -> int:
        return len(self.data) // INSN.size

    def add(self, code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> int:
        self.data += INSN.pack(code, dst | src << 4, off, imm)
        return len(self) - 1

    def constant(self, dst: int, value: int) -> None:
        value &= (1 << 64) - 1
        low, high = struct.unpack("<ii", struct.pack("<Q", value))
        self.data += INSN.pack(_LDDW, dst, 0, low) + INSN.pack(0, 0, 0, high)

    def call(self, helper: int) -> None:
        self.add(_CALL, imm=helper)

    def land(self, jumps: Iterable[int]) -> None:
        """Patch jumps to target the next instruction."""
        for jump in jumps:
            struct.pack_into("<h", self.data, jump * INSN.size + 2, len(self) - jump - 1)


def place_fields(fields: Sequence[Typed | Elapsed]) -> list[Placed]:
    """
    Place fields in a payload: large ones first, so that there are no holes; a text last.

    :raises Usage: if they do not fit
    """
    sized = [(field, 8 if isinstance(field, Elapsed) else field.shape.size) for field in fields]
    texts = [field for field, _ in sized if _is_text(field)]
    if len(texts) > 1:
        raise Usage("only one field may have type str: use str16 or str32 for the others")
    sized.sort(key=lambda one: -1 if _is_text(one[0]) else one[1], reverse=True)
    odd = [index for index, (_, size) in enumerate(sized) if size == 1]
    if texts and len(odd) % 2:
        # The text's length must be at an even offset.
        sized[odd[0]] = sized[odd[0]][0], 2
    placed, offset = [], 0
    for field, size in sized:
        placed.append(Placed(field, offset, size))
        offset += size
    if offset > layout.PAYLOAD_SIZE:
        raise Usage(
            f"the fields take {offset} bytes, a record has {layout.PAYLOAD_SIZE}: remove some"
            " fields, or use smaller types, such as u32 or str16"
        )
    if len(fields) > layout.MAX_FIELDS:
        raise Usage(f"{len(fields)} fields: at most {layout.MAX_FIELDS}")
    return placed


def _is_text(field: Typed | Elapsed) -> bool:
    return isinstance(field, Typed) and field.shape.type == TEXT


def fetch_code(placed: Iterable[Placed], words: Words, *, direct: bool) -> bytes:
    """
    Generate the code that fetches fields.

    :param direct: whether to use load instructions if the verifier may know the type
    """
    code = _Code()
    for one in placed:
        if isinstance(one.field, Elapsed):
            code.add(_LDX[8], 7, 6, _ELAPSED)
            _store(code, one)
        else:
            _fetch(code, one.field, one, words, direct)
    return bytes(code.data)


def _store(code: _Code, one: Placed) -> None:
    code.add(_LDX[8], 8, 6, _PAYLOAD)
    code.add(_STX[one.size], 8, 7, one.offset)


def _fetch(code: _Code, field: Typed, one: Placed, words: Words, direct: bool) -> None:
    _begin(code, field, words, direct)
    steps = list(field.steps)
    string = field.shape.type in (TEXT, "name")
    plain = (
        field.bits is None
        and not field.shape.swapped
        and one.size <= field.size
        and field.shape.type != "bool"
    )
    last = steps[-1] if steps else None
    if not string and isinstance(last, Load) and plain and not (direct and last.known):
        # Read directly into the payload.
        _follow(code, steps[:-1], direct)
        code.add(_LDX[8], 8, 6, _PAYLOAD)
        code.add(_MOV, 1, 8)
        code.add(_ADD_IMM, 1, imm=one.offset)
        _read(code, last.offset, one.size)
        return
    _follow(code, steps, direct)
    if field.shape.type == TEXT:
        _fetch_text(code, field, one)
    elif string:
        _fetch_name(code, one)
    else:
        _convert(code, field, one)
        _store(code, one)


def _begin(code: _Code, field: Typed, words: Words, direct: bool) -> None:
    """Load the start of the access path into r7."""
    match field.start:
        case Current():
            code.call(_CURRENT_TASK)
            code.add(_MOV, 7, 0)
            return
        case Source(offset):
            place = offset
        case Argument(word) if word < len(words.arguments):
            place = words.arguments[word]
        case Argument(word):
            if words.stacked is None:
                raise Usage(f"field {field.text!r}: there is no argument {word}")
            first, pointer = words.stacked
            code.add(_LDX[8], 8, 6, _CTX)
            code.add(_LDX[8], 7, 8, pointer)
            _read_scratch(code, first + 8 * (word - len(words.arguments)), 8)
            return
        case Result():
            assert words.result is not None
            place = words.result
    code.add(_LDX[8], 8, 6, _CTX)
    if words.typed and not direct:
        # Treat it as untyped memory.
        code.add(_MOV, 7, 8)
        _read_scratch(code, place, 8)
    else:
        code.add(_LDX[8], 7, 8, place)


def _follow(code: _Code, steps: Iterable[Load | Offset], direct: bool) -> None:
    for step in steps:
        match step:
            case Offset(offset):
                code.add(_ADD_IMM, 7, imm=offset)
            case Load(offset, size, known) if known and direct:
                code.add(_LDX[size], 7, 7, offset)
            case Load(offset, size, _):
                _read_scratch(code, offset, size)


def _read(code: _Code, offset: int, size: int) -> None:
    """Read memory at r7 to the address in r1."""
    code.add(_MOV, 3, 7)
    if offset:
        code.add(_ADD_IMM, 3, imm=offset)
    code.add(_MOV_IMM, 2, imm=size)
    code.call(_READ_KERNEL)


def _read_scratch(code: _Code, offset: int, size: int) -> None:
    code.add(_MOV, 1, 6)
    code.add(_ADD_IMM, 1, imm=_SCRATCH)
    _read(code, offset, size)
    code.add(_LDX[size], 7, 6, _SCRATCH)


def _convert(code: _Code, field: Typed, one: Placed) -> None:
    """Convert the value in r7 to its recorded form."""
    if field.bits:
        first, count = field.bits
        if first + count < 64:
            code.add(_LSH_IMM, 7, imm=64 - first - count)
        code.add(_ARSH_IMM if field.signed else _RSH_IMM, 7, imm=64 - count)
    elif field.size < one.size or field.shape.type == "bool":
        # The upper bits of an argument are undefined.
        unused = 64 - 8 * field.size
        if unused:
            code.add(_LSH_IMM, 7, imm=unused)
            code.add(_ARSH_IMM if field.signed else _RSH_IMM, 7, imm=unused)
    if field.shape.swapped:
        code.add(_TO_BE, 7, imm=8 * one.size)
    if field.shape.type == "bool":
        code.constant(1, 0)
        jump = code.add(_JUMPS["==", False], 7, 1)
        code.add(_MOV_IMM, 7, imm=1)
        code.land([jump])


def _fetch_text(code: _Code, field: Typed, one: Placed) -> None:
    """Read a string into a scratch buffer, then put its length and beginning into the payload."""
    code.add(_MOV, 3, 7)
    code.add(_LDX[8], 1, 6, _TEXT)
    code.add(_MOV_IMM, 2, imm=_TEXT_SIZE)
    code.call(_READ_USER_STR if field.shape.user else _READ_KERNEL_STR)
    # The result includes the terminating zero, or is an error.
    code.constant(1, 1)
    jump = code.add(_JUMPS[">=", True], 0, 1)
    code.add(_MOV_IMM, 0, imm=1)
    code.land([jump])
    code.add(_ADD_IMM, 0, imm=-1)
    code.add(_LDX[8], 8, 6, _PAYLOAD)
    code.add(_STX[2], 8, 0, one.offset)
    begin = one.offset + one.size
    if begin < layout.PAYLOAD_SIZE:
        code.add(_MOV, 1, 8)
        code.add(_ADD_IMM, 1, imm=begin)
        code.add(_LDX[8], 7, 6, _TEXT)
        _read(code, 0, layout.PAYLOAD_SIZE - begin)


def _fetch_name(code: _Code, one: Placed) -> None:
    """Read a string into the payload, padded with zeros."""
    code.add(_LDX[8], 8, 6, _PAYLOAD)
    for offset in range(one.offset, one.offset + one.size, 8):
        code.add(_ST_DW, 8, off=offset)
    code.add(_MOV, 1, 8)
    code.add(_ADD_IMM, 1, imm=one.offset)
    code.add(_MOV, 3, 7)
    code.add(_MOV_IMM, 2, imm=one.size)
    code.call(_READ_KERNEL_STR)


def keep_code() -> bytes:
    """Generate code that always continues."""
    return INSN.pack(_MOV_IMM, 0, 0, 1)


def condition_code(clauses: Iterable[Clause]) -> bytes:
    """Generate code that sets r0 to whether one of the clauses holds for the payload."""
    code = _Code()
    code.add(_LDX[8], 8, 6, _PAYLOAD)
    done = []
    for clause in clauses:
        failed: list[int] = []
        for term in clause.terms:
            failed += _test(code, term)
        code.add(_MOV_IMM, 0, imm=1)
        done.append(code.add(_JUMP))
        code.land(failed)
    code.add(_MOV_IMM, 0, imm=0)
    code.land(done)
    return bytes(code.data)


def _test(code: _Code, term: Term) -> list[int]:
    """Generate a comparison; return the jumps that are taken if the term does not hold."""
    field = term.field
    if isinstance(term.value, bytes):
        return _test_name(code, term, term.value.ljust(field.size, b"\0"))
    code.add(_LDX[field.size], 7, 8, field.offset)
    if term.signed and field.size < 8:
        code.add(_LSH_IMM, 7, imm=64 - 8 * field.size)
        code.add(_ARSH_IMM, 7, imm=64 - 8 * field.size)
    code.constant(1, term.value)
    if term.op == "!&":
        return [code.add(_JUMPS["&", False], 7, 1)]
    if term.op == "&":
        over = code.add(_JUMPS["&", False], 7, 1)
        failed = code.add(_JUMP)
        code.land([over])
        return [failed]
    op = _OPPOSITE[term.op]
    return [code.add(_JUMPS[op, term.signed and op not in ("==", "!=")], 7, 1)]


def _test_name(code: _Code, term: Term, value: bytes) -> list[int]:
    different = []
    for place in range(0, len(value), 8):
        code.add(_LDX[8], 7, 8, term.field.offset + place)
        code.constant(1, int.from_bytes(value[place : place + 8], "little"))
        different.append(code.add(_JUMPS["!=", False], 7, 1))
    if term.op == "==":
        return different
    failed = code.add(_JUMP)
    code.land(different)
    return [failed]


def fill_place(program: bytes, code: bytes) -> bytes:
    """
    Put code into a template.

    :param program: its instructions
    :param code: code for PLACE; it sets r0 to whether to continue
    :raises Usage: if there is not enough room
    """
    start = next(
        offset
        for offset in range(0, len(program), INSN.size)
        if INSN.unpack_from(program, offset)[::3] == (_MOV_IMM, _MAGIC)
    )
    end = start + INSN.size
    while program[end : end + INSN.size] == _NOP:
        end += INSN.size
    room = end - start
    if len(code) > room:
        raise Usage(
            f"the fields take {len(code) // INSN.size} instructions, at most"
            f" {room // INSN.size} fit: remove some fields"
        )
    return program[:start] + code + _NOP * ((room - len(code)) // INSN.size) + program[end:]
