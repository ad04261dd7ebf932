# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong is told in a line, crash stays usable, and no process is left."""

import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time

from crashes import Crash, gone, lines_of
from drgn import Program
from dumps import ENDLESS, ROOT, Dump, Lab, Run
import pytest

from drgn_plugins.lkst_btf import attach_btf, find_kallsyms
from lkst.dump.elf import elf_segments

pytestmark = pytest.mark.slow


def test_no_python_and_no_lkst(extension: Path, story_6_1: Dump, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    for name, path in (("lacks-lkst", "/"), ("lacks-numpy", ROOT)):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {bare}/bin/python "$@"\n')
        script.chmod(0o755)
    python = tmp_path / "chosen"
    said = Crash(extension, story_6_1, tmp_path).run(
        "lkst list",
        f"!ln -sf {tmp_path}/lacks-lkst {python}",
        "lkst list",
        f"!ln -sf {tmp_path}/lacks-numpy {python}",
        "lkst list",
        "sym panic",
        env={"LKST_PYTHON": str(python)},
    )
    assert f"lkst: cannot run {python}: No such file" in said
    assert "No module named 'lkst'" in said
    assert f"lkst: {bare}/bin/python: No module named " in said
    advice = "install Python 3.11 and LKST, or name an interpreter that has it in LKST_PYTHON"
    assert len([line for line in said.splitlines() if advice in line]) == 3
    assert "(T) panic" in said


def test_child_is_killed(crash: Crash) -> None:
    """Kill it at work, and at rest."""
    kill = crash.folder / "kill.sh"
    kill.write_text("read line\nkill -9 $(tail -n 1 pids)\ncat >rest\n")
    script = crash.folder / "script.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    said = crash.run(
        "lkst replay | sh kill.sh",
        "lkst list | head -n 1",
        "!kill -9 $(tail -n 1 pids); sleep 1",
        "lkst replay | tail -n 1",
        f"lkst drgn {script}",
        "lkst events panic | head -n 1",
    )
    assert said.count("lkst: the Python process died before it was done") == 2
    assert len(lines_of(said, "source")) == 1
    assert len(lines_of(said, "panic  sysrq triggered crash")) == 1
    assert len(lines_of(said, "event")) == 1
    assert len(crash.pids()) == 4


