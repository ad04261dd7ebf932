# SPDX-License-Identifier: GPL-2.0-or-later
"""Carving a made-up recorder out of physical memory that holds more than the recorder."""

import struct

import drgn
import pytest
from synthetic import Synthetic

from lkst.abi import layout
from lkst.decode.catalogue import parse_catalogue
from lkst.decode.image import Image
from lkst.decode.records import find_records
from lkst.locate.carve import carve_recorders

PAGE = 4096
SLOTS = PAGE // layout.SLOT_SIZE
RECORDS = 3 * SLOTS


@pytest.fixture
def made() -> Synthetic:
    made = Synthetic(nr_cpus=1)
    for seq in range(RECORDS):
        made.record(0, 1000 + seq, 7, "sys_enter", nr=seq)
    return made


def carve(*parts: bytes) -> Image:
    """Find the recorder in memory that holds this, each from a page on."""
    memory = b"".join(part.ljust(-(-len(part) // PAGE) * PAGE, b"\0") for part in parts)
    prog = drgn.Program(drgn.Platform(drgn.Architecture.X86_64))
    prog.add_memory_segment(
        0, len(memory), lambda address, count, offset, physical: memory[offset:][:count], True
    )
    (image,) = carve_recorders(prog, [(0, len(memory) - 1)])
    return image


def times(image: Image) -> list[int]:
    records = find_records(image, parse_catalogue(image.catalogue))
    ts: list[int] = records.slots[records.first, 2].tolist()
    return ts


@pytest.mark.parametrize("before", [True, False])
def test_copies(made: Synthetic, before: bool) -> None:
    """Of a ring's page and copies of it the ring's own is taken, wherever it lies."""
    first = bytes(made.rings[:PAGE])
    let_go = first[: -4 * layout.SLOT_SIZE]
    # What is left has the newest slot.
    overwritten = bytes(8 * layout.SLOT_SIZE) + first[8 * layout.SLOT_SIZE :]
    old = bytes(made.rings[PAGE : PAGE + 8 * layout.SLOT_SIZE])
    copies = [let_go, overwritten, old]
    image = made.image()
    parts = [image.catalogue, bytes(image.control), image.cpus, bytes(made.rings)]
    found = carve(*(copies + parts if before else parts + copies))
    assert times(found) == list(range(1000, 1000 + RECORDS))


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("headless", [True, False])
def test_what_looks_like_a_slot(made: Synthetic, before: bool, headless: bool) -> None:
    """A word of a text may be that of a slot; the ring's own page has more of them."""
    text = bytearray(b"texts of the kernel " * 200)
    slot = 5
    number = (made.nr_slots << 20) + SLOTS + slot
    word = number | made.tag << layout.SEQ_BITS
    struct.pack_into("<QQ", text, slot * layout.SLOT_SIZE, word, 1)
    image = made.image()
    cpus = b"" if headless else image.cpus
    parts = [image.catalogue, bytes(image.control), cpus, bytes(made.rings)]
    found = carve(*([bytes(text), *parts] if before else [*parts, bytes(text)]))
    assert times(found) == list(range(1000, 1000 + RECORDS))


def test_the_newest_page_has_few_slots(made: Synthetic) -> None:
    """A number beyond the ring's head is no slot's, even where no page has more of them."""
    made.record(0, 5000, 7, "sys_enter")
    number = 7 * made.nr_slots + RECORDS + 1
    fake = bytes(layout.SLOT_SIZE) + struct.pack("<QQ", number | made.tag << layout.SEQ_BITS, 1)
    image = made.image()
    parts = [image.catalogue, bytes(image.control), image.cpus, bytes(made.rings)]
    assert times(carve(fake, *parts))[-1] == 5000
