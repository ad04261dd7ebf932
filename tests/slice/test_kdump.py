# SPDX-License-Identifier: GPL-2.0-or-later
"""The writer of kdump-compressed dumps: drgn opens them and reads back what was written."""

from pathlib import Path
import random
import struct
import zlib

from drgn import Architecture, FaultError, Program
from dumps import read_notes
import pytest

from lkst.dump.notes import elf_note
from lkst.slice.kdump import Dump, Uts, write_dump

pytestmark = pytest.mark.slow

VMCOREINFO = b"""OSRELEASE=6.1.0-test
BUILD-ID=0123456789abcdef0123456789abcdef01234567
PAGESIZE=4096
SYMBOL(init_uts_ns)=ffffffff82c1b4a0
SYMBOL(swapper_pg_dir)=ffffffff82a10000
NUMBER(phys_base)=-33554432
NUMBER(pgtable_l5_enabled)=0
KERNELOFFSET=0
CRASHTIME=1700000000
"""
UTS = Uts(nodename="host", release="6.1.0-test", version="#1 SMP", machine="x86_64")
GIB = 1 << 30
RANDOM = random.Random(1)
#: By page number: texts, zeros, what cannot be compressed, and far apart.
PAGES = {
    0: b"first".ljust(4096, b"."),
    1: bytes(4096),
    2: RANDOM.randbytes(4096),
    7: b"\xff" * 4096,
    8: bytes(4096),
    (60 * GIB >> 12): b"sixty".ljust(4096, b"6"),
    (60 * GIB >> 12) + 1: RANDOM.randbytes(4096),
    (3 << 40 >> 12) + 5: b"three tebibytes".ljust(4096, b"3"),
}


def write(path: Path, **changes: object) -> int:
    fields = {
        "pages": PAGES,
        "page_size": 4096,
        "byte_order": "<",
        "uts": UTS,
        "vmcoreinfo": VMCOREINFO,
        **changes,
    }
    with path.open("wb") as file:
        size = write_dump(file, Dump(**fields))  # type: ignore[arg-type]
    assert size == path.stat().st_size
    return size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dump"


def opened(path: Path) -> Program:
    prog = Program()
    prog.set_core_dump(path)
    return prog


def test_pages_are_read_back(path: Path) -> None:
    write(path)
    prog = opened(path)
    for number, page in PAGES.items():
        assert prog.read(number << 12, 4096, True) == page, number
    assert prog.read(4096 - 3, 6, True) == b"..." + bytes(3)


@pytest.mark.parametrize("number", [3, 6, 9, (60 * GIB >> 12) - 1, (60 * GIB >> 12) + 2, 1 << 40])
def test_other_pages_are_missing(path: Path, number: int) -> None:
    write(path)
    with pytest.raises(FaultError):
        opened(path).read(number << 12, 1, True)


def test_drgn_knows_the_kernel(path: Path) -> None:
    write(path)
    prog = opened(path)
    assert prog.platform is not None
    assert prog.platform.arch == Architecture.X86_64
    assert prog["VMCOREINFO"].string_() == VMCOREINFO


def test_empty_memory_takes_no_space(path: Path) -> None:
    size = write(path)
    bitmap = (3 << 40 >> 12) // 8
    assert size > 2 * bitmap
    assert path.stat().st_blocks * 512 < 200_000


def test_same_pages_are_stored_once(path: Path) -> None:
    page = RANDOM.randbytes(4096)
    one = write(path, pages={0: page})
    many = write(path, pages=dict.fromkeys(range(100), page))
    assert many - one == 99 * 24
    prog = opened(path)
    assert all(prog.read(number << 12, 4096, True) == page for number in range(100))


def test_larger_pages(path: Path) -> None:
    pages = {5: RANDOM.randbytes(65536), 6: bytes(65536)}
    vmcoreinfo = VMCOREINFO.replace(b"PAGESIZE=4096", b"PAGESIZE=65536")
    write(path, pages=pages, page_size=65536, vmcoreinfo=vmcoreinfo)
    data = path.read_bytes()
    # drgn reads none of a machine that it knows to have small pages.
    blocks = struct.unpack_from("<iiI", data, 428)
    assert blocks == (65536, 1, 2)
    bitmap = data[3 * 65536 :]
    assert bitmap[0] == 0b1100000
    descriptors = struct.iter_unpack("<qIIQ", data[4 * 65536 :][:48])
    found = [
        zlib.decompress(data[offset : offset + size]) if flags else data[offset : offset + size]
        for offset, size, flags, _ in descriptors
    ]
    assert found == list(pages.values())


def test_header(path: Path) -> None:
    write(path, nr_cpus=3, time=1700000000, phys_base=-33554432)
    data = path.read_bytes()
    assert data[:12] == b"KDUMP   " + struct.pack("<i", 6)
    names = [data[12 + 65 * index :][:65].rstrip(b"\0").decode() for index in range(6)]
    assert names == ["Linux", "host", "6.1.0-test", "#1 SMP", "x86_64", ""]
    assert struct.unpack_from("<qqI", data, 408) == (1700000000, 0, 1)
    last = max(PAGES) + 1
    assert struct.unpack_from("<I", data, 440) == (last,)
    assert struct.unpack_from("<i", data, 460) == (3,)
    phys_base, level = struct.unpack_from("<qi", data, 4096)
    assert (phys_base, level) == (-33554432, 30)
    assert struct.unpack_from("<Q", data, 4096 + 96) == (last,)
    where, size = struct.unpack_from("<qQ", data, 4096 + 32)
    assert data[where : where + size] == VMCOREINFO


def test_names_that_are_too_long_are_cut(path: Path) -> None:
    write(path, uts=Uts(nodename="h" * 100, release="r", version="v", machine="x86_64"))
    assert path.read_bytes()[12 + 65 : 12 + 2 * 65] == b"h" * 64 + b"\0"
    assert opened(path).read(0, 5, True) == b"first"


def test_notes(path: Path) -> None:
    registers = [bytes([cpu]) * 336 for cpu in range(2)]
    notes = b"".join(elf_note(b"CORE", 1, data, "<") for data in registers)
    write(path, notes=notes, nr_cpus=2)
    assert opened(path)["VMCOREINFO"].string_() == VMCOREINFO
    found = read_notes(path)
    assert [(note.name, note.kind, note.data) for note in found] == [
        (b"CORE", 1, data) for data in registers
    ]


def test_big_endian(path: Path) -> None:
    write(path, byte_order=">")
    data = path.read_bytes()
    assert struct.unpack_from(">i", data, 8) == (6,)
    assert struct.unpack_from(">i", data, 428) == (4096,)
    assert read_notes(path) == []
