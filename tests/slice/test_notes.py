# SPDX-License-Identifier: GPL-2.0-or-later
"""The notes of dumps of every format, and of files that are none."""

from pathlib import Path
import struct
import subprocess

from dumps import Dump, read_notes
import pytest

from lkst.dump import open_dump
from lkst.dump.notes import elf_note
from lkst.errors import Damaged
from lkst.slice.notes import parse_notes

pytestmark = pytest.mark.slow

NT_PRSTATUS = 1


@pytest.mark.parametrize("options", ["-c", "-F -c", "-E", "-F -E"])
def test_formats_hold_the_same(story_6_1: Dump, tmp_path: Path, options: str) -> None:
    expected = read_notes(story_6_1.vmcore)
    assert [(note.name, note.kind) for note in expected] == [(b"CORE", NT_PRSTATUS)] * 2
    dump = tmp_path / "vmcore"
    target = f">{dump}" if "-F" in options else str(dump)
    command = f"makedumpfile {options} -d 31 {story_6_1.vmcore} {target}"
    subprocess.run(command, shell=True, check=True, capture_output=True)
    found = read_notes(dump)
    assert found == expected


def test_padding() -> None:
    section = elf_note(b"CORE", 1, b"12345", "<") + elf_note(b"LINUX", 2, b"", "<")
    found = list(parse_notes(section, "<"))
    assert found == [(b"CORE", 1, b"12345"), (b"LINUX", 2, b"")]
    assert b"".join(note.pack("<") for note in found) == section


def test_what_is_not_about_cpus_is_left_out() -> None:
    section = b"".join(
        (
            elf_note(b"VMCOREINFO", 0, b"OSRELEASE=1", "<"),
            elf_note(b"QEMU", 0, bytes(400), "<"),
            elf_note(b"LINUX", 0x700, bytes(1 << 20), "<"),
            elf_note(b"CORE", 1, b"registers", "<"),
        )
    )
    assert list(parse_notes(section, "<")) == [(b"CORE", 1, b"registers")]


def test_damage_costs_the_rest_only() -> None:
    good = elf_note(b"CORE", 1, b"registers", "<")
    for bad in (good[:-4], b"\xff" * 12, struct.pack("<III", 5, 1 << 31, 1), b"\1"):
        assert list(parse_notes(good + bad, "<")) == [(b"CORE", 1, b"registers")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x7fELF",
        b"\x7fELF" + b"\xff" * 60,
        b"\x7fELF" + b"\xff" * 1000,
        b"KDUMP   " + b"\xff" * 5000,
        b"KDUMP   ",
        b"makedumpfile".ljust(4096, b"\0"),
        b"makedumpfile".ljust(4096, b"\0") + struct.pack(">qq", 0, 8) + b"KDUMP   ",
        b"makedumpfile".ljust(4096, b"\0") + struct.pack(">qq", 0, 1 << 62),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(Damaged, match=str(path)):
        open_dump([path])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="No such file"):
        open_dump([tmp_path / "missing"])
