# SPDX-License-Identifier: GPL-2.0-or-later
"""
Carving
-------

Find a recorder in raw physical memory, page by page, if the kernel's symbols or page
tables are gone. The catalogue and the page that lists the buffers are recognised by their
magic, a page of a ring by the first words of its slots: the recorder's tag, the buffer's
number, and sequence numbers that fit their places.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
from dataclasses import dataclass
from typing import Any

from drgn import FaultError, MemorySearchIterator, Program
import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.decode.catalogue import Header, parse_header
from lkst.decode.image import BufferImage, Image
from lkst.errors import Damaged
from lkst.locate.buffers import BufferInfo, first_page, listed_buffers, unnamed
from lkst.locate.pages import read_pages
from lkst.locate.ranges import memory_size

__all__ = ("carve_recorders",)

_PAGE = 4096
_SLOTS = _PAGE // layout.SLOT_SIZE
_WORD = 8

#: Bytes per read, so that they stay in the processor's cache.
_PIECE = 1 << 18
#: A larger range is not read as a whole, since parts of it may be missing.
_UNKNOWN = 1 << 45

Ranges = Sequence[tuple[int, int]]
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class _Page:
    """A page that may be one of a ring."""

    #: Physical address.
    address: int
    words: Words
    buffer: int
    #: Index of the page in the buffer's rings.
    place: int
    #: The highest number of its slots of that place, and how many of them there are.
    highest: int
    count: int


def carve_recorders(
    prog: Program, ranges: Ranges, searched: Program | None = None
) -> Iterator[Image]:
    """
    Find every recorder whose header can be found.

    :param ranges: physical memory that there is: first and last addresses
    :param searched: the same memory, where it matters of *prog* what is read of it: all is
        looked through here, and what was found is read there
    """
    seen = set()
    searched = searched or prog
    found = _find_magics(prog, searched, ranges)
    for header_address in found[layout.MAGIC[:_WORD]]:
        if header_address % _PAGE:
            continue
        try:
            catalogue = _read(prog, header_address, layout.HEADER.size)
            header = parse_header(catalogue)
        except (Damaged, FaultError):
            continue
        if header.tag in seen or header.rings_size > memory_size(ranges):
            continue
        seen.add(header.tag)
        yield _carve(prog, searched, ranges, found, header_address, header)


def _read(prog: Program, address: int, size: int) -> bytes:
    data: bytes = prog.read(address, size, True)
    return data


def _find_magics(prog: Program, searched: Program, ranges: Ranges) -> dict[bytes, list[int]]:
    """Find the addresses of possible magics, by their first word."""
    begin = layout.MAGIC[:4]
    (number,) = np.frombuffer(begin, "<u4")
    found: dict[bytes, list[int]] = defaultdict(list)
    for address in _find(
        searched,
        ranges,
        lambda words: words.view("<u4")[::2] == number,
        lambda: searched.search_memory(begin, alignment=layout.ENTRY_SIZE),
    ):
        try:
            found[_read(prog, address, _WORD)].append(address)
        except FaultError:
            continue
    return found


def _find(
    prog: Program,
    ranges: Ranges,
    matches: Callable[[Words], NDArray[np.bool_]],
    search: Callable[[], MemorySearchIterator[Any]],
) -> Iterator[int]:
    """
    Find words in physical memory.

    :param matches: returns which words match
    :param search: looks for them where it is not known what memory there is
    :return: addresses, of which all that are multiples of a slot's size are wanted
    """
    for first, last in ranges:
        if last - first >= _UNKNOWN:
            yield from _search(search, first, last)
            continue
        for start in range(first + -first % layout.SLOT_SIZE, last + 2 - _WORD, _PIECE):
            size = min(_PIECE, last + 1 - start)
            data, _ = read_pages(prog, start, size, physical=True)
            words = np.frombuffer(data, "<u8", size // _WORD)[:: layout.SLOT_SIZE // _WORD].copy()
            found = matches(words)
            if found.any():
                yield from (start + np.flatnonzero(found) * layout.SLOT_SIZE).tolist()


def _search(
    search: Callable[[], MemorySearchIterator[Any]], first: int, last: int
) -> Iterator[int]:
    found = search()
    found.set_address_range(first, last, physical=True)
    # The rest of this range may be missing.
    with contextlib.suppress(FaultError):
        for hit in found:
            address: int = hit if isinstance(hit, int) else hit[0]
            if address % layout.SLOT_SIZE == 0:
                yield address


def _carve(
    prog: Program,
    searched: Program,
    ranges: Ranges,
    found: dict[bytes, list[int]],
    header_address: int,
    header: Header,
) -> Image:
    faults = ["the recorder was carved out of physical memory"]
    cpus = _carve_cpus(prog, found[layout.CPU_MAGIC], header)
    info = _carve_control(prog, ranges, found[layout.CONTROL_MAGIC], header, faults)
    candidates = _candidates(searched, ranges, header.tag)
    pages = _carve_rings(prog, searched, candidates, header, info, cpus)
    return Image(
        catalogue=_carve_catalogue(prog, found[layout.EVENT_MAGIC], header_address, header),
        buffers=[_buffer(one, header, pages.get(one.number, {}), cpus) for one in info],
        cpus=cpus,
        suppressed=None,
        faults=faults,
    )


def _carve_control(
    prog: Program, ranges: Ranges, addresses: list[int], header: Header, faults: list[str]
) -> list[BufferInfo]:
    """Read the buffers from the first page of struct lkst_control, or assume a single one."""
    for address in addresses:
        if address % _PAGE:
            continue
        try:
            control = first_page(_read(prog, address, _PAGE))
        except FaultError:
            continue
        if control.tag != header.tag:
            continue
        wrong: list[str] = []
        info = list(listed_buffers(control, header, memory_size(ranges), wrong))
        info = [one for one in info if one.nr_slots % _SLOTS == 0]
        if info:
            faults += wrong
            return info
    faults.append("the control map was not found: there may be more buffers")
    return [unnamed(0, header.nr_slots)]


def _carve_cpus(prog: Program, addresses: list[int], header: Header) -> bytes:
    """Concatenate struct lkst_cpu of all CPUs; empty unless all are found."""
    found: dict[int, bytes] = {}
    for address in addresses:
        if address % layout.CPU_SIZE:
            continue
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


def _carve_catalogue(
    prog: Program, addresses: list[int], header_address: int, header: Header
) -> bytes:
    """Assemble the catalogue's entries; the map's pages are scattered."""
    entries = bytearray(header.size)
    entries[: header.header_size] = _read(prog, header_address, header.header_size)
    ids = set()
    for address in addresses:
        if address % layout.ENTRY_SIZE:
            continue
        try:
            entry = _read(prog, address, header.event_size)
        except FaultError:
            continue
        _, tag, id_, *_ = layout.EVENT.unpack_from(entry)
        if tag != header.tag or id_ in ids or not 0 < id_ <= header.nr_entries:
            continue
        ids.add(id_)
        start = header.header_size + (id_ - 1) * header.event_size
        entries[start : start + header.event_size] = entry
    return bytes(entries)


def _carve_rings(
    prog: Program,
    searched: Program,
    candidates: Iterable[int],
    header: Header,
    info: list[BufferInfo],
    cpus: bytes,
) -> dict[int, dict[int, Words]]:
    """
    Find the pages of the rings among some.

    :return: by buffer and number of the page in its rings
    """
    sizes = {one.number: one.nr_slots for one in info}
    heads = {number: layout.places(cpus, header.cpu_size, number) for number in sizes}
    found: dict[tuple[int, int], list[_Page]] = defaultdict(list)
    for address in candidates:
        try:
            page = _page(address, _words(searched, address), header, sizes)
        except FaultError:
            continue
        if page:
            found[page.buffer, page.place].append(page)
    pages: dict[int, dict[int, Words]] = {number: {} for number in sizes}
    for (buffer, place), same in found.items():
        cpu = place * _SLOTS // sizes[buffer]
        head = heads[buffer][cpu].head if cpu < len(heads[buffer]) else None
        page = _best(same, head)
        pages[buffer][place] = page.words if prog is searched else _words(prog, page.address)
    return pages


def _words(prog: Program, address: int) -> Words:
    return np.frombuffer(_read(prog, address, _PAGE), "<u8").reshape(_SLOTS, -1)


def _best(pages: list[_Page], head: int | None) -> _Page:
    """
    Choose the ring's page from several candidates for one place.

    Not what only looks like a slot here and there; then that with newer slots, and then with
    more: what a reader has copied and let go of is partly something else by now.

    :param head: of the ring, None if it is not known; it may be damaged
    """
    most = max(page.count for page in pages)
    return max(
        pages,
        key=lambda page: (
            head is None or page.highest < head,
            2 * page.count >= most,
            page.highest,
            page.count,
        ),
    )


def _buffer(info: BufferInfo, header: Header, pages: dict[int, Words], cpus: bytes) -> BufferImage:
    rings = b""
    unreadable: list[tuple[int, int]] = []
    if pages or info.state != "spare":
        size = info.size(header)
        words = np.zeros((-(-size // _PAGE), _SLOTS, layout.SLOT_SIZE // 8), np.uint64)
        missing = np.ones(len(words), bool)
        for place, page in pages.items():
            words[place] = page
            missing[place] = False
        rings = words.tobytes()[:size]
        unreadable = [(place * _PAGE, _PAGE) for place in np.flatnonzero(missing).tolist()]
    return BufferImage(
        number=info.number,
        name=info.name,
        state=info.state,
        nr_slots=info.nr_slots,
        rings=rings,
        places=layout.places(cpus, header.cpu_size, info.number),
        unreadable=unreadable,
    )


def _candidates(prog: Program, ranges: Ranges, tag: int) -> Iterator[int]:
    """Yield the physical addresses of pages with a word that may begin a slot."""
    low = tag << layout.SEQ_BITS
    high = (tag + layout.MAX_BUFFERS - 1) << layout.SEQ_BITS | layout.SEQ_MASK
    page = -1
    for address in _find(
        prog,
        ranges,
        lambda words: words - np.uint64(low) <= np.uint64(high - low),
        lambda: prog.search_memory_u64((low, high)),
    ):
        if address // _PAGE != page:
            page = address // _PAGE
            yield page * _PAGE


def _page(address: int, words: Words, header: Header, sizes: dict[int, int]) -> _Page | None:
    """
    Return a page's place in the rings; None if it has none.

    :param sizes: by buffer, slots in one ring
    """
    buffer = (words[:, 0] >> np.uint64(layout.SEQ_BITS)).astype(np.int64) - header.tag
    nr_slots = np.array([sizes.get(number, 0) for number in range(layout.MAX_BUFFERS)])
    good = (buffer >= 0) & (buffer < layout.MAX_BUFFERS)
    nr_slots = nr_slots[np.where(good, buffer, 0)]
    seqs = (words[:, 0] & np.uint64(layout.SEQ_MASK)).astype(np.int64)
    cpus = (words[:, 1] >> np.uint64(layout.CPU_SHIFT)).astype(np.int64) & 0xFFFF
    good &= (nr_slots > 0) & (seqs % _SLOTS == np.arange(_SLOTS)) & (cpus < header.nr_cpus)
    if not good.any():
        return None
    where = (cpus * nr_slots + (seqs & (nr_slots - 1))) // _SLOTS * layout.MAX_BUFFERS + buffer
    found = where[good]
    best, count = int(found[0]), len(found)
    if (found != best).any():
        places, counts = np.unique(found, return_counts=True)
        best, count = int(places[counts.argmax()]), int(counts.max())
    place, number = divmod(best, layout.MAX_BUFFERS)
    return _Page(address, words, number, place, int(seqs[good & (where == best)].max()), count)
