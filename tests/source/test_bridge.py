# SPDX-License-Identifier: GPL-2.0-or-later
"""The asking end of the bridge to crash, against answers that are right and wrong."""

from collections.abc import Callable, Iterator
import contextlib
import os
import signal
import socket
import threading
import time

from drgn import FaultError
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from lkst.errors import Damaged, LkstError
from lkst.hosts.crash_bridge import (
    HELLO,
    MAX_READ,
    NEXT,
    READ,
    REPLY,
    REQUEST,
    VERSION,
    Bridge,
    CrashFacts,
)
from lkst.hosts.crash_memory import PAGE, PIECE, Memory
from lkst.hosts.crash_session import make_host, unquoted

FACTS = b"arch=X86_64\0dumpfile=a b\0live=0\0vmcoreinfo=A=1\nB=2\n\0memory=1000 2000\0new=x\0"

Answer = Callable[[socket.socket, tuple[int, ...]], None]


@contextlib.contextmanager
def bridge(answer: Answer) -> Iterator[Bridge]:
    """Give a bridge to a thread that answers."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs, contextlib.suppress(ConnectionError):
            while len(data := theirs.recv(REQUEST.size, socket.MSG_WAITALL)) == REQUEST.size:
                answer(theirs, REQUEST.unpack(data))

    thread = threading.Thread(target=serve)
    thread.start()
    fd = ours.detach()
    made = Bridge(fd, fd)
    try:
        yield made
    finally:
        made.close()
        thread.join()


def read(asking: Bridge, address: int, size: int) -> bytes:
    data = bytearray(size)
    return bytes(data[: asking.read_into(address, memoryview(data))])


def replying(data: bytes, *, kind: int = HELLO, version: int = VERSION) -> Answer:
    def answer(where: socket.socket, question: tuple[int, ...]) -> None:
        where.sendall(REPLY.pack(kind, version, len(data)) + data)

    return answer


def test_facts() -> None:
    with bridge(replying(FACTS)) as asking:
        facts = asking.hello()
    assert facts.arch == "X86_64"
    assert facts.dumpfile == "a b"
    assert facts.vmcoreinfo == b"A=1\nB=2\n"
    assert facts.memory == [(0x1000, 0x2FFF)]
    assert not facts.live
    assert facts.namelist == ""


def test_question() -> None:
    asked = []

    def answer(where: socket.socket, question: tuple[int, ...]) -> None:
        asked.append(question)
        where.sendall(REPLY.pack(question[0], VERSION, 2) + b"a\0")

    with bridge(answer) as asking:
        assert read(asking, 1 << 40, 2) == b"a\0"
        assert asking.next(7) == (["a"], [])
        asking.bye(3)
    assert asked[:2] == [(READ, VERSION, 1 << 40, 2), (NEXT, VERSION, 7, 0)]


@pytest.mark.parametrize(
    "answer",
    [
        replying(b"", kind=READ),
        replying(b"memory=x y\0"),
        replying(b"memory=1\0"),
        lambda where, question: where.sendall(REPLY.pack(HELLO, VERSION, 1 << 62)),
    ],
)
def test_answers_that_make_no_sense(answer: Answer) -> None:
    with bridge(answer) as asking, pytest.raises(Damaged, match="invalid answer"):
        asking.hello()


def test_more_than_was_asked_for() -> None:
    with bridge(replying(b"12345", kind=READ)) as asking, pytest.raises(Damaged):
        read(asking, 0, 4)


def test_other_version() -> None:
    with bridge(replying(b"", version=2)) as asking, pytest.raises(LkstError, match="version 2"):
        asking.hello()


@pytest.mark.parametrize("part", [b"", REPLY.pack(HELLO, VERSION, 9), b"abc"])
def test_cut_off(part: bytes) -> None:
    def answer(where: socket.socket, question: tuple[int, ...]) -> None:
        where.sendall(part)
        where.shutdown(socket.SHUT_RDWR)

    with bridge(answer) as asking:
        with pytest.raises(EOFError):
            asking.hello()
        with pytest.raises(EOFError):
            read(asking, 0, 1)


def test_interrupt_leaves_no_answer_unread() -> None:
    def answer(where: socket.socket, question: tuple[int, ...]) -> None:
        if question[2] < 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        replying(question[2].to_bytes(8, "little"), kind=READ)(where, question)

    before = signal.getsignal(signal.SIGINT)
    with bridge(answer) as asking:
        signal.signal(signal.SIGINT, asking.interrupt)
        for address in range(3):
            with pytest.raises(KeyboardInterrupt):
                read(asking, address, 8)
        assert read(asking, 7, 8) == (7).to_bytes(8, "little")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    signal.signal(signal.SIGINT, before)


class Machine:
    """Memory of which pages are missing."""

    SIZE = 40 * PIECE

    def __init__(self, missing: set[int]) -> None:
        self.data = bytearray(os.urandom(PAGE) * (self.SIZE // PAGE))
        for number in range(self.SIZE // PAGE):
            self.data[number * PAGE : number * PAGE + 8] = number.to_bytes(8, "little")
        self.missing = missing
        self.reads = 0

    def read_into(self, address: int, data: memoryview) -> int:
        assert 0 < len(data) <= MAX_READ
        self.reads += 1
        last = min(address + len(data), self.SIZE)
        end = address
        while end < last and end // PAGE not in self.missing:
            end = min((end // PAGE + 1) * PAGE, last)
        data[: end - address] = self.data[address:end]
        return end - address


@settings(deadline=None)
@given(
    missing=st.sets(st.integers(0, 70), max_size=30),
    reads=st.lists(st.tuples(st.integers(0, 72 * PAGE), st.integers(1, 3 * PIECE)), max_size=20),
    live=st.booleans(),
)
def test_memory(missing: set[int], reads: list[tuple[int, int]], live: bool) -> None:
    machine = Machine(missing)
    memory = Memory(machine.read_into, live)
    for address, count in reads:
        pages = range(address // PAGE, (address + count - 1) // PAGE + 1)
        absent = [number for number in pages if number in missing]
        if absent:
            with pytest.raises(FaultError) as raised:
                memory.read(address, count)
            assert raised.value.address == max(address, absent[0] * PAGE)
        else:
            expected = bytes(machine.data[address : address + count])
            assert bytes(memory.read(address, count)) == expected


def test_memory_is_read_in_pieces() -> None:
    machine = Machine({20})
    memory = Memory(machine.read_into, False)
    for address in range(0, 16 * PIECE, 8):
        if address // PAGE != 20:
            memory.read(address, 8)
    # One for each piece, and one for what is behind the missing page.
    assert machine.reads == 17
    for _ in range(3):
        with pytest.raises(FaultError):
            memory.read(20 * PAGE, 8)
    assert machine.reads <= 18


def test_memory_that_changes() -> None:
    machine = Machine({100})
    memory = Memory(machine.read_into, True)

    def change(value: int) -> None:
        machine.data[8:16] = value.to_bytes(8, "little")

    change(1)
    assert memory.read(8, 8) == bytes([1, *bytes(7)])
    change(2)
    memory.read(0, 2 * PIECE)
    assert memory.read(8, 8) == bytes([2, *bytes(7)])
    change(3)
    with pytest.raises(FaultError):
        memory.read(100 * PAGE, 8)
    assert memory.read(8, 8) == bytes([3, *bytes(7)])
    machine.missing.clear()
    assert memory.read(100 * PAGE, 8) == (100).to_bytes(8, "little")


def facts(**changes: object) -> CrashFacts:
    made = CrashFacts("X86_64", "6.1", "dump", "", False, b"OSRELEASE=6.1\nPAGESIZE=4096\n", [])
    return made._replace(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"arch": "ALPHA"}, "dump: the architecture ALPHA is not supported by drgn"),
        ({"vmcoreinfo": b"\xff\xfe"}, "dump: VMCOREINFO does not contain valid OSRELEASE"),
        ({"vmcoreinfo": b""}, "dump: crash found no VMCOREINFO"),
    ],
)
def test_kernels_that_cannot_be_placed(changes: dict[str, object], told: str) -> None:
    with pytest.raises(LkstError, match=told):
        make_host(facts(**changes), Memory(Machine(set()).read_into, False))


@pytest.mark.parametrize(
    "words, expected",
    [
        (["replay", "--event", "'sched_*,irq'"], ["replay", "--event", "sched_*,irq"]),
        (["--comm", "'a", "b", "c'", "d"], ["--comm", "a b c", "d"]),
        (["it's", "''"], ["it's", ""]),
        (["'open", "end"], ["'open end"]),
        ([], []),
    ],
)
def test_single_quotes(words: list[str], expected: list[str]) -> None:
    assert unquoted(words) == expected
