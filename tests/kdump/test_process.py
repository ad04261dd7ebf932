# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service of the next boot does with what lies in the folder of dumps."""

from collections.abc import Callable, Iterator
import contextlib
import gzip
import lzma
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from dumpfiles import mark_incomplete, split
from dumps import ROOT, SAMPLE, Result, Run, run_lkst
import pytest

from lkst.hook.find import dump_folders

pytestmark = pytest.mark.slow


def _crash(folder: Path, name: str, age: int = 0, dump: str = "vmcore") -> Path:
    path = folder / name / dump
    path.parent.mkdir()
    shutil.copy(SAMPLE, path)
    os.utime(path, (time.time() - age,) * 2)
    return path


def _process(folder: Path, *words: str) -> Result:
    result = run_lkst("hook", "process", "--folder", folder, *words)
    assert result.status == 0, result.stderr
    return result


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_dump_is_read_once(tmp_path: Path, lkst: Run) -> None:
    names = {
        "202601011200": "dump.202601011200",
        "127.0.0.1-2026-01-01-12:00:00": "vmcore",
        "lkst-20260101120000": "grab",
    }
    for folder, dump in names.items():
        _crash(tmp_path, folder, dump=dump)
    # What is none.
    for name in ("dmesg.202601011200", "vmcore-dmesg.txt", "dmesg.gz"):
        (tmp_path / "202601011200" / name).write_text("no dump")
    (tmp_path / "lkst").mkdir()
    (tmp_path / "lkst/pages").write_text("lkst-pages 1\n")

    lines = _process(tmp_path).stdout.splitlines()
    assert len(lines) == 3
    for folder, dump in names.items():
        path = tmp_path / folder / dump
        assert [line for line in lines if line.startswith(f"{path}: panic ")]
        saved, text = (path.with_name(dump + end) for end in (".lkst", ".replay.txt"))
        whole = lkst("replay", path, "--format", "jsonl").stdout
        assert lkst("replay", saved, "--format", "jsonl").stdout == whole
        assert text.read_text() == lkst("replay", saved, "--since", "-10s").stdout
        assert "kept_mutex" in path.with_name(dump + ".report.html").read_text()
    assert _names(tmp_path / "lkst") == ["pages"]
    assert not _process(tmp_path).stdout


def test_without_what_a_report_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "jinja2.py").write_text("raise ImportError('it is not there', name='jinja2')\n")
    monkeypatch.setenv("PYTHONPATH", str(away))
    dumps = tmp_path / "dumps"
    dumps.mkdir()
    dump = _crash(dumps, "1")
    result = _process(dumps)
    assert result.stdout.endswith(
        "; lkst report: a report needs jinja2: install lkst with the extra 'report'\n"
    )
    assert _names(dump.parent) == [
        f"vmcore{end}" for end in ("", ".lkst", ".lkst-done", ".replay.txt", ".state.txt")
    ]


def test_one_that_cannot_be_read_keeps_no_other(tmp_path: Path) -> None:
    bad = _crash(tmp_path, "1", age=100)
    bad.write_bytes(bad.read_bytes()[:5000])
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "vmcore").write_text("no dump at all")
    good = _crash(tmp_path, "3")
    lines = _process(tmp_path).stdout.splitlines()
    assert len(lines) == 3
    assert f"{good}: panic" in lines[2] or f"{good}: panic" in lines[1]
    assert _names(tmp_path / "2") == ["vmcore", "vmcore.lkst-done"]
    assert "lkst save: " in (tmp_path / "2" / "vmcore.lkst-done").read_text()
    # Nor are they tried again.
    assert not _process(tmp_path).stdout


