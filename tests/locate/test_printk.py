# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's log, as kernel/printk/printk_ringbuffer.c writes it, in memory made by hand."""

import random
import struct

from drgn import (
    Architecture,
    FindObjectFlags,
    Object,
    Platform,
    PlatformFlags,
    Program,
    Type,
    TypeEnumerator,
    TypeMember,
)
import pytest

from lkst.locate.dmesg import read_dmesg
from lkst.locate.printk import LogRecord, newest_first

PRB, DESCS, INFOS, TEXT = 0x1000, 0x10000, 0x20000, 0x40000
COUNT_BITS, SIZE_BITS = 5, 10
COUNT, SIZE = 1 << COUNT_BITS, 1 << SIZE_BITS
IDS = (1 << 62) - 1
RESERVED, COMMITTED, FINALIZED, REUSABLE = range(4)
FAILED, EMPTY = 1, 3
U64 = (1 << 64) - 1


class Log:
    """What printk does to its ring."""

    def __init__(self, *, exact: bool, head_lpos: int = 0, head_id: int = 0) -> None:
        #: Whether a block may end where the ring ends, as it may in later kernels.
        self.exact = exact
        self.lpos = head_lpos
        self.id = self.tail = head_id
        self.text = bytearray(SIZE)
        self.blocks: dict[int, tuple[int, int, int]] = {}
        self.infos: dict[int, tuple[int, int, int]] = {}

    def write(self, text: bytes, caller: int = 7, state: int = FINALIZED) -> None:
        self.id = self.id + 1 & IDS
        if self.id - self.tail & IDS >= COUNT:
            self.tail = self.id - COUNT + 1 & IDS
        begin, end = EMPTY, EMPTY
        if text:
            size = -(-(8 + len(text)) // 8) * 8
            begin, end = self.lpos, self.lpos + size
            at = begin % SIZE
            if begin // SIZE != (end - self.exact) // SIZE:
                end = end // SIZE * SIZE + size
                struct.pack_into("<Q", self.text, at, self.id)
                at = 0
            self.text[at : at + 8 + len(text)] = struct.pack("<Q", self.id) + text
            self.lpos = end & U64
            # Whose blocks were overwritten are no more.
            for id_, (_, first, last) in list(self.blocks.items()):
                if not first & 1 and (self.lpos - first & U64) > SIZE:
                    self.blocks[id_] = (REUSABLE, first, last)
        self.blocks[self.id] = (state, begin & U64, end & U64)
        self.infos[self.id] = (len(text), 1000 + len(self.infos), caller)

    def program(self, hidden: range = range(0)) -> Program:
        """Make a program of its memory, of which some is missing."""
        descs, infos = bytearray(24 * COUNT), bytearray(24 * COUNT)
        for id_ in sorted(self.blocks, key=lambda id_: id_ - self.tail & IDS):
            state, begin, end = self.blocks[id_]
            length, ts, caller = self.infos[id_]
            at = id_ % COUNT * 24
            if self.id - id_ & IDS < COUNT:
                struct.pack_into("<QQQ", descs, at, state << 62 | id_, begin, end)
                struct.pack_into("<QHxxIxxxxxxxx", infos, at, ts, length, caller)
        prb = struct.pack(
            "<QQQQQQQQ", DESCS, INFOS, self.id, self.tail, COUNT_BITS, TEXT, SIZE_BITS, self.lpos
        )
        prog = Program(Platform(Architecture.X86_64, PlatformFlags.IS_64_BIT | LITTLE))
        for address, memory in ((PRB, prb), (DESCS, bytes(descs)), (INFOS, bytes(infos))):
            add(prog, address, memory)
        for at in range(0, SIZE, 64):
            if at not in hidden:
                add(prog, TEXT + at, bytes(self.text[at : at + 64]))
        declare(prog)
        return prog


LITTLE = PlatformFlags.IS_LITTLE_ENDIAN


def add(prog: Program, address: int, memory: bytes) -> None:
    def read(address: int, count: int, offset: int, physical: bool) -> bytes:
        return memory[offset : offset + count]

    prog.add_memory_segment(address, len(memory), read)


def declare(prog: Program) -> None:
    """Tell the program the kernel's types."""

    def struct_of(name: str, *members: tuple[Type, str]) -> Type:
        made, at = [], 0
        for type_, member in members:
            made.append(TypeMember(type_, member, 8 * at))
            at += prog_size(type_)
        return prog.struct_type(name, at, made)

    u64 = prog.int_type("unsigned long", 8, False)
    u32 = prog.int_type("unsigned int", 4, False)
    u16 = prog.int_type("unsigned short", 2, False)
    s64 = prog.int_type("long", 8, True)
    counter = struct_of("", (s64, "counter"))
    lpos = struct_of("prb_data_blk_lpos", (u64, "begin"), (u64, "next"))
    desc = struct_of("prb_desc", (counter, "state_var"), (lpos, "text_blk_lpos"))
    info = struct_of(
        "printk_info",
        (u64, "ts_nsec"),
        (u16, "text_len"),
        (u16, "_"),
        (u32, "caller_id"),
        (u64, "__"),
    )
    descs = struct_of(
        "prb_desc_ring",
        (prog.pointer_type(desc), "descs"),
        (prog.pointer_type(info), "infos"),
        (counter, "head_id"),
        (counter, "tail_id"),
        (u64, "count_bits"),
    )
    text = struct_of("prb_data_ring", (u64, "data"), (u64, "size_bits"), (counter, "head_lpos"))
    ring = struct_of("printk_ringbuffer", (descs, "desc_ring"), (text, "text_data_ring"))
    states = [
        TypeEnumerator(f"desc_{n}", v) for v, n in enumerate(("reserved", "committed", "finalized"))
    ]
    enum = prog.enum_type("desc_state", u32, states)

    def find(
        prog: Program, name: str, flags: FindObjectFlags, filename: str | None
    ) -> Object | None:
        if name == "prb":
            return Object(prog, prog.pointer_type(ring), PRB)
        values = {state.name: state.value for state in states}
        return Object(prog, enum, values[name]) if name in values else None

    prog.register_object_finder("made", find, enable_index=0)
    prog.register_type_finder(
        "made", lambda prog, kinds, name, filename: {"unsigned long": u64}.get(name), enable_index=0
    )


def prog_size(type_: Type) -> int:
    return type_.size if type_.size is not None else 8


def texts(log: Log, **options: range) -> list[bytes]:
    return [record.text for record in newest_first(log.program(**options))][::-1]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("head_lpos", [0, U64 + 1 - 2 * SIZE])
@pytest.mark.parametrize("seed", range(40))
def test_all_that_is_in_the_ring_is_read(exact: bool, head_lpos: int, seed: int) -> None:
    rng = random.Random(seed)
    log = Log(exact=exact, head_lpos=head_lpos, head_id=IDS - 20)
    written = []
    for number in range(rng.randrange(1, 150)):
        text = b"%d:" % number + b"abcdefgh" * rng.randrange(30)
        written.append(text[: rng.randrange(len(text) + 1)])
        log.write(written[-1])
    left = [
        text
        for text, (state, _, _) in list(zip(written, log.blocks.values(), strict=True))[-COUNT:]
        if state == FINALIZED
    ]
    assert left and texts(log) == left


@pytest.mark.parametrize("exact", [False, True])
def test_a_record_where_the_ring_ends(exact: bool) -> None:
    log = Log(exact=exact)
    log.write(b"x" * (SIZE - 8 - 64))
    log.write(b"y" * 56)  # with its id it takes what is left
    log.write(b"z" * 8)
    assert texts(log)[-2:] == [b"y" * 56, b"z" * 8]
    (_, begin, end) = log.blocks[2]
    assert (end % SIZE == 0) == exact and begin % SIZE == SIZE - 64


def test_what_is_being_written_is_left_out() -> None:
    log = Log(exact=False)
    for state in (FINALIZED, COMMITTED, RESERVED, REUSABLE):
        log.write(b"%d" % state, state=state)
    assert texts(log) == [b"2", b"1"]


def test_what_found_no_room_is_no_empty_line() -> None:
    log = Log(exact=False)
    log.write(b"one")
    log.write(b"")
    log.write(b"lost")
    log.blocks[3] = (FINALIZED, FAILED, FAILED)
    log.write(b"two")
    assert texts(log) == [b"one", b"", b"two"]


def test_who_printed_it() -> None:
    log = Log(exact=False)
    log.write(b"task", caller=12)
    log.write(b"interrupt", caller=1 << 31 | 3)
    assert list(newest_first(log.program())) == [
        LogRecord(b"interrupt", 1001, None, 3),
        LogRecord(b"task", 1000, 12, None),
    ]


def test_what_cannot_be_read_costs_the_records_that_lie_there() -> None:
    log = Log(exact=False)
    for number in range(8):
        log.write(b"%d" % number * 50)
    (other,) = read_dmesg(log.program(hidden=range(64, 128)))
    assert [entry.text for entry in other.entries] == [str(n) * 50 for n in (0, *range(2, 8))]


@pytest.mark.parametrize("begin, end", [(8, 0), (8, 1 << 62), (0, 4), (2, 3 * SIZE)])
def test_positions_that_make_no_sense(begin: int, end: int) -> None:
    log = Log(exact=False)
    log.write(b"one")
    log.write(b"two")
    log.blocks[2] = (FINALIZED, begin, end)
    assert texts(log) == [b"one"]