def test_crash_is_killed(crash: Crash) -> None:
    """Kill crash while the process is at rest, and while it works and asks nothing."""
    script = crash.folder / "script.py"
    script.write_text("print('begun', flush=True)\nwhile True:\n    pass\n")
    for command in ("lkst list", f"lkst drgn {script}"):
        with subprocess.Popen(
            crash.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=crash.folder,
            env=crash.environment(),
        ) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(f"extend lkst.so\n{command}\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith(("source", "begun")):
                    break
            process.kill()
    assert len(crash.pids()) == 2
    assert gone(crash.pids())


def test_no_recorder(crash: Crash, lab: Lab) -> None:
    dump = lab("6.1", "--no-record")
    said = crash.run("lkst replay", "lkst list", "lkst drgn none.py", vmcore=dump.vmcore)
    assert said.count(f"lkst: {dump.vmcore}: contains no recorder") == 2
    assert "no such script" in said


def test_versions_differ(crash: Crash, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    command = [str(ROOT / "dev"), "crash-ext", str(folder / "lkst.so")]
    subprocess.run(command, check=True, env={**os.environ, "CFLAGS": "-DLKST_PROTOCOL=9"})
    said = crash.run("lkst list", "sym panic", env={"CRASH_EXTENSIONS": str(folder)})
    assert len(lines_of(said, "lkst: crash speaks version 9 of the protocol")) == 1
    assert "(T) panic" in said


QUESTIONS = [(2, 1, 0x1000, 1 << 40), (2, 1, 0x1000, 0), (2, 1, (1 << 64) - 1, 2), (77, 1, 0, 0)]


def test_questions_that_make_no_sense(crash: Crash) -> None:
    crash.python.write_text(
        f"#!/bin/sh\necho $$ >>pids\nexec {sys.executable} - <<'END' lkst.hosts.crash\n"
        "import os, struct\n"
        "number = len(open('pids').readlines()) - 1\n"
        f"os.write(3, struct.pack('=IIQQ', *{QUESTIONS}[number]))\n"
        "open('ended', 'a').write(repr(os.read(3, 1)) + '\\n')\n"
        "END\n"
    )
    said = crash.run(*["lkst list"] * len(QUESTIONS), "sym panic")
    died = "lkst: the Python process died before it was done"
    assert len(lines_of(said, died)) == len(QUESTIONS)
    assert "lkst: a read of 1099511627776 bytes is asked for" in said
    assert "(T) panic" in said
    # None was answered.
    assert (crash.folder / "ended").read_text() == "b''\n" * len(QUESTIONS)


def _broken(crash: Crash, *names: str, size: int = 8) -> Path:
    """Make a dump in which the first bytes of variables are zero."""
    broken = crash.folder / "broken"
    shutil.copyfile(crash.dump.vmcore, broken)
    prog = Program()
    prog.set_core_dump(crash.dump.vmcore)
    attach_btf(prog)
    with broken.open("r+b") as file:
        for name in names:
            (symbol,) = find_kallsyms(prog, name, None, True)
            _overwrite(file.fileno(), _physical(prog, symbol.address), bytes(size))
    return broken


def test_carved(crash: Crash, lkst: Run) -> None:
    """Carve the recorder out of crash's memory when the kernel's list of maps is damaged."""
    broken = _broken(crash, "map_idr", size=24)
    expected = lkst("replay", broken)
    assert expected.status == 3
    said = crash.run("lkst replay > crash", vmcore=broken)
    assert (crash.folder / "crash").read_text() == expected.stdout
    assert expected.stdout.count("\n") > 1000
    assert "the recorder was carved out of physical memory" in said


def test_no_vmcoreinfo(crash: Crash) -> None:
    """Read a dump in which crash cannot find where the kernel lies."""
    broken = _broken(crash, "vmcoreinfo_note", "vmcoreinfo_size")
    said = crash.run("lkst list", "sym panic", vmcore=broken)
    assert f"lkst: {broken}: crash found no VMCOREINFO" in said
    assert "(T) panic" in said


def _physical(prog: Program, address: int) -> int:
    """Translate an address of the kernel's image (x86)."""
    info = prog["VMCOREINFO"].string_().decode()
    base = int(info.split("NUMBER(phys_base)=")[1].split()[0])
    return address - 0xFFFFFFFF80000000 + base


def _overwrite(fd: int, address: int, data: bytes) -> None:
    for segment in elf_segments(lambda offset, size: os.pread(fd, size, offset)):
        if segment.kind == 1 and 0 <= address - segment.physical < segment.size:
            os.pwrite(fd, data, segment.offset + address - segment.physical)
            return
    raise LookupError(hex(address))


def test_interrupted(crash: Crash) -> None:
    """Stop what runs, even a process that does not answer; crash and the next command go on."""
    with crash.terminal() as terminal:
        terminal.type("extend lkst.so")
        terminal.type("lkst list | head -n 1", "source ")
        os.kill(crash.pids()[-1], signal.SIGSTOP)
        terminal.send("lkst list\n")
        terminal.interrupt()
        terminal.type("lkst replay | tail -n 1", "panic  sysrq")
        assert len(crash.pids()) == 2
        script = crash.folder / "script.py"
        script.write_text("print('begun', flush=True)\nwhile True:\n    pass\n")
        terminal.send(f"lkst drgn {script}\n")
        terminal.expect("begun")
        terminal.interrupt()
        terminal.type("lkst list | head -n 1", "source ")


def test_a_query_that_is_interrupted(crash: Crash) -> None:
    """Stop a query of DuckDB at several moments: no traceback, and the next command goes on."""
    with crash.terminal() as terminal:
        terminal.type("extend lkst.so")
        terminal.type("lkst list | head -n 1", "source ")
        for moment in range(4):
            terminal.send(f'lkst sql "{ENDLESS}"\n')
            time.sleep(moment / 2)
            terminal.interrupt()
            assert "Traceback" not in terminal.seen
        terminal.type("lkst replay | tail -n 1", "panic  sysrq")
