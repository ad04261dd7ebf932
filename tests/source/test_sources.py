# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of source gives the same replay; bad ones give a clear line and a status."""

import json
from pathlib import Path
import re
import resource
import shutil
import struct
import subprocess
import zipfile

from dumps import Dump, Lab, Result, Run
import pytest

from lkst.abi import layout
from lkst.abi.control import Control, ControlBuffer


def body(result: Result) -> list[str]:
    """Give a replay without the line that names the source."""
    assert result.status == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("source")
    return lines[1:]


@pytest.fixture(scope="module")
def expected(story_6_1: Dump, lkst: Run) -> list[str]:
    return body(lkst("replay", story_6_1.vmcore))


@pytest.mark.parametrize("options", ["-c", "-l", "-F -c"])
def test_makedumpfile_formats(
    story_6_1: Dump, expected: list[str], lkst: Run, tmp_path: Path, options: str
) -> None:
    dump = tmp_path / "vmcore"
    target = f">{dump}" if "-F" in options else str(dump)
    command = f"makedumpfile {options} -d 31 {story_6_1.vmcore} {target}"
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert body(lkst("replay", dump)) == expected


def test_saved(story_6_1: Dump, expected: list[str], lkst: Run, tmp_path: Path) -> None:
    saved = tmp_path / "trace.lkst"
    assert lkst("save", story_6_1.vmcore, "-o", saved) == (0, "", "")
    assert body(lkst("replay", saved)) == expected
    assert saved.stat().st_mode & 0o077 == 0
    assert lkst("events", saved).stdout == lkst("events", story_6_1.vmcore).stdout


