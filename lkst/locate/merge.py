# SPDX-License-Identifier: GPL-2.0-or-later
"""
Merging located and carved images
---------------------------------

Merge what the kernel's tables lead to with what carving finds: in a damaged dump each may
have what the other lacks.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lkst.abi import layout
from lkst.abi.control import read_control
from lkst.decode.catalogue import Header, parse_header
from lkst.decode.image import BufferImage, Image
from lkst.errors import Damaged
from lkst.trace.facts import Facts
from lkst.trace.wallclock import find_boots, last_offset

__all__ = ("count_slots", "is_whole", "merge_images")

_PAGE = 4096
_SLOTS = _PAGE // layout.SLOT_SIZE
#: Up to this many missing slots in a ring do not cause a search by carving.
_MAX_LACKING = _SLOTS - 1


def is_whole(image: Image) -> bool:
    """Return whether everything that a recorder describes was found."""
    try:
        header = parse_header(image.catalogue)
    except Damaged:
        return False
    if image.faults or not image.buffers or not image.cpus:
        return False
    if len(_entries(image, header)) < header.nr_events:
        return False
    return all(_is_whole(buffer, header) for buffer in image.buffers)


def _is_whole(buffer: BufferImage, header: Header) -> bool:
    if buffer.unreadable:
        return False
    good = _good(buffer, header)
    if not len(good):
        return True
    per_ring = good.reshape(header.nr_cpus, -1).sum(axis=1).tolist()
    return all(
        have + _MAX_LACKING >= min(place.head, buffer.nr_slots)
        for have, place in zip(per_ring, buffer.places, strict=False)
    )


def count_slots(image: Image) -> int:
    """Count the slots that hold something of the recorder."""
    try:
        header = parse_header(image.catalogue)
    except Damaged:
        return 0
    return sum(int(_good(buffer, header).sum()) for buffer in image.buffers)


def _good(buffer: BufferImage, header: Header) -> NDArray[np.bool_]:
    """Return which slots carry the buffer's tag and a number that fits their place."""
    words = np.frombuffer(buffer.rings, "<u8", len(buffer.rings) // 8)
    words = words[: buffer.nr_slots * header.nr_cpus * layout.SLOT_SIZE // 8]
    first = words[:: layout.SLOT_SIZE // 8]
    good = first >> np.uint64(layout.SEQ_BITS) == header.tag + buffer.number
    places = np.arange(len(first), dtype=np.uint64)
    good &= (first ^ places) & np.uint64(buffer.nr_slots - 1) == 0
    return np.asarray(good)


def merge_images(found: Iterable[Image], carved: Iterable[Image]) -> list[Image]:
    """
    Merge images found by the kernel's tables with images that were carved.

    Of each page of a ring that is taken which has more slots. What nothing was carved
    for stays as it is.

    :return: recorders, the newest first; behind them those that were only carved and have less
        than the others, for memory of recorders that were stopped is found, too; then those
        without a record
    """
    images = list(found)
    count = len(images)
    tags = {_tag(image): index for index, image in enumerate(images)}
    for other in carved:
        index = tags.get(_tag(other))
        if index is None:
            images.append(other)
        else:
            images[index] = _merge(images[index], other)
    slots = [count_slots(image) for image in images]
    most = max(slots[:count], default=0)

    headers = [parse_header(image.catalogue) for image in images]
    # Memory may still hold a recorder of an earlier boot.
    boots = find_boots(
        (header.boot_id, last_offset(header, read_control(image.control), Facts()))
        for header, image in zip(headers, images, strict=True)
    )

    def rank(index: int) -> tuple[bool, bool, int, int]:
        good = index < count or slots[index] > most
        header = headers[index]
        return slots[index] > 0, good, boots[header.boot_id], header.start

    return [images[index] for index in sorted(range(len(images)), key=rank, reverse=True)]


def _tag(image: Image) -> tuple[int, str]:
    header = parse_header(image.catalogue)
    return header.tag, header.boot_id


def _merge(found: Image, carved: Image) -> Image:
    header = parse_header(found.catalogue)
    faults = list(found.faults)
    buffers = {buffer.number: buffer for buffer in found.buffers}
    pages = 0
    for other in carved.buffers:
        buffer = buffers.get(other.number)
        if buffer is not None and not found.control:
            # The buffer's name is in the carved page of the control map.
            buffer = buffers[other.number] = replace(buffer, name=other.name, state=other.state)
        if buffer is None:
            taken = int(_good(other, header).sum()) // _SLOTS
            best = other
        else:
            best, taken = _merge_buffers(buffer, other, header)
        if taken or buffer is None:
            buffers[other.number] = best
        pages += taken
    catalogue, entries = _merge_catalogues(found, carved, header)
    if pages or entries:
        what = [f"{pages} pages of its rings"] if pages else []
        what += [f"{entries} entries of its catalogue"] if entries else []
        faults.append(f"{' and '.join(what)} were carved out of physical memory")
    return replace(
        found,
        catalogue=catalogue,
        buffers=list(buffers.values()),
        cpus=found.cpus or carved.cpus,
        faults=faults,
    )


def _merge_buffers(
    found: BufferImage, carved: BufferImage, header: Header
) -> tuple[BufferImage, int]:
    """Choose the better copy of each page; also return how many were carved."""
    good, other = _good(found, header), _good(carved, header)
    if found.nr_slots != carved.nr_slots or len(good) != len(other):
        more = int(other.sum()) - int(good.sum())
        return (carved, -(-more // _SLOTS)) if more > 0 else (found, 0)
    places = found.places or carved.places
    better = np.flatnonzero(_by_page(other) > _by_page(good)).tolist()
    if not better:
        return replace(found, places=places), 0
    rings = bytearray(found.rings)
    missing = np.zeros(-(-len(rings) // _PAGE), bool)
    for start, size in found.unreadable:
        missing[start // _PAGE : -(-(start + size) // _PAGE)] = True
    for page in better:
        rings[page * _PAGE : (page + 1) * _PAGE] = carved.rings[page * _PAGE : (page + 1) * _PAGE]
        missing[page] = False
    unreadable = [
        (page * _PAGE, min(_PAGE, len(rings) - page * _PAGE))
        for page in np.flatnonzero(missing).tolist()
    ]
    return replace(found, rings=bytes(rings), places=places, unreadable=unreadable), len(better)


def _by_page(good: NDArray[np.bool_]) -> NDArray[np.int64]:
    padded = np.pad(good, (0, -len(good) % _SLOTS))
    return np.asarray(padded.reshape(-1, _SLOTS).sum(axis=1))


def _entries(image: Image, header: Header) -> dict[int, bytes]:
    """Return the entries that a catalogue has, by their offset."""
    found = {}
    for index in range(header.nr_entries):
        start = header.header_size + index * header.event_size
        entry = image.catalogue[start : start + header.event_size]
        if entry.startswith(layout.EVENT_MAGIC):
            found[start] = entry
    return found


def _merge_catalogues(found: Image, carved: Image, header: Header) -> tuple[bytes, int]:
    mine, others = _entries(found, header), _entries(carved, header)
    wanted = {start: entry for start, entry in others.items() if start not in mine}
    if not wanted:
        return found.catalogue, 0
    catalogue = bytearray(found.catalogue.ljust(header.size, b"\0"))
    for start, entry in wanted.items():
        catalogue[start : start + len(entry)] = entry
    return bytes(catalogue), len(wanted)
