# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorder copied out of real dumps, by the list of its pages and by looking for it."""

import json
import os
from pathlib import Path
import re
import shutil
import struct
import subprocess

from drgn.helpers.linux.printk import get_printk_records
from dumps import Dump, Lab, Run
from grabs import GRAB, run_grab
import pytest

from drgn_plugins.lkst_btf import attach_btf
from lkst.abi import layout
from lkst.dump.content import Plain
from lkst.dump.elf import PT_LOAD, elf_segments
from lkst.locate.ranges import dumped_ranges
from lkst.source.program import open_program

pytestmark = pytest.mark.slow


@pytest.fixture
def pages(story_6_1: Dump, tmp_path: Path) -> Path:
    """Give a list of pages to spoil."""
    return Path(shutil.copy(story_6_1.out / "pages", tmp_path / "pages"))


def _records(lkst: Run, source: Path, status: int = 0) -> str:
    result = lkst("replay", source, "--format", "jsonl")
    assert result.status == status, result.stderr
    return result.stdout


def _shown(text: str) -> list[str]:
    """Leave out where it is from, and what is told by the kernel's own counters, which are not."""
    # The end is known by the dump's timekeeper, or by the steps that the recorder saw.
    lines = [line.partition("Z, by ")[0] for line in text.splitlines()]
    return [line for line in lines if not line.startswith(("source", "suppressed"))]


def _listed(lkst: Run, source: Path) -> tuple[dict[str, object], list[int | None]]:
    """List a recorder, without where it is from, and apart what of each event was suppressed."""
    listed = json.loads(lkst("list", source, "--format", "json").stdout)
    del listed["source"]
    return listed, [event.pop("suppressed") for event in listed["events"]]


def test_by_its_list_it_is_read_as_the_dump_is(story: Dump, lkst: Run, tmp_path: Path) -> None:
    target = tmp_path / "grab"
    done = run_grab("-i", story.vmcore, "-l", story.out / "pages", "-o", target)
    assert done.status == 0
    assert not done.stderr
    assert "by the list of its pages" in done.stdout
    assert target.stat().st_size < story.vmcore.stat().st_size / 10
    assert target.stat().st_mode & 0o777 == 0o600
    for words in (["replay"], ["events"], ["replay", "--format", "jsonl"]):
        whole, small = (lkst(words[0], path, *words[1:]) for path in (story.vmcore, target))
        assert (whole.status, small.status) == (0, 0), small.stderr
        assert _shown(whole.stdout) == _shown(small.stdout)
    (meant, known), (found, unknown) = (_listed(lkst, path) for path in (story.vmcore, target))
    assert found == meant
    assert None not in known
    assert set(unknown) == {None}


def test_the_log_of_the_kernel_is_in_it(story: Dump, tmp_path: Path) -> None:
    run_grab("-i", story.vmcore, "-l", story.out / "pages", "-o", tmp_path / "g")
    logs = []
    for path in (story.vmcore, tmp_path / "g"):
        prog = open_program(str(path))
        attach_btf(prog)
        logs.append([(record.timestamp, record.text) for record in get_printk_records(prog)])
    assert any(text.startswith(b"Kernel panic") for _, text in logs[0])
    assert logs[0] == logs[1]


def test_without_a_list_it_is_found_by_its_tags(story: Dump, lkst: Run, tmp_path: Path) -> None:
    target = tmp_path / "grab"
    done = run_grab("-i", story.vmcore, "-o", target)
    assert done.status == 0
    assert "by looking at all memory" in done.stdout
    # It was carved, which is said.
    assert _records(lkst, target, status=3) == _records(lkst, story.vmcore)


def test_in_the_capture_kernel(lab: Lab, lkst: Run) -> None:
    dump = lab("6.12", "--scenario", "story", "--capture", "kdump", "--dump-format", "flattened")
    result = lkst("replay", dump.folder / "grab", "--format", "jsonl")
    assert result.status == 0, result.stderr
    assert '"event":"panic"' in result.stdout
    # Of this kernel, makedumpfile may leave out more than it should, such as names of tasks.
    whole = lkst("replay", dump.vmcore, "--format", "jsonl").stdout
    assert _keys(whole) <= _keys(result.stdout)


def _keys(jsonl: str) -> set[tuple[int, int, str]]:
    records = map(json.loads, jsonl.splitlines())
    return {(record["ts"], record["cpu"], record["event"]) for record in records}


def _spoil_boot(text: str) -> str:
    boot = text.split("boot ")[1][:8]
    return text.replace(boot, "00000000")


def _give_away(text: str) -> str:
    """Let the rings lie where the kernel's variables are."""
    others = re.search(r"^kernel (\w+)", text, re.MULTILINE)
    assert others
    return re.sub(r"^(ring 0) \w+", rf"\1 {others[1]}", text, flags=re.MULTILINE)


