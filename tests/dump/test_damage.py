# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be read of a damaged dump is read: never less than carving finds, and by no signal."""

from collections.abc import Callable
import functools
from pathlib import Path
import struct

from dumpfiles import (
    Layout,
    flatten,
    hide_note,
    mark_incomplete,
    split,
    without_bitmap,
)
from dumps import RECORDS, SAMPLE, Run
from hypothesis import given, settings
from hypothesis import strategies as st
import pytest

from lkst.dump import open_dump
from lkst.dump.elf import PT_LOAD, PT_NOTE
from lkst.dump.notes import elf_note
from lkst.errors import Damaged, LkstError
from lkst.locate.carve import carve_recorders
from lkst.locate.merge import count_slots
from lkst.source import open_source
from lkst.source.dumped import own_program

pytestmark = pytest.mark.slow


def records(path: Path) -> int:
    """Count the records that a replay has."""
    try:
        return len(open_source(str(path))[0])
    except LkstError as error:
        assert error.status == Damaged.status, error
        return 0


def carved(path: Path) -> int:
    """Count the slots that carving finds in what is there of the file."""
    try:
        dump = open_dump([path])
    except Damaged:
        return 0
    images = carve_recorders(own_program(dump), dump.ranges())
    return max(map(count_slots, images), default=0)


def slots(path: Path) -> int:
    """Count the slots of which a replay is made."""
    try:
        return count_slots(open_source(str(path))[0].image)
    except Damaged:
        return 0


@functools.cache
def whole_slots() -> int:
    return count_slots(open_source(str(SAMPLE))[0].image)