def test_saved_with_filters(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    saved = tmp_path / "trace.lkst"
    words = ("--event", "console,sched_switch", "--cpu", "1")
    assert lkst("save", story_6_1.vmcore, "-o", saved, *words).status == 0
    whole = lkst("replay", story_6_1.vmcore, "--format", "jsonl", *words)
    result = lkst("replay", saved, "--format", "jsonl")
    assert result.status == 0
    assert result.stderr == ""

    def lines(text: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in text.splitlines()]

    found, meant = lines(result.stdout), lines(whole.stdout)
    assert len(found) > 10
    # A name may be learnt from a record that was left out.
    for record in (*found, *meant):
        del record["comm"]
    assert found == meant


def test_failed_save_leaves_the_old_file(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    saved = tmp_path / "trace.lkst"
    saved.write_bytes(b"old")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    result = lkst("save", story_6_1.vmcore, "-o", saved, preexec_fn=limit)
    assert result.status == 1
    assert "too large" in result.stderr
    assert saved.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [saved]


def test_damaged_saved(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    saved = tmp_path / "trace.lkst"
    lkst("save", story_6_1.vmcore, "-o", saved)
    data = saved.read_bytes()
    for name, bad in {
        "short": data[: len(data) // 2],
        "flipped": data[:5000] + bytes(200) + data[5200:],
    }.items():
        saved.write_bytes(bad)
        result = lkst("replay", saved)
        assert result.status == 3, name
        assert len(result.stderr.splitlines()) == 1, name
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("lkst.json", '{"format": 99}')
    result = lkst("replay", saved)
    assert result.status == 3
    assert "format 99" in result.stderr


def test_not_a_dump(lkst: Run, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("hello\n" * 1000)
    empty = tmp_path / "empty"
    empty.touch()
    for source in (text, empty, tmp_path, tmp_path / "missing"):
        result = lkst("replay", source)
        assert result.status == 3, source
        assert str(source) in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert result.stdout == ""


def test_no_source(lkst: Run) -> None:
    for words in (("replay",), ("list",), ("save", "-o", "x")):
        result = lkst(*words)
        assert result.status == 2
        assert "SOURCE" in result.stderr


def test_without_a_recorder(lab: Lab, lkst: Run) -> None:
    dump = lab("6.1", "--no-record")
    for command in ("replay", "list"):
        result = lkst(command, dump.vmcore)
        assert result.status == 1
        assert result.stderr == f"lkst: {dump.vmcore}: contains no recorder\n"


def test_cut_off(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    cut = tmp_path / "vmcore"
    shutil.copyfile(story_6_1.vmcore, cut)
    with cut.open("r+b") as file:
        file.truncate(40 << 20)
    result = lkst("replay", cut)
    assert result.status == 3
    assert result.stderr


@pytest.fixture
def copy(story_6_1: Dump, tmp_path: Path) -> Path:
    """Give a dump to damage."""
    path = tmp_path / "vmcore"
    shutil.copyfile(story_6_1.vmcore, path)
    return path


def replace(path: Path, old: bytes, new: bytes) -> int:
    assert len(old) == len(new)
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.write(data.replace(old, new))
    return data.count(old)


def test_unknown_abi(copy: Path, lkst: Run) -> None:
    assert replace(copy, layout.MAGIC + b"\2\0", layout.MAGIC + b"\7\0")
    result = lkst("replay", copy)
    assert result.status == 3
    assert f"ABI version 7.{layout.ABI_MINOR}" in result.stderr


def test_rings_larger_than_the_dump(copy: Path, story_6_1: Dump, lkst: Run) -> None:
    where = Control.buffer.offset + ControlBuffer.nr_slots.offset
    data = copy.read_bytes()
    with copy.open("r+b") as file:
        for found in re.finditer(re.escape(layout.CONTROL_MAGIC), data):
            file.seek(found.start() + where)
            file.write(struct.pack("<I", 1 << 30))
    result = lkst("replay", copy, "--format", "jsonl")
    assert result.status == 3
    assert "buffer main: its rings are larger than memory" in result.stderr
    # They are carved, by the size that the recorder's header has.
    whole = lkst("replay", story_6_1.vmcore, "--format", "jsonl")
    assert len(result.stdout.splitlines()) == len(whole.stdout.splitlines())


def test_without_symbols_it_is_carved(copy: Path, story_6_1: Dump, lkst: Run) -> None:
    assert replace(copy, b"SYMBOL(kallsyms_names)", b"SYMBOL(kallsyms_nameX)")
    result = lkst("replay", copy, "--format", "jsonl")
    assert result.status == 3
    assert "carved" in result.stderr
    expected = lkst("replay", story_6_1.vmcore, "--format", "jsonl")

    def key(line: str) -> tuple[object, ...]:
        record = json.loads(line)
        return record["ts"], record["cpu"], record["pid"], record["event"]

    assert [key(line) for line in result.stdout.splitlines()] == [
        key(line) for line in expected.stdout.splitlines()
    ]
    assert "carved" in lkst("replay", copy, "--last", "1").stdout


def nameless(lines: str) -> list[str]:
    """Give records without the names of tasks, which may come from records that are lost."""
    records = [json.loads(line) for line in lines.splitlines()]
    return [json.dumps(record | {"comm": ""}) for record in records]


def test_unreadable_pages_cost_their_records_only(copy: Path, lkst: Run) -> None:
    whole = nameless(lkst("replay", copy, "--format", "jsonl").stdout)
    # Junk over a page that is full of records.
    data = copy.read_bytes()
    # Pages lie somewhere in the file, but all at the same place of a page.
    phases = {found.start() % 4096 for found in re.finditer(re.escape(layout.MAGIC), data)}
    page = next(
        at
        for phase in phases
        for at in range(phase, len(data) - 4095, 4096)
        if is_ring_page(data[at : at + 4096])
    )
    with copy.open("r+b") as file:
        file.seek(page)
        file.write(b"\xa5" * 4096)
    result = lkst("replay", copy, "--format", "jsonl")
    assert result.status == 3
    assert "64 slots of CPU" in result.stderr
    left = nameless(result.stdout)
    assert len(whole) - 64 <= len(left) < len(whole)
    assert set(left) <= set(whole)


def is_ring_page(page: bytes) -> bool:
    """Tell a page of a ring by its slots' numbers and their one tag."""
    words = [int.from_bytes(page[at : at + 8], "little") for at in range(0, 4096, 64)]
    numbers = [word & layout.SEQ_MASK for word in words]
    tags = {word >> layout.SEQ_BITS for word in words}
    return len(tags) == 1 and tags != {0} and numbers == list(range(numbers[0], numbers[0] + 64))


def test_no_kcore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lkst: Run) -> None:
    monkeypatch.setattr("lkst.source.program._KCORE", str(tmp_path / "kcore"))
    result = lkst("list", "kcore")
    assert (result.status, result.stdout) == (3, "")
    assert "was built without CONFIG_PROC_KCORE" in result.stderr
    assert result.stderr.count("\n") == 1
