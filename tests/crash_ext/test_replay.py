# SPDX-License-Identifier: GPL-2.0-or-later
"""The same replay to the byte, in crash and elsewhere."""

from pathlib import Path
import subprocess
import sys

from crashes import Crash, gone, vmcoreinfo
from drgn import Program
from dumps import ROOT, Dump, Run
import pytest

from lkst.locate.ranges import dumped_ranges

pytestmark = pytest.mark.slow

DRGN = Path(sys.executable).with_name("drgn")
SCRIPT = ROOT / "drgn_plugins" / "lkst_replay.py"


def in_drgn(dump: Dump, *words: object) -> str:
    command = [str(word) for word in (DRGN, "-c", dump.vmcore, *words, SCRIPT)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_same_replay_in_drgn(story: Dump, lkst: Run) -> None:
    assert in_drgn(story) == lkst("replay", story.vmcore).stdout


def test_same_replay(crash: Crash, lkst: Run, tmp_path: Path) -> None:
    dump = crash.dump
    script = tmp_path / "script.py"
    script.write_text(
        "from drgn.commands import run_command\n"
        f"run_command(prog, 'lkst replay > {tmp_path}/script')\n"
        "print('HAVE' in str(prog.main_module().debug_file_status))\n"
    )
    said = crash.run("lkst replay > crash", f"lkst drgn {script}", "lkst replay >> crash")
    assert "True" in said
    expected = lkst("replay", dump.vmcore)
    assert (expected.status, expected.stderr) == (0, "")
    assert len(expected.stdout.splitlines()) > 1000
    assert (tmp_path / "crash").read_text() == 2 * expected.stdout
    assert (tmp_path / "script").read_text() == expected.stdout
    assert in_drgn(dump) == expected.stdout
    assert in_drgn(dump, "-s", dump.vmlinux) == expected.stdout
    assert len(crash.pids()) == 2


def test_compressed(crash: Crash, lkst: Run) -> None:
    """Read what makedumpfile leaves: pages are missing."""
    dump = crash.folder / "dump"
    command = ("makedumpfile", "-l", "-d", "31", crash.dump.vmcore, dump)
    subprocess.run(command, check=True, capture_output=True)
    crash.run("lkst replay > crash", vmcore=dump)
    assert (crash.folder / "crash").read_text() == lkst("replay", dump).stdout


def test_a_format_that_drgn_cannot_open(crash: Crash, lkst: Run) -> None:
    """Read an image of memory, which has no header."""
    image = crash.folder / "memory"
    prog = Program()
    prog.set_core_dump(crash.dump.vmcore)
    with image.open("wb") as file:
        for first, last in dumped_ranges(crash.dump.vmcore):
            file.seek(first)
            file.write(prog.read(first, last + 1 - first, True))
    assert lkst("replay", image).status == 3
    info = vmcoreinfo(crash.dump)
    options = (f"--kaslr=0x{info['KERNELOFFSET']}", "-m", f"phys_base={info['NUMBER(phys_base)']}")
    crash.run("lkst replay > crash", options=options, vmcore=Path("memory@0"))
    # crash calls it by the name of the header that it has made itself.
    body = (crash.folder / "crash").read_text().partition("\n")[2]
    assert body == lkst("replay", crash.dump.vmcore).stdout.partition("\n")[2]


def test_kdump(
    extension: Path, story_6_1: Dump, kdump_6_1: Dump, lkst: Run, tmp_path: Path
) -> None:
    """Read a dump of a machine whose crash kernel has taken VMCOREINFO along."""
    crash = Crash(extension, story_6_1, tmp_path)
    crash.run("lkst replay > crash", "lkst slice -o slice", vmcore=kdump_6_1.vmcore)
    assert (tmp_path / "crash").read_text() == lkst("replay", kdump_6_1.vmcore).stdout
    said = crash.run("lkst replay | tail -n 1", vmcore=tmp_path / "slice")
    assert "panic  sysrq triggered crash" in said
    assert gone(crash.pids())
