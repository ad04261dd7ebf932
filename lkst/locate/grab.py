# SPDX-License-Identifier: GPL-2.0-or-later
"""
Grabs
-----

A grab is an ELF core with little more than a recorder (``kdump/``). It lacks the lists
in which the kernel finds its maps, but has the list of pages from which it was taken
(:mod:`lkst.record.lifecycle.page_list`), in a note with the name LKST.
"""

from collections import defaultdict
import re

from drgn import Program

from lkst.abi import layout
from lkst.abi.control import read_control
from lkst.decode.catalogue import Header, parse_header
from lkst.decode.image import BufferImage, Image
from lkst.dump import Dump
from lkst.dump.notes import elf_notes
from lkst.errors import Damaged
from lkst.locate.buffers import BufferInfo, listed_buffers
from lkst.locate.pages import read_pages

__all__ = ("grab_list", "read_listed")

_PAGE = 4096
_NAME = b"LKST"
_LISTED = "lkst-pages 1"
_LINE = re.compile(r"(catalogue|control|cpus|counts|ring (\d{1,4})) ([0-9a-f]{1,16}) (\d{1,9})")

#: Address and size of each range, by map name; for rings, by buffer number.
_Runs = dict[str | int, list[tuple[int, int]]]


def grab_list(dump: Dump) -> str | None:
    """
    Read the list of a grab.

    :return: None if the file is not a grab
    """
    for name, _, data in elf_notes(dump.notes, dump.byte_order):
        if name == _NAME:
            return data.decode("ascii", "replace")
    return None


def read_listed(prog: Program, text: str, most: int) -> Image | None:
    """
    Read a recorder's maps where a list says that they are.

    :param text: the list
    :param most: what they can take, in bytes: more than that is damage
    :return: None: it lists none, for it was not taken by a list
    :raises Damaged: if it holds no recorder
    """
    if not text.startswith(_LISTED + "\n"):
        return None
    runs = _parse(text, most)
    raw, missing = _read(prog, runs["catalogue"], most)
    header = parse_header(raw)
    faults = ["a part of the catalogue is missing"] if missing else []
    if header.nr_cpus * max(header.cpu_size, header.counts_size) > most:
        raise Damaged("the recorder's header is damaged: more CPUs than memory has room for")

    def whole(name: str, size: int) -> bytes:
        data, missing = _read(prog, runs[name], size)
        return b"" if missing or len(data) < size else data

    cpus = whole("cpus", header.cpu_size * header.nr_cpus)
    raw_control = whole("control", header.control_size)
    control = read_control(raw_control)
    if control is None or control.tag != header.tag:
        raise Damaged("the control map is damaged")
    if not cpus:
        faults.append("the counters of the CPUs cannot be read")
    return Image(
        catalogue=raw,
        buffers=[
            _buffer(prog, info, header, cpus, runs[info.number])
            for info in listed_buffers(control, header, most, faults)
        ],
        cpus=cpus,
        control=raw_control,
        counts=whole("counts", header.counts_size * header.nr_cpus),
        suppressed=None,
        faults=faults,
    )


def _parse(text: str, most: int) -> _Runs:
    runs: _Runs = defaultdict(list)
    total = 0
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if not match:
            continue
        start, size = int(match[3], 16), int(match[4]) * _PAGE
        total += size
        if total > most:
            raise Damaged("the list of pages is damaged: more than there is memory")
        runs[int(match[2]) if match[2] else match[1]].append((start, size))
    return runs


def _read(
    prog: Program, runs: list[tuple[int, int]], most: int
) -> tuple[bytes, list[tuple[int, int]]]:
    """Read consecutive ranges up to a size; also return which parts are missing."""
    data = bytearray()
    missing = []
    for start, size in runs:
        size = min(size, most - len(data))
        part, gone = read_pages(prog, start, size, physical=True)
        missing += [(len(data) + offset, length) for offset, length in gone]
        data += part
    return bytes(data), missing


def _buffer(
    prog: Program, info: BufferInfo, header: Header, cpus: bytes, runs: list[tuple[int, int]]
) -> BufferImage:
    size = info.size(header)
    rings, missing = _read(prog, runs, size)
    if len(rings) < size:
        missing.append((len(rings), size - len(rings)))
    return BufferImage(
        number=info.number,
        name=info.name,
        state=info.state,
        nr_slots=info.nr_slots,
        rings=rings.ljust(size, b"\0"),
        places=layout.places(cpus, header.cpu_size, info.number),
        unreadable=missing,
    )
