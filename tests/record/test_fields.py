# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fields of probes: what they mean by BTF, and the code that fetches them.

The types are of C that is compiled here, so that offsets are known; the code runs in
an interpreter of the few instructions that it has, over memory that is laid out here.
"""

from collections.abc import Iterator
import struct
import subprocess

import pytest

from lkst.abi import layout
from lkst.bpf import btf as kinds
from lkst.bpf.btf import Btf, open_btf
from lkst.decode.catalogue import Catalogue, Event, Field
from lkst.errors import Usage
from lkst.record.probe.access_path import Signature, Typed
from lkst.record.probe.codegen import (
    ELAPSED,
    INSN,
    Words,
    condition_code,
    fetch_code,
    fill_place,
    keep_code,
    place_fields,
)
from lkst.record.probe.expr_parser import parse_field
from lkst.record.probe.field_types import members_behind, shapes_of, type_field
from lkst.record.trigger.compile import compile_expression
from lkst.record.trigger.value_names import LiveNames

SOURCE = """
typedef unsigned short __be16;
typedef unsigned int gfp_t;
typedef _Bool bool;
enum colour { RED = 1, BLUE = 2, GREEN = 4 };
struct counter { int value; };
struct inner { unsigned char a; unsigned short port; char name[12]; };
struct task_struct { int pid; char comm[16]; };
struct thing {
	unsigned int low : 5, high : 7;
	int balance : 4;
	struct counter users;
	struct inner *inner;
	struct { long hidden; union { long one; int two; }; };
	struct inner inners[3];
	enum colour colour;
	__be16 dport;
	bool ready;
	const char *text;
	void (*function)(void);
	struct thing *next;
	unsigned char bytes[16];
	gfp_t gfp;
	struct task_struct *task;
};
struct task_struct a_task;
unsigned long a_word;
long probed(struct thing *thing, int number, long *where, void *any, bool flag)
{
	return thing->users.value + number + *where + (long)any + flag + thing->inner->a;
}
"""

ARGS, TASK, THING, INNER, STRING, NUMBER, PAYLOAD, TEXT, FETCHING = (n << 16 for n in range(1, 10))


@pytest.fixture(scope="module")
def btf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Btf]:
    folder = tmp_path_factory.mktemp("btf")
    (folder / "types.c").write_text(SOURCE)
    flags = ["-O2", "-g", "-target", "bpf", "-c"]
    subprocess.run(["clang", *flags, "types.c", "-o", "types.o"], cwd=folder, check=True)
    with open_btf(file=folder / "types.o") as found:
        yield found


@pytest.fixture(scope="module")
def signature(btf: Btf) -> Signature:
    function = btf.find("probed", kinds.FUNC)
    parameters = [(name, type_, n) for n, (name, type_) in enumerate(btf.parameters(function))]
    return Signature(tuple(parameters), btf.result(function), returns=True)


def typed(btf: Btf, signature: Signature, catalogue: Catalogue, *texts: str) -> list[Typed]:
    shapes = shapes_of(catalogue)
    return [type_field(parse_field(text), btf, signature, shapes) for text in texts]


@pytest.mark.parametrize(
    ("text", "name", "type_"),
    [
        ("count", "count", ""),
        ("*pos", "pos", ""),
        ("file->f_path.dentry->d_name.name:str", "name", "str"),
        ("sk->__sk_common.skc_dport:be16", "skc_dport", "be16"),
        ("n=arg3:x64", "n", "x64"),
        ("%di", "di", ""),
        ("a->b[3]", "b3", ""),
        ("container_of(work, struct foo, w.x)->y", "y", ""),
        ("*(u64 *)arg0", "arg0", ""),
        ("((struct sock *)sk)->x:enum(colour)", "x", "enum"),
    ],
)
def test_names_of_fields(text: str, name: str, type_: str) -> None:
    field = parse_field(text)
    assert (field.name, field.type) == (name, type_)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "a:", "a->", "a.", "a[", "a[b]", "a b", "a+1", "(a", "a)", "&", "->a", "%"),
        *("a=b=c", "a:b:c", "container_of(a)", "x" * 300, "(" * 40 + "a" + ")" * 40),
    ],
)
def test_what_is_no_field_is_refused(text: str) -> None:
    with pytest.raises(Usage):
        parse_field(text)


@pytest.mark.parametrize(
    ("text", "type_", "size"),
    [
        ("number", "s32", 4),
        ("thing->gfp", "gfp", 4),
        ("flag", "bool", 1),
        ("any", "hex", 8),
        ("*where", "s64", 8),
        ("ret", "ret", 8),
        ("task->pid", "s32", 4),
        ("task->comm", "name", 16),
        ("thing->low", "u8", 1),
        ("thing->balance", "s8", 1),
        ("thing->users", "s32", 4),
        ("thing->hidden", "s64", 8),
        ("thing->two", "s32", 4),
        ("thing->inners[1].port", "u16", 2),
        ("thing->inners[2].name", "name", 16),
        ("thing->colour", "enum", 4),
        ("thing->colour:flags", "flags", 4),
        ("number:flags(colour)", "flags", 4),
        ("thing->dport", "u16", 2),
        ("thing->text:str", "text", 2),
        ("thing->text:str24", "name", 24),
        ("thing->text[1]", "s8", 1),
        ("thing->function", "ksym", 8),
        ("thing->next->next->inner->a", "u8", 1),
        ("&thing->users", "hex", 8),
        ("arg1", "s32", 4),
        ("number:x16", "hex", 2),
        ("number:signal", "signal", 4),
        ("container_of(&thing->users, struct thing, users)->ready", "bool", 1),
        ("((struct inner *)any)->port", "u16", 2),
    ],
)
def test_types_of_fields(
    btf: Btf, signature: Signature, catalogue: Catalogue, text: str, type_: str, size: int
) -> None:
    (field,) = typed(btf, signature, catalogue, text)
    assert (field.shape.type, field.shape.size) == (type_, size)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nubmer", "there is no 'nubmer': did you mean number?"),
        ("thing->usrs", "struct thing has no member 'usrs': did you mean users?"),
        ("thing.users", "struct thing * is a pointer: use ->users"),
        ("number->x", "int is not a pointer"),
        ("*any", "cast it"),
        ("*thing", "struct thing is a struct"),
        ("thing->inners", "is an array: choose an element"),
        ("thing->inners[3]", "index 3 is out of range: 0 to 2"),
        ("number:u128", "there is no type 'u128'"),
        ("thing->ready:be16", "be16 needs 2 bytes, the value has 1"),
        ("number:enum", "name the enum"),
        ("number:enum(color)", "the kernel has no enum color"),
        ("(struct nothing *)any", "the kernel has no type struct nothing"),
        ("number:str", "int is not a string"),
        ("arg5", "there is no argument 5"),
        ("%di", "registers are available only at FUNCTION+OFFSET"),
        ("&number", "'&' needs a value in memory"),
        ("thing->low:u8(colour)", "only enum and flags"),
    ],
)
def test_what_cannot_be_typed_is_refused(
    btf: Btf, signature: Signature, catalogue: Catalogue, text: str, why: str
) -> None:
    with pytest.raises(Usage) as error:
        typed(btf, signature, catalogue, text)
    assert why in str(error.value)


def test_what_can_follow_an_expression(btf: Btf, signature: Signature) -> None:
    found = members_behind(parse_field("thing->inner").expression, btf, signature)
    assert found == [
        ("->a", "unsigned char"),
        ("->port", "unsigned short"),
        ("->name", "char [12]"),
    ]
    assert ("->one", "long") in members_behind(parse_field("thing").expression, btf, signature)


class Machine:
    """Runs what was generated, with memory at the addresses above."""

    def __init__(self) -> None:
        thing = bytearray(256)
        self.memory = {
            ARGS: bytearray(struct.pack("<5Qq", THING, 0xDEAD0000_FFFFFFFE, NUMBER, INNER, 1, -2)),
            TASK: bytearray(struct.pack("<i16s", 77, b"worker")),
            THING: thing,
            INNER: bytearray(struct.pack("<BxH12s", 9, 8080, b"inside")),
            STRING: bytearray(b"a string that is longer than forty bytes, which it has to be\0"),
            NUMBER: bytearray(struct.pack("<q", -5)),
            PAYLOAD: bytearray(b"\xee" * layout.PAYLOAD_SIZE),
            TEXT: bytearray(256),
            FETCHING: bytearray(struct.pack("<5Q", ARGS, PAYLOAD, TEXT, 4321, 0)),
        }

    def at(self, address: int, size: int) -> tuple[bytearray, int]:
        memory, offset = self.memory.get(address & ~0xFFFF), address & 0xFFFF
        if memory is None or offset + size > len(memory):
            raise IndexError(hex(address))
        return memory, offset

    def load(self, address: int, size: int) -> int:
        memory, offset = self.at(address, size)
        return int.from_bytes(memory[offset : offset + size], "little")

    def store(self, address: int, size: int, value: int) -> None:
        memory, offset = self.at(address, size)
        memory[offset : offset + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")

    def call(self, helper: int, regs: list[int]) -> int:
        if helper == 158:
            return TASK
        target, size, source = regs[1:4]
        data = bytearray(size)
        try:
            if helper == 113:
                memory, offset = self.at(source, size)
                data[:] = memory[offset : offset + size]
            else:
                memory, offset = self.at(source, 1)
                text = bytes(memory[offset:]).split(b"\0")[0][: size - 1] + b"\0"
                data = bytearray(text)
        except IndexError:
            result = -14
        else:
            result = 0 if helper == 113 else len(data)
        memory, offset = self.at(target, len(data))
        memory[offset : offset + len(data)] = data
        return result

    def run(self, code: bytes) -> int:
        """:return: r0"""
        insns = list(INSN.iter_unpack(code))
        regs = [0] * 10
        regs[6] = FETCHING
        sizes = {0: 4, 0x08: 2, 0x10: 1, 0x18: 8}
        at = 0
        while at < len(insns):
            op, registers, off, imm = insns[at]
            dst, src = registers & 15, registers >> 4
            at += 1
            kind = op & 7
            if op == 0x18:
                regs[dst] = imm & 0xFFFFFFFF | (insns[at][3] & 0xFFFFFFFF) << 32
                at += 1
            elif kind == 1:
                regs[dst] = self.load(regs[src] + off, sizes[op & 0x18])
            elif kind == 3:
                self.store(regs[dst] + off, sizes[op & 0x18], regs[src])
            elif kind == 2:
                self.store(regs[dst] + off, sizes[op & 0x18], imm)
            elif op == 0x85:
                regs[0] = self.call(imm, regs)
                regs[1:6] = [0xBAD0000] * 5
            elif op == 0xDC:
                size = imm // 8
                value = regs[dst] & (1 << imm) - 1
                regs[dst] = int.from_bytes(value.to_bytes(size, "little"), "big")
            elif kind == 5:
                if self.jumps(op, regs[dst], regs[src]):
                    at += off
            else:
                regs[dst] = self.alu(op, regs[dst], regs[src], imm)
            regs = [value & (1 << 64) - 1 for value in regs]
        return regs[0]

    @staticmethod
    def jumps(op: int, a: int, b: int) -> bool:
        signed = [value - (1 << 64) if value >> 63 else value for value in (a, b)]
        return {
            0x05: True,
            0x1D: a == b,
            0x5D: a != b,
            0x2D: a > b,
            0x3D: a >= b,
            0xAD: a < b,
            0xBD: a <= b,
            0x4D: a & b != 0,
            0x6D: signed[0] > signed[1],
            0x7D: signed[0] >= signed[1],
            0xCD: signed[0] < signed[1],
            0xDD: signed[0] <= signed[1],
        }[op]

    @staticmethod
    def alu(op: int, a: int, b: int, imm: int) -> int:
        signed = a - (1 << 64) if a >> 63 else a
        return {
            0xBF: b,
            0xB7: imm,
            0x07: a + imm,
            0x67: a << (imm & 63),
            0x77: a >> (imm & 63),
            0xC7: signed >> (imm & 63),
        }[op]


@pytest.fixture
def machine(btf: Btf) -> Machine:
    """Give one whose struct thing is filled in."""
    machine = Machine()
    thing = machine.memory[THING]
    struct_ = btf.find("thing", kinds.STRUCT)
    places = {member.name: member.bit_offset // 8 for member in btf.members(struct_)}
    # low 21, high 85, balance -3
    struct.pack_into("<H", thing, 0, 21 | 85 << 5 | (-3 & 15) << 12)
    for name, form, value in (
        ("users", "<i", -7),
        ("inner", "<Q", INNER),
        ("colour", "<I", 2),
        ("dport", ">H", 443),
        ("ready", "<B", 1),
        ("text", "<Q", STRING),
        ("next", "<Q", THING),
    ):
        struct.pack_into(form, thing, places[name], value)
    struct.pack_into("<BxH12s", thing, places["inners"] + 16, 1, 22, b"second")
    return machine


FIELDS = {
    "number": -2,
    "flag": 1,
    "*where": -5,
    "ret": -2,
    "task->pid": 77,
    "task->comm": b"worker",
    "thing->low": 21,
    "thing->high": 85,
    "thing->balance": -3,
    "thing->users": -7,
    "thing->inner->port": 8080,
    "thing->next->next->inner->a": 9,
    "thing->inners[1].port": 22,
    "thing->inners[1].name:str8": b"second",
    "thing->dport": 443,
    "thing->ready": 1,
    "thing->text:str16": b"a string that i",
    "thing->text[2]:u8": ord("s"),
    "((struct inner *)any)->port:u64": 8080,
    "container_of(&thing->users, struct thing, users)->colour": 2,
    "number:u64": (1 << 64) - 2,
    "number:u16": 0xFFFE,
    # Nothing is there: the kernel gives zeros.
    "((struct thing *)where)->next->inner->port": 0,
}


def value_of(machine: Machine, field: Field) -> int | bytes:
    raw = bytes(machine.memory[PAYLOAD][field.offset : field.offset + field.size])
    if field.type == "name":
        return raw.rstrip(b"\0")
    signed = field.type in ("s8", "s16", "s32", "s64", "ret", "errno")
    return int.from_bytes(raw, "little", signed=signed)


#: Fields, and whether they are loaded directly. The kernel has a fixup for a direct load that
#: faults, and the interpreter here has none.
FETCHES = [
    (text, direct)
    for text in FIELDS
    for direct in (False, True)
    if not (direct and text.startswith("((struct thing *)where"))
]


@pytest.mark.parametrize(("text", "direct"), FETCHES)
def test_fields_are_fetched(
    btf: Btf,
    signature: Signature,
    catalogue: Catalogue,
    machine: Machine,
    text: str,
    direct: bool,
) -> None:
    placed = place_fields(typed(btf, signature, catalogue, text))
    words = Words([8 * n for n in range(5)], None, 40, typed=True)
    code = fetch_code(placed, words, direct=direct) + keep_code()
    assert machine.run(code) == 1
    (one,) = placed
    assert isinstance(one.field, Typed)
    shape = one.field.shape
    assert value_of(machine, Field("x", shape.type, "", one.offset, one.size)) == FIELDS[text]
    rest = machine.memory[PAYLOAD][one.offset + one.size :]
    assert set(rest) <= {0xEE}, "more was written than there is room for"


def test_a_text_goes_on_aside(
    btf: Btf, signature: Signature, catalogue: Catalogue, machine: Machine
) -> None:
    fields = typed(btf, signature, catalogue, "thing->text:str", "flag", "number")
    placed = place_fields([*fields, ELAPSED])
    words = Words([8 * n for n in range(5)], None, 40, typed=True)
    machine.run(fetch_code(placed, words, direct=False))
    text = bytes(machine.memory[STRING]).rstrip(b"\0")
    payload = bytes(machine.memory[PAYLOAD])
    assert [(one.offset, one.size) for one in placed] == [(0, 8), (8, 4), (12, 2), (14, 2)]
    assert struct.unpack_from("<QiHH", payload) == (4321, -2, 1, len(text))
    assert payload[16:] == text[:24]
    assert bytes(machine.memory[TEXT]).startswith(text + b"\0")


def test_arguments_of_kprobes_are_registers_and_words_of_the_stack(
    btf: Btf, signature: Signature, catalogue: Catalogue, machine: Machine
) -> None:
    bare = Signature((), None)
    placed = place_fields(typed(btf, bare, catalogue, "arg1", "arg5"))
    # As if five were on the stack, to which the third word points.
    machine.memory[NUMBER] = bytearray(struct.pack("<5q", 0, 11, 12, 13, 14))
    words = Words([0], (8, 16), None, typed=False)
    machine.run(fetch_code(placed, words, direct=False))
    assert struct.unpack_from("<qq", machine.memory[PAYLOAD]) == (11, 0)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("number == -2", True),
        ("number < -2", False),
        ("number <= -2", True),
        ("number > -3 and flag == 1", True),
        ("number > 0 or pid == 77", True),
        ("number > 0 or pid == 78", False),
        ("not (number > 0 or pid == 78)", True),
        ("comm == worker", True),
        ("comm != worker", False),
        ("comm == work", False),
        ("high & 4", True),
        ("high & 2", False),
        ("not high & 2", True),
        ("probed.number >= -2", True),
    ],
)
def test_conditions_are_checked(
    btf: Btf,
    signature: Signature,
    catalogue: Catalogue,
    machine: Machine,
    condition: str,
    holds: bool,
) -> None:
    texts = ("task->comm", "number", "task->pid", "flag", "thing->high")
    placed = place_fields(typed(btf, signature, catalogue, *texts))
    fields = [
        Field(one.field.name, one.field.shape.type, "", one.offset, one.size)
        for one in placed
        if isinstance(one.field, Typed)
    ]
    event = Event(200, "probed", "probe", "", "", "", True, tuple(fields))
    clauses = compile_expression(condition, catalogue, LiveNames(), event)
    words = Words([8 * n for n in range(5)], None, 40, typed=True)
    code = fetch_code(placed, words, direct=False) + condition_code(clauses)
    assert machine.run(code) == holds


def test_what_does_not_fit_is_refused(btf: Btf, signature: Signature, catalogue: Catalogue) -> None:
    with pytest.raises(Usage, match="48 bytes, a record has 40"):
        place_fields(typed(btf, signature, catalogue, *(f"f{n}=any" for n in range(6))))
    with pytest.raises(Usage, match="11 fields: at most 10"):
        place_fields(typed(btf, signature, catalogue, *(f"f{n}=flag" for n in range(11))))
    with pytest.raises(Usage, match="only one field may have type str"):
        place_fields(typed(btf, signature, catalogue, "thing->text:str", "o=any:str"))


def test_code_is_put_where_the_template_has_room() -> None:
    magic = INSN.pack(0xB7, 0, 0, 0x4C4B5354)
    nop, other = INSN.pack(0x05, 0, 0, 0), INSN.pack(0x95, 0, 0, 0)
    template = other + magic + nop * 3 + other
    code = INSN.pack(0xB7, 0, 0, 1)
    assert fill_place(template, code * 2) == other + code * 2 + nop * 2 + other
    with pytest.raises(Usage, match="5 instructions, at most 4"):
        fill_place(template, code * 5)