def test_what_kills_the_reader_is_tried_a_few_times(tmp_path: Path) -> None:
    """A dump that takes all of the service's time must not do so at every boot."""
    dump = _crash(tmp_path, "1")
    tried = dump.with_name("vmcore.lkst-tried")
    command = [sys.executable, "-m", "lkst", "hook", "process", "--folder", str(tmp_path)]
    for number in range(1, 4):
        with subprocess.Popen(command, cwd=ROOT) as service:
            deadline = time.monotonic() + 60
            while not _says(tried, f"{number} of 3 tries\n") and time.monotonic() < deadline:
                time.sleep(0.01)
            service.send_signal(signal.SIGKILL)
        assert _says(tried, f"{number} of 3 tries\n")
        assert not dump.with_name("vmcore.lkst-done").exists()
    assert "given up after 3 tries" in _process(tmp_path).stdout
    assert "given up after 3 tries" in dump.with_name("vmcore.lkst-done").read_text()
    assert not _process(tmp_path).stdout


def _says(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder with a dump and too little room for results; "filler" takes the room."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system of a few MiB")
    folder = tmp_path / "full"
    folder.mkdir()
    size = SAMPLE.stat().st_size + (8 << 20)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
    try:
        _crash(folder, "1")
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("room", [0, 65536])
def test_a_full_disk_leaves_the_dump_for_later(full: Path, room: int) -> None:
    filler = full / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    os.truncate(filler, filler.stat().st_size - room)
    for _ in range(4):  # More often than what kills its reader is tried.
        line = _process(full).stdout
        assert line.startswith(f"{full}/1/vmcore: ")
        assert "No space left on device; the next boot or 'lkst hook process' tries again" in line
        assert "vmcore.lkst-done" not in _names(full / "1")
    filler.unlink()
    assert f"{full}/1/vmcore: panic " in _process(full).stdout
    assert (full / "1/vmcore.lkst-done").read_text() == "saved\n"
    assert not _process(full).stdout


def test_an_empty_mark_is_of_a_full_disk(tmp_path: Path) -> None:
    dump = _crash(tmp_path, "1")
    dump.with_name("vmcore.lkst-done").touch()
    assert f"{dump}: panic " in _process(tmp_path).stdout


def test_dumps_are_known_by_content_and_by_name(tmp_path: Path) -> None:
    packs: dict[str, Callable[[bytes], bytes]] = {
        "vmcore-incomplete": mark_incomplete,
        "saved by hand": bytes,
        "dump.202601011200.gz": gzip.compress,
        "HOST.vmcore.xz": lzma.compress,
    }
    for number, (name, pack) in enumerate(packs.items()):
        dump = _crash(tmp_path, f"{number}", age=10_000_000 - number, dump=name)
        dump.write_bytes(pack(dump.read_bytes()))
        os.utime(dump, (time.time() - 10_000_000 + number,) * 2)
    lines = _process(tmp_path).stdout.splitlines()
    for number, (name, line) in enumerate(zip(packs, lines, strict=True)):
        assert line.startswith(f"{tmp_path}/{number}/{name}: panic ")
        assert ("is marked incomplete" in line) == (number == 0)
    assert not _process(tmp_path).stdout


def test_what_is_called_a_dump_gets_a_line(tmp_path: Path) -> None:
    for number, (name, content) in enumerate(
        {"vmcore": b"", "HOST.vmcore": b"nothing", "dump.1.gz": gzip.compress(b"nothing")}.items()
    ):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / name).write_bytes(content)
        (tmp_path / f"{number}" / "core.txt").write_text("no dump")
    lines = _process(tmp_path).stdout.splitlines()
    assert len(lines) == 3
    assert all("to try it again" in line for line in lines)
    assert not _process(tmp_path).stdout


def test_a_dump_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    dump = _crash(tmp_path, "1", dump="vmcore-incomplete")
    with dump.open("r+b"):
        assert (
            f"{dump}: is still being written; the next boot or 'lkst hook process' tries again"
            in _process(tmp_path).stdout
        )
    # Another machine may write it.
    assert f"{dump}: is incomplete and was changed " in _process(tmp_path).stdout
    assert _names(dump.parent) == ["vmcore-incomplete"]
    whole = dump.rename(dump.with_name("vmcore"))
    assert f"{whole}: panic " in _process(tmp_path).stdout


