# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service of the next boot does with what lies in the folder of dumps."""

import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from dumps import ROOT, Result, Run, run_lkst
import pytest

SAMPLE = ROOT / "vmcores" / "sample.vmcore"


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
    # What is none, or not complete.
    for name in ("dmesg.202601011200", "dump-incomplete", "vmcore-dmesg.txt", "vmcore-incomplete"):
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


def test_what_was_killed_is_not_tried_again(tmp_path: Path) -> None:
    """A dump that takes all of the service's time must not do so at every boot."""
    dump = _crash(tmp_path, "1")
    command = [sys.executable, "-m", "lkst", "hook", "process", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT) as service:
        mark = dump.with_name("vmcore.lkst-done")
        deadline = time.monotonic() + 60
        # It is there a moment before its text is.
        while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        service.send_signal(signal.SIGKILL)
    assert mark.read_text() == "not finished\n"
    assert not _process(tmp_path).stdout


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
    from lkst.hook.settings import Settings

    monkeypatch.chdir(ROOT)
    for number in range(4):
        _crash(tmp_path, f"{number}", age=100 - number)
    _crash(tmp_path, "lkst-1", age=200, dump="grab")
    lines = list(process(Settings(DUMPS=str(tmp_path), KEEP=2)))
    assert len([line for line in lines if "too many" in line]) == 3
    # The oldest results go, and a grab with its own; a dump is the user's.
    assert not (tmp_path / "lkst-1").exists()
    for number in (0, 1):
        assert _names(tmp_path / f"{number}") == ["vmcore", "vmcore.lkst-done"]
    for number in (2, 3):
        assert "vmcore.lkst" in _names(tmp_path / f"{number}")
    # They are not read again.
    assert not list(process(Settings(DUMPS=str(tmp_path), KEEP=2)))
    size = sum(path.stat().st_size for path in (tmp_path / "3").glob("vmcore.*"))
    said = list(process(Settings(DUMPS=str(tmp_path), KEEP_SIZE=f"{size // 1024}K")))
    assert len([line for line in said if "too large" in line]) == 1
    assert "vmcore.lkst" in _names(tmp_path / "3")
    assert "vmcore.lkst" not in _names(tmp_path / "2")


def test_what_a_killed_hook_has_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "lkst-1").mkdir()
    (tmp_path / "lkst-1" / "grab-unfinished").write_text("half")
    assert not _process(tmp_path).stdout
    assert not (tmp_path / "lkst-1").exists()


def test_something_in_the_way(tmp_path: Path) -> None:
    dump = _crash(tmp_path, "1")
    dump.with_name("vmcore.lkst").mkdir()
    assert f"{dump}: lkst save: " in _process(tmp_path).stdout