SPOILED = {
    "of another boot": (_spoil_boot, "not of the kernel that has died"),
    "cut off": (lambda text: text[: len(text) // 2], "is damaged"),
    "empty": (lambda text: "", "cannot be read"),
    "not a list": (lambda text: "\x7fELF" * 100, "is damaged"),
    "of pages that are others' now": (
        _give_away,
        "are no longer that",
    ),
}


@pytest.mark.parametrize("how", SPOILED)
def test_a_list_that_is_not_true_is_not_believed(
    how: str, story_6_1: Dump, pages: Path, lkst: Run, tmp_path: Path
) -> None:
    spoil, said = SPOILED[how]
    pages.write_text(spoil(pages.read_text()))
    done = run_grab("-i", story_6_1.vmcore, "-l", pages, "-o", tmp_path / "grab")
    assert done.status == 0
    assert said in done.stderr
    assert "by looking at all memory" in done.stdout
    assert _records(lkst, tmp_path / "grab", status=3) == _records(lkst, story_6_1.vmcore)


def test_a_list_that_is_missing_is_said(story_6_1: Dump, tmp_path: Path) -> None:
    done = run_grab("-i", story_6_1.vmcore, "-l", tmp_path / "none", "-o", tmp_path / "grab")
    assert done.status == 0
    assert "No such file" in done.stderr


def test_some_pages_of_a_ring_that_are_not_its_own_are_left_out(
    story_6_1: Dump, pages: Path, lkst: Run, tmp_path: Path
) -> None:
    """Their records are missing, and counted as such; the others are there."""
    lines = pages.read_text().split("\n")
    rings = [index for index, line in enumerate(lines) if line.startswith("ring")]
    *_, size = lines[rings[0]].split()
    others = next(line for line in lines if line.startswith("kernel")).split()[1]
    lines[rings[0]] = f"ring 0 {others} {size}"
    pages.write_text("\n".join(lines))
    done = run_grab("-i", story_6_1.vmcore, "-l", pages, "-o", tmp_path / "grab")
    told = re.search(r"(\d+) of \d+ pages of the rings", done.stderr)
    # A page of zeros may be one that nothing was written to yet.
    assert told and 0 < int(told[1]) <= int(size), done.stderr
    assert "by the list of its pages" in done.stdout
    some = _records(lkst, tmp_path / "grab", status=3).splitlines()
    whole = _records(lkst, story_6_1.vmcore).splitlines()
    assert len(whole) - int(size) * 64 <= len(some) < len(whole)
    assert set(some) < set(whole)


def test_without_the_kernels_names_the_records_are_there(
    story_6_1: Dump, lkst: Run, tmp_path: Path
) -> None:
    target = tmp_path / "grab"
    run_grab("-n", "-i", story_6_1.vmcore, "-l", story_6_1.out / "pages", "-o", target)
    result = lkst("replay", target, "--format", "jsonl")
    assert result.status == 3
    assert "the kernel's names are not in this grab" in result.stderr
    assert len(result.stdout.splitlines()) == len(_records(lkst, story_6_1.vmcore).splitlines())


def test_a_target_without_room_for_the_names(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    """No file may be larger than that: what matters most is written all the same."""
    done = _grab_in(8000, story_6_1, tmp_path / "g")
    assert done.returncode == 0, done.stderr
    assert "the kernel's names are left out" in done.stderr
    assert lkst("list", tmp_path / "g").status == 3
    assert len(_records(lkst, tmp_path / "g", status=3)) > 1 << 20


def test_a_failure_leaves_the_old_file(story_6_1: Dump, tmp_path: Path) -> None:
    (tmp_path / "g").write_text("old")
    done = _grab_in(1000, story_6_1, tmp_path / "g")
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["g"]
    assert (tmp_path / "g").read_text() == "old"


def _grab_in(kib: int, dump: Dump, target: Path) -> "subprocess.CompletedProcess[str]":
    """Run it where no file may be larger than that."""
    script = f'ulimit -f {kib}; trap "" XFSZ; exec {GRAB} "$@"'
    words = map(str, ("-i", dump.vmcore, "-l", dump.out / "pages", "-o", target))
    return subprocess.run(["bash", "-c", script, "-", *words], capture_output=True, text=True)


def test_damaged_cores_are_refused_or_read_as_far_as_they_go(
    story_6_1: Dump, lkst: Run, tmp_path: Path
) -> None:
    whole = story_6_1.vmcore.read_bytes()
    core = tmp_path / "core"
    for data in (b"", b"\x7fELF", b"no core" * 100, whole[:64], whole[:4000]):
        core.write_bytes(data)
        done = run_grab("-i", core, "-o", tmp_path / "g")
        assert done.status == 1, data[:10]
        assert done.stderr.startswith(f"lkst-grab: {core}: ")
        assert not (tmp_path / "g").exists()
    # Offsets and sizes that lead nowhere.
    table = struct.unpack_from("<Q", whole, 32)[0]
    (count,) = struct.unpack_from("<H", whole, 56)
    for index in range(count):
        for member in (8, 24, 32):
            damaged = bytearray(whole[:200_000_000])
            struct.pack_into("<Q", damaged, table + 56 * index + member, (1 << 64) - 4096)
            core.write_bytes(damaged)
            done = run_grab("-i", core, "-l", story_6_1.out / "pages", "-o", tmp_path / "g")
            assert done.status in (0, 1)
            assert "signal" not in done.stderr


def test_a_core_without_vmcoreinfo(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    core, whole = tmp_path / "core", story_6_1.vmcore.read_bytes()
    at = whole.index(b"VMCOREINFO\0\0OSRELEASE=")
    core.write_bytes(whole[:at] + b"X" + whole[at + 1 :])
    done = run_grab("-i", core, "-o", tmp_path / "g")
    assert done.status == 0
    assert "took the text in its memory at 0x" in done.stderr
    meant = lkst("replay", story_6_1.vmcore, "--format", "jsonl")
    result = lkst("replay", tmp_path / "g", "--format", "jsonl")
    assert result.status == 3  # It was carved.
    assert _keys(result.stdout) == _keys(meant.stdout)
    assert "names are not in" not in result.stderr
    # By the list not all of memory is looked at: the records are there.
    done = run_grab("-i", core, "-l", story_6_1.out / "pages", "-o", tmp_path / "g")
    assert done.status == 0
    assert "no VMCOREINFO note" in done.stderr
    result = lkst("replay", tmp_path / "g", "--format", "jsonl")
    assert result.status == 3
    assert _keys(result.stdout) == _keys(meant.stdout)


def test_a_header_alone_is_no_grab(tmp_path: Path) -> None:
    core = tmp_path / "core"
    numbers = (4, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", *numbers)
    segment = struct.pack("<IIQQQQQQ", PT_LOAD, 4, 4096, 0, 0, 1 << 20, 1 << 20, 0)
    page = bytearray(4096)
    page[: layout.HEADER.size] = layout.HEADER.pack(
        layout.MAGIC,
        layout.ABI_MAJOR,
        0,
        256,
        1024,
        56,
        1,
        64,
        2,
        1024,
        8192,
        16,
        *[0] * 2,
        bytes(16),
        b"",
        b"",
        b"",
        0,
        0,
        0,
        0,
        0,
    )
    core.write_bytes((header + segment).ljust(4096, b"\0") + page + bytes((1 << 20) - 4096))
    done = run_grab("-i", core, "-o", tmp_path / "g")
    assert done.status == 1
    assert not (tmp_path / "g").exists()


def test_a_core_without_a_recorder(tmp_path: Path) -> None:
    core = tmp_path / "core"
    numbers = (4, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)  # one program header, at 64
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", *numbers)
    segment = struct.pack("<IIQQQQQQ", PT_LOAD, 4, 4096, 0, 0, 1 << 20, 1 << 20, 0)
    core.write_bytes((header + segment).ljust(4096 + (1 << 20), b"\0"))
    done = run_grab("-i", core, "-o", tmp_path / "g")
    assert done.status == 1
    assert "no recorder with a record in it" in done.stderr


def test_its_own_timer_ends_it(tmp_path: Path) -> None:
    """A pipe that nobody writes to is opened for ever."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    done = run_grab("-t", "1", "-i", fifo, "-o", tmp_path / "g")
    assert done.status == 1
    assert "not done after 1 s" in done.stderr


def test_no_slice_is_cut_out_of_it(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    """A slice would be without the list by which its recorder is found."""
    run_grab("-i", story_6_1.vmcore, "-l", story_6_1.out / "pages", "-o", tmp_path / "g")
    result = lkst("slice", tmp_path / "g", "-o", tmp_path / "slice")
    assert result.status == 2
    assert "is a grab" in result.stderr
    assert not (tmp_path / "slice").exists()


def test_wrong_words() -> None:
    for words in ((), ("-o", "a", "-d", "b"), ("-o", "a", "-t", "x"), ("-o", "a", "b"), ("-z",)):
        done = run_grab(*words)
        assert done.status == 2
        assert "usage" in done.stderr


def test_it_is_small_and_needs_no_library() -> None:
    data = GRAB.read_bytes()
    assert len(data) < 1_000_000
    with GRAB.open("rb") as file:
        read = Plain(file).read
        # PT_INTERP names what loads libraries.
        assert 3 not in {segment.kind for segment in elf_segments(read)}


def test_what_a_grab_holds(story_6_1: Dump, tmp_path: Path) -> None:
    run_grab("-i", story_6_1.vmcore, "-l", story_6_1.out / "pages", "-o", tmp_path / "g")
    there = dumped_ranges(tmp_path / "g")
    for line in (story_6_1.out / "pages").read_text().splitlines():
        if line.startswith(("catalogue", "control", "cpus", "counts", "ring")):
            address, size = int(line.split()[-2], 16), int(line.split()[-1]) * 4096
            assert any(first <= address and address + size - 1 <= last for first, last in there)