def test_parts_of_a_split_dump_are_read_together(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    folder.mkdir()
    parts = [folder / f"vmcore.{number}" for number in (1, 2)]
    for part, data in zip(parts, split(SAMPLE.read_bytes(), 2), strict=True):
        part.write_bytes(data)
    away = tmp_path / "away"
    parts[1].rename(away)
    first = _process(tmp_path / "1").stdout
    assert first.startswith(f"{parts[0]}: ")
    assert "of a split dump" in first
    away.rename(parts[1])
    second = _process(tmp_path / "1").stdout
    assert second.startswith(f"{parts[0]} {parts[1]}: panic ")
    assert "of a split dump" not in second
    assert not _process(tmp_path / "1").stdout


def test_the_folders_of_the_kdump_services(tmp_path: Path) -> None:
    for name, text in {
        "default/kdump-tools": "# KDUMP_COREDIR=/no\nKDUMP_COREDIR='/var/deb'\n",
        "kdump.conf": "#path /no\npath /var/crash/fed\nextra_bins /bin/true\n",
        "sysconfig/kdump": 'KDUMP_SAVEDIR="file:///srv/suse"\n',
    }.items():
        file = tmp_path / "etc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("var/deb", "var/crash/fed", "srv/suse", "no"):
        (tmp_path / name).mkdir(parents=True)
    # What lies below a folder is found there.
    expected = ["var/crash", "var/deb", "srv/suse"]
    assert dump_folders(tmp_path / "var/crash", tmp_path) == [tmp_path / name for name in expected]


def test_a_command_for_each_result(tmp_path: Path) -> None:
    dump = _crash(tmp_path, "1")
    log = tmp_path / "told"
    script = tmp_path / "tell"
    script.write_text(f'#!/bin/sh\necho "$@" >>{log}\nexit 3\n')
    script.chmod(0o755)
    said = _process(tmp_path, "--exec", f"{script} --ticket 'a b'").stdout
    assert log.read_text() == f"--ticket a b {dump.parent}\n"
    assert "status 3" in said
    _crash(tmp_path, "2")
    assert "No such file" in _process(tmp_path, "--exec", "/nowhere").stdout


def test_old_results_are_removed_and_dumps_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lkst.hook.process import process
    from lkst.record.lifecycle.hook_settings import Settings

    monkeypatch.chdir(ROOT)
    for number in range(4):
        _crash(tmp_path, f"{number}", age=100 - number)
    _crash(tmp_path, "lkst-1", age=200, dump="grab")
    lines = list(process(Settings(KEEP=2), only=tmp_path))
    assert len([line for line in lines if "too many" in line]) == 3
    # The oldest results go, and a grab with its own; a dump is the user's.
    assert not (tmp_path / "lkst-1").exists()
    for number in (0, 1):
        assert _names(tmp_path / f"{number}") == ["vmcore", "vmcore.lkst-done"]
    for number in (2, 3):
        assert "vmcore.lkst" in _names(tmp_path / f"{number}")
    # They are not read again.
    assert not list(process(Settings(KEEP=2), only=tmp_path))
    size = sum(path.stat().st_size for path in (tmp_path / "3").glob("vmcore.*"))
    said = list(process(Settings(KEEP_SIZE=f"{size // 1024}K"), only=tmp_path))
    assert len([line for line in said if "too large" in line]) == 1
    assert "vmcore.lkst" in _names(tmp_path / "3")
    assert "vmcore.lkst" not in _names(tmp_path / "2")


def test_what_a_killed_hook_has_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "lkst-1").mkdir()
    (tmp_path / "lkst-1" / "grab-unfinished").write_text("half")
    assert (
        "grab-unfinished: removed: incomplete, the hook that wrote it was killed"
        in _process(tmp_path).stdout
    )
    assert not (tmp_path / "lkst-1").exists()


def test_something_in_the_way(tmp_path: Path) -> None:
    dump = _crash(tmp_path, "1")
    dump.with_name("vmcore.lkst").mkdir()
    assert f"{dump}: lkst save: " in _process(tmp_path).stdout
