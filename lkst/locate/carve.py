# SPDX-License-Identifier: GPL-2.0-or-later
"""
Carving
-------

Finding a recorder in raw physical memory, page by page, when the kernel's
symbols or page tables are gone. The catalogue is known by its magic; a page of
a ring by the first words of its slots: the recorder's tag, and numbers that fit
their places.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from drgn import FaultError, MemorySearchIterator, Program
import numpy as np
from numpy.typing import NDArray

from lkst import layout
from lkst.decode.catalogue import Header, parse_header
from lkst.decode.image import Image
from lkst.errors import Damaged
from lkst.locate.ranges import memory_size

__all__ = ("carve_recorders",)

_PAGE = 4096
_SLOTS = _PAGE // layout.SLOT_SIZE

Ranges = Sequence[tuple[int, int]]


def carve_recorders(prog: Program, ranges: Ranges) -> Iterator[Image]:
    """
    Find every recorder whose header can be found.

    :param ranges: physical memory that there is: first and last addresses
    """
    seen = set()
    for header_address in _search(
        lambda: prog.search_memory(layout.MAGIC, alignment=_PAGE), ranges
    ):
        try:
            catalogue = _read(prog, header_address, layout.HEADER.size)
            header = parse_header(catalogue)
        except (Damaged, FaultError):
            continue
        if header.tag in seen or header.rings_size > memory_size(ranges):
            continue
        seen.add(header.tag)
        yield _carve(prog, ranges, header_address, header)


def _read(prog: Program, address: int, size: int) -> bytes:
    data: bytes = prog.read(address, size, True)
    return data


def _search(start: Callable[[], MemorySearchIterator[Any]], ranges: Ranges) -> Iterator[Any]:
    found = start()
    for first, last in ranges:
        found.set_address_range(first, last, physical=True)
        try:
            yield from found
        except FaultError:
            # The rest of this stretch is missing although it should not be.
            found = start()


def _carve(prog: Program, ranges: Ranges, header_address: int, header: Header) -> Image:
    rings, unreadable = _carve_rings(prog, ranges, header)
    return Image(
        catalogue=_carve_catalogue(prog, ranges, header_address, header),
        rings=rings,
        cpus=_carve_cpus(prog, ranges, header),
        unreadable=unreadable,
        faults=["the recorder was carved out of physical memory"],
    )


def _carve_cpus(prog: Program, ranges: Ranges, header: Header) -> bytes:
    """Put struct lkst_cpu of all CPUs together; nothing unless all are there."""
    found: dict[int, bytes] = {}
    for address in _search(
        lambda: prog.search_memory(layout.CPU_MAGIC, alignment=layout.CPU_SIZE), ranges
    ):
        try:
            data = _read(prog, address, header.cpu_size)
        except FaultError:
            continue
        _, tag, cpu, _ = layout.CPU.unpack_from(data)
        if tag == header.tag and cpu not in found:
            found[cpu] = data
    if set(found) != set(range(header.nr_cpus)):
        return b""
    return b"".join(found[cpu] for cpu in range(header.nr_cpus))


def _carve_catalogue(prog: Program, ranges: Ranges, header_address: int, header: Header) -> bytes:
    """Put the entries together; the map's pages are scattered."""
    entries = bytearray(header.size)
    entries[: header.header_size] = _read(prog, header_address, header.header_size)
    index = 0
    ids = set()
    for address in _search(
        lambda: prog.search_memory(layout.EVENT_MAGIC, alignment=layout.ENTRY_SIZE), ranges
    ):
        try:
            entry = _read(prog, address, header.event_size)
        except FaultError:
            continue
        _, tag, id_, *_ = layout.EVENT.unpack_from(entry)
        if tag != header.tag or id_ in ids or index == header.nr_events:
            continue
        ids.add(id_)
        start = header.header_size + index * header.event_size
        entries[start : start + header.event_size] = entry
        index += 1
    return bytes(entries)


def _carve_rings(
    prog: Program, ranges: Ranges, header: Header
) -> tuple[bytes, list[tuple[int, int]]]:
    """Find the pages of the rings; of two for one place the one with newer slots wins."""
    size = header.rings_size
    rings = np.zeros((-(-size // _PAGE), _SLOTS, layout.SLOT_SIZE // 8), np.uint64)
    newest = np.full(len(rings), -1)
    for page in _candidates(prog, ranges, header.tag):
        try:
            words = np.frombuffer(_read(prog, page, _PAGE), "<u8").reshape(_SLOTS, -1)
        except FaultError:
            continue
        place, number = _place(words, header)
        if place is not None and number > newest[place]:
            newest[place] = number
            rings[place] = words
    missing = [(int(place) * _PAGE, _PAGE) for place in np.flatnonzero(newest < 0)]
    return rings.tobytes()[:size], missing


def _candidates(prog: Program, ranges: Ranges, tag: int) -> Iterator[int]:
    """Give the physical addresses of pages with a word that may begin a slot."""
    low = tag << layout.SEQ_BITS
    page = -1
    for address, _ in _search(lambda: prog.search_memory_u64((low, low | layout.SEQ_MASK)), ranges):
        if address // _PAGE != page and address % layout.SLOT_SIZE == 0:
            page = address // _PAGE
            yield page * _PAGE


def _place(words: NDArray[np.uint64], header: Header) -> tuple[int | None, int]:
    """
    Tell where in the rings a page belongs.

    :return: number of the page in the rings or None, and its highest slot number
    """
    good = words[:, 0] >> np.uint64(layout.SEQ_BITS) == header.tag
    seqs = (words[:, 0] & np.uint64(layout.SEQ_MASK)).astype(np.int64)
    good &= seqs % _SLOTS == np.arange(_SLOTS)
    if not good.any():
        return None, 0
    cpus = (words[:, 1] >> np.uint64(layout.CPU_SHIFT)).astype(np.int64) & 0xFFFF
    where = cpus * header.nr_slots + (seqs & (header.nr_slots - 1))
    places, counts = np.unique(where[good] // _SLOTS, return_counts=True)
    place = int(places[counts.argmax()])
    if place >= header.nr_cpus * header.nr_slots // _SLOTS:
        return None, 0
    return place, int(seqs[good & (where // _SLOTS == place)].max())