def interesting(data: bytes) -> list[int]:
    """Give lengths at which each kind of content is cut, and just before and behind."""
    layout = Layout(data)
    places = [464, layout.block, layout.block + 104, layout.bitmaps, layout.second_bitmap]
    places += [layout.descriptors, layout.data, len(data)]
    around = {place + by for place in places for by in (-1, 0, 1)}
    steps = {len(data) * percent // 100 for percent in range(0, 100, 9)}
    return sorted(place for place in around | steps if 0 <= place < len(data))


@pytest.mark.parametrize("form", ["plain", "flattened"])
def test_cut(sample: bytes, tmp_path: Path, form: str) -> None:
    data = sample if form == "plain" else flatten(sample)
    path = tmp_path / "vmcore"
    before = 0
    for length in interesting(sample):
        path.write_bytes(data[:length])
        found = slots(path)
        assert found >= max(carved(path), before), length
        assert records(path) <= RECORDS
        before = found
    assert before == whole_slots()


@settings(max_examples=15)
@given(st.data())
def test_overwritten(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Junk anywhere, in the headers and the index as well."""
    original = SAMPLE.read_bytes()
    whole = bytearray(original)
    end = data.draw(st.sampled_from((464, 5000, Layout(original).data, len(whole))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, end - 1))
        junk = data.draw(st.binary(min_size=1, max_size=64))
        whole[at : at + len(junk)] = junk
    path = tmp_path_factory.mktemp("junk") / "vmcore"
    path.write_bytes(whole)
    assert slots(path) >= carved(path)


def test_no_command_dies_of_a_signal(sample: bytes, tmp_path: Path, lkst: Run) -> None:
    """Libkdumpfile would read descriptors and pages behind the end of the file that it mapped."""
    layout = Layout(sample)
    path = tmp_path / "vmcore"
    commands = {
        layout.descriptors + 5000: ("replay", "save"),
        layout.data + 5000: ("replay",),
        len(sample) * 9 // 10: ("list", "state", "measure", "save"),
    }
    more = {"save": ("-o", tmp_path / "x.lkst"), "measure": ("syscall-time",)}
    for length, names in commands.items():
        path.write_bytes(sample[:length])
        for name in names:
            result = lkst(name, path, *more.get(name, ()))
            assert result.status == 3, (length, name, result.stderr)
            assert "is cut off" in result.stderr
            assert "kdump_" not in result.stderr


@pytest.mark.parametrize("percent", [15, 60, 99])
def test_slice_of_a_cut_dump(sample: bytes, tmp_path: Path, lkst: Run, percent: int) -> None:
    path, target = tmp_path / "vmcore", tmp_path / "slice"
    path.write_bytes(sample[: len(sample) * percent // 100])
    result = lkst("slice", path, "-o", target)
    assert result.status == 3
    assert f"{path}: is cut off" in result.stderr
    assert slots(target) == slots(path) > 0


def test_cut_before_the_first_page(sample: bytes, tmp_path: Path, lkst: Run) -> None:
    path = tmp_path / "vmcore"
    path.write_bytes(sample[: Layout(sample).data])
    result = lkst("replay", path)
    assert result.status == 3
    assert result.stderr == f"lkst: {path}: is cut off: 0 of 3569 pages of memory are there\n"


def in_elf(data: bytes, path: Path) -> bytes:
    """Write the memory of a dump as an ELF core, as /proc/vmcore has it."""
    path.write_bytes(data)
    dump = open_dump([path])
    note = elf_note(b"VMCOREINFO", 0, dump.vmcoreinfo, "<")
    ranges = dump.ranges()
    at = 64 + 56 * (1 + len(ranges))
    table = struct.pack("<IIQQQQQQ", PT_NOTE, 0, at, 0, 0, len(note), len(note), 4)
    parts = [note]
    at += len(note)
    for first, last in ranges:
        size = last + 1 - first
        table += struct.pack("<IIQQQQQQ", PT_LOAD, 0, at, 0, first, size, size, 4096)
        parts.append(dump.read(first, size))
        at += size
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\2\1\1", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1 + len(ranges), 0, 0, 0),
    )
    return header + table + b"".join(parts)


@pytest.mark.parametrize("form", ["kdump", "flattened", "elf"])
@pytest.mark.parametrize("percent", [40, 80])
def test_damage_is_one_line(
    sample: bytes, tmp_path: Path, lkst: Run, form: str, percent: int
) -> None:
    """Whatever was missing, and whatever had to be done because of it."""
    path = tmp_path / "vmcore"
    forms: dict[str, Callable[[bytes], bytes]] = {
        "kdump": bytes,
        "flattened": flatten,
        "elf": lambda data: in_elf(data, path),
    }
    data = forms[form](sample)
    path.write_bytes(data[: len(data) * percent // 100])
    result = lkst("replay", path)
    assert result.status == 3
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"lkst: {path}: is cut off: ")
    assert "of memory" in line
    assert "the recorder was carved out of physical memory" in line
    for name in ("list", "state", "events"):
        other = lkst(name, path)
        assert (other.status, other.stderr) == (3, result.stderr), name
        assert other.stdout, name
    assert lkst("events", path, "sched_switch", "--format", "json").status == 3


def test_marked_incomplete(sample: bytes, tmp_path: Path, lkst: Run) -> None:
    path = tmp_path / "vmcore"
    path.write_bytes(mark_incomplete(sample))
    result = lkst("replay", path, "--format", "jsonl")
    assert result.status == 3
    assert "is marked incomplete" in result.stderr
    assert len(result.stdout.splitlines()) == RECORDS


def test_marked_incomplete_elf(tmp_path: Path) -> None:
    segment = struct.pack("<IIQQQQQQ", 1, 0, 4096, 0, 0, 4096, 4096, 0)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, 62, 1, 0, 64, 0, 1, 64, 56, 1, 0, 0, 0
    )
    path = tmp_path / "vmcore"
    path.write_bytes((header + segment).ljust(8192, b"\0"))
    (fault,) = open_dump([path]).faults
    assert "marked incomplete" in fault


def test_pages_without_their_numbers(sample: bytes, tmp_path: Path, lkst: Run) -> None:
    path = tmp_path / "vmcore"
    path.write_bytes(without_bitmap(sample))
    result = lkst("replay", path, "--format", "jsonl")
    assert result.status == 3
    assert "the addresses of " in result.stderr
    assert len(result.stdout.splitlines()) == RECORDS


def test_vmcoreinfo_in_memory(sample: bytes, tmp_path: Path, lkst: Run) -> None:
    path = tmp_path / "vmcore"
    path.write_bytes(hide_note(sample))
    result = lkst("replay", path, "--format", "jsonl")
    assert result.status == 3
    assert "used the text in its memory at 0x" in result.stderr
    assert "carved" not in result.stderr
    assert len(result.stdout.splitlines()) == RECORDS


class TestSplit:
    @pytest.fixture
    def parts(self, sample: bytes, tmp_path: Path) -> list[Path]:
        paths = [tmp_path / f"dump.{number}" for number in (1, 2, 3)]
        for path, data in zip(paths, split(sample, 3), strict=True):
            path.write_bytes(data)
        return paths

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
    def test_all(self, parts: list[Path], lkst: Run, order: tuple[int, ...]) -> None:
        result = lkst("replay", *(parts[i] for i in order), "--format", "jsonl")
        assert (result.status, result.stderr) == (0, "")
        assert len(result.stdout.splitlines()) == RECORDS

    def test_folder(self, parts: list[Path]) -> None:
        (trace,) = open_source(str(parts[0].parent))
        assert len(trace) == RECORDS
        assert trace.facts.notes == []

    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_one(self, parts: list[Path], lkst: Run, number: int) -> None:
        result = lkst("replay", parts[number - 1])
        assert result.status == 3
        assert f"is part {number} of a split dump" in result.stderr
        assert slots(parts[number - 1]) >= carved(parts[number - 1])

    def test_some(self, parts: list[Path], lkst: Run) -> None:
        result = lkst("list", parts[2], parts[0])
        assert result.status == 3
        assert "part 1 and part 3 of a split dump" in result.stderr

    def test_commands_with_more_words(self, parts: list[Path], lkst: Run) -> None:
        query = "SELECT count(*) AS n FROM events"
        result = lkst("sql", *parts, query, "--format", "csv")
        assert (result.status, result.stdout.split()) == (0, ["n", str(RECORDS)])
        assert lkst("measure", *parts, "syscall-time").status == 0
        assert lkst("events", *parts, "sched_switch").status == 0

    def test_of_other_dumps(self, sample: bytes, parts: list[Path], lkst: Run) -> None:
        data = bytearray(parts[1].read_bytes())
        data[100] ^= 1  # of the host's name
        parts[1].write_bytes(data)
        result = lkst("replay", *parts)
        assert result.status == 3
        assert "a part of another dump" in result.stderr
        assert lkst("replay", parts[0], SAMPLE).status == 3
        assert lkst("replay", parts[0], "word").status == 2


class TestCompressed:
    @pytest.fixture(params=["gzip", "bz2", "lzma", "lz4.frame", "zstandard"])
    def compress(self, request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
        module = pytest.importorskip(request.param)
        made: Callable[[bytes], bytes] = module.compress
        return made

    def test_whole(
        self, compress: Callable[[bytes], bytes], sample: bytes, tmp_path: Path, lkst: Run
    ) -> None:
        path = tmp_path / "dump.202611271726"  # Known by its content.
        # Several streams in a row, as parallel compressors write them.
        path.write_bytes(compress(sample[:2_000_000]) + compress(sample[2_000_000:]))
        result = lkst("replay", path, "--format", "jsonl")
        assert (result.status, result.stderr) == (0, "")
        assert len(result.stdout.splitlines()) == RECORDS

    def test_cut(
        self, compress: Callable[[bytes], bytes], sample: bytes, tmp_path: Path, lkst: Run
    ) -> None:
        path = tmp_path / "dump"
        path.write_bytes(compress(flatten(sample))[:3_000_000])
        result = lkst("list", path)
        assert result.status == 3
        assert "stream is cut off" in result.stderr
        assert "pages of memory are there" in result.stderr
        assert slots(path) == whole_slots()

    def test_saved_grab_and_slice(self, sample: bytes, tmp_path: Path, lkst: Run) -> None:
        import gzip

        path = tmp_path / "dump.gz"
        path.write_bytes(gzip.compress(sample, 1))
        assert lkst("slice", path, "-o", tmp_path / "slice").status == 0
        assert slots(tmp_path / "slice") == whole_slots()

    def test_no_room(self, sample: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import gzip
        import shutil

        path = tmp_path / "dump.gz"
        path.write_bytes(gzip.compress(sample, 1))
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1 << 20))
        with pytest.raises(LkstError, match="TMPDIR"):
            open_dump([path])

    def test_not_a_dump_inside(self, tmp_path: Path, lkst: Run) -> None:
        import gzip

        path = tmp_path / "log.gz"
        for data in (gzip.compress(b"hello\n" * 100), gzip.compress(b""), b"\x1f\x8b\x08junk"):
            path.write_bytes(data)
            result = lkst("replay", path)
            assert result.status == 3
            assert len(result.stderr.splitlines()) == 1
