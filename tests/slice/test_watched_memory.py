# SPDX-License-Identifier: GPL-2.0-or-later
"""Watched memory: what is read is noted, page by page, and is what is there."""

import random

from drgn import Architecture as Arch
from drgn import FaultError, Platform, Program
import pytest

from lkst.slice.watched_memory import WatchedMemory, carving_view

PAGE = 4096
DATA = random.Random(1).randbytes(4 * PAGE)
#: In the second and the third 16 KiB.
START = 4 * PAGE
GAP = 20 * PAGE


@pytest.fixture
def source() -> Program:
    prog = Program(Platform(Arch.X86_64))
    for start in (START, START + GAP):
        prog.add_memory_segment(
            start, len(DATA), lambda address, count, offset, physical: DATA[offset:][:count], True
        )
    return prog


@pytest.fixture
def memory(source: Program) -> WatchedMemory:
    return WatchedMemory(source, PAGE)


@pytest.mark.parametrize(
    ("offset", "count", "pages"),
    [
        (0, 8, [4]),
        (PAGE - 8, 8, [4]),
        (PAGE - 8, 9, [4, 5]),
        (PAGE + 100, 2 * PAGE, [5, 6, 7]),
        (0, 4 * PAGE, [4, 5, 6, 7]),
    ],
)
def test_reading(memory: WatchedMemory, offset: int, count: int, pages: list[int]) -> None:
    assert memory.read(START + offset, count) == DATA[offset : offset + count]
    assert sorted(memory.pages) == pages
    for number in pages:
        assert memory.pages[number] == DATA[(number - 4) * PAGE :][:PAGE]


@pytest.mark.parametrize(("address", "count"), [(0, 8), (START + len(DATA) - 4, 8), (1 << 51, 1)])
def test_what_is_missing_stays_missing(memory: WatchedMemory, address: int, count: int) -> None:
    for _ in range(2):
        with pytest.raises(FaultError):
            memory.read(address, count)
    assert set(memory.pages) <= {7}


def test_first_or_last_reading_counts() -> None:
    reads = 0

    def read(address: int, count: int, offset: int, physical: bool) -> bytes:
        nonlocal reads
        reads += 1
        return bytes([reads]) * count

    prog = Program(Platform(Arch.X86_64))
    prog.add_memory_segment(0, 4 * PAGE, read, True)
    memory = WatchedMemory(prog, PAGE)
    assert [memory.read(8, 1), memory.read(9, 1)] == [b"\1", b"\1"]
    memory.afresh = True
    assert [memory.read(8, 1), memory.read(9, 1)] == [b"\2", b"\3"]
    memory.afresh = False
    assert memory.read(8, 1) == b"\3"
    assert memory.pages == {0: b"\3" * PAGE}


def test_searching_is_not_reading(source: Program, memory: WatchedMemory) -> None:
    view = carving_view(source, memory)
    search = view.search_memory(DATA[PAGE : PAGE + 16], alignment=PAGE)
    found = list(search.set_address_range(0, START + GAP - 1, physical=True))
    assert found == [START + PAGE]
    assert memory.pages == {}
    assert view.read(found[0], 16, True) == DATA[PAGE : PAGE + 16]
    assert list(memory.pages) == [5]
