# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Debian goes the whole way: records, panics, captures, restarts, and reads what is left."""

import json
from pathlib import Path

from dumps import Once, Run
import pytest
from system import System

STEP = r"""
exec >/out/log 2>&1
set -ex
lkst install
lkst hook install
cat >/root/tell <<-END
	#!/bin/sh
	echo "\$@" >>/root/told
END
chmod +x /root/tell
echo EXEC=/root/tell >>/etc/lkst/hook.conf
systemctl restart kdump-tools
cp /var/crash/lkst/pages /out/one
lkst buffer new more --size 64K
cp /var/crash/lkst/pages /out/two
lkst hook status >/out/status.out
lkst hook test >/out/test.out
python3 /lab/scenarios/story.py
sync
echo c >/proc/sysrq-trigger
"""

NEXT_STEP = r"""
exec >/out/log 2>&1
set -ex
journalctl -u lkst-crash -o cat >/out/journal
cp /root/told /out
cd /var/crash
find . -type f >/out/files
for file in */dump.*.lkst */*.txt */grab*.lkst lkst/pages; do
	cp --parents "$file" /out
done
lkst hook status >/out/status.out
lkst stop
test ! -e lkst/pages
! lkst hook status >/out/stopped.out
lkst hook uninstall
test ! -e /etc/systemd/system/kdump-tools-dump.service.d
"""


@pytest.fixture(scope="module")
def boots(once: Once) -> tuple[Path, Path]:
    """Give what the boot with the panic, and the next one, have left."""

    def go(folder: Path) -> None:
        system = System.make(folder, "6.1")
        system.boot(STEP, "first")
        system.boot(NEXT_STEP, "second")

    folder = once("system", go)
    return folder / "first", folder / "second"


def test_before_the_crash(boots: tuple[Path, Path]) -> None:
    first, _ = boots
    status = (first / "out/status.out").read_text()
    assert "a capture kernel is loaded" in status
    assert "installed for debian" in status
    assert "is up to date" in status
    assert " no: " not in status
    tested = (first / "out/test.out").read_text()
    assert "by the list of its pages" in tested
    assert "records in 2 rings" in tested


def test_the_list_follows_the_buffers(boots: tuple[Path, Path]) -> None:
    one, two = ((boots[0] / "out" / name).read_text().splitlines() for name in ("one", "two"))
    rings = [{line.split()[1] for line in lines if line[:4] == "ring"} for lines in (one, two)]
    assert rings == [{"0"}, {"0", "1"}]


def test_in_the_capture_kernel(boots: tuple[Path, Path]) -> None:
    console = (boots[0] / "console.log").read_text(errors="replace")
    assert "/grab: " in console
    assert "by the list of its pages" in console
    assert "saved vmcore" in console


def test_at_the_next_boot(boots: tuple[Path, Path], lkst: Run) -> None:
    out = boots[1] / "out"
    story = json.loads((boots[0] / "out/story.json").read_text())
    names = {step["comm"] for step in story if step["step"] == "fork"}
    assert names
    for saved in (next(out.glob("lkst-*/grab.lkst")), next(out.glob("2*/dump.*.lkst"))):
        records = [
            json.loads(line)
            for line in lkst("replay", saved, "--format", "jsonl").stdout.splitlines()
        ]
        ends = {record["comm"] for record in records if record["event"] == "sched_process_exit"}
        assert names <= ends
        (panic,) = [record for record in records if record["event"] == "panic"]
        assert panic["fields"]["message"] == "sysrq triggered crash"
    for text in (*out.glob("*/*.replay.txt"),):
        assert text.read_text().splitlines()[-1].startswith("panic  sysrq triggered crash")
    assert len(list(out.glob("*/*.replay.txt"))) == 2


def test_the_grab_and_the_dump_tell_the_same(boots: tuple[Path, Path], lkst: Run) -> None:
    out = boots[1] / "out"
    grab, dump = next(out.glob("lkst-*/grab.lkst")), next(out.glob("2*/dump.*.lkst"))
    told = [lkst("replay", path, "--format", "jsonl").stdout for path in (grab, dump)]
    assert told[0] == told[1]


def test_the_journal_and_the_command(boots: tuple[Path, Path]) -> None:
    out = boots[1] / "out"
    lines = [line for line in (out / "journal").read_text().splitlines() if line.startswith("/var")]
    assert len(lines) == 2
    assert all(": panic sysrq triggered crash CPU " in line for line in lines)
    told = (out / "told").read_text().split()
    assert sorted(told) == sorted(line.split(": ")[0].rsplit("/", 1)[0] for line in lines)


def test_the_recorder_runs_again(boots: tuple[Path, Path]) -> None:
    assert "is up to date" in (boots[1] / "out/status.out").read_text()
    assert "no recorder is running" in (boots[1] / "out/stopped.out").read_text()
