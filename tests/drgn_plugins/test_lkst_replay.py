# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands in drgn, with and without debug info, on a dump and on a running guest."""

from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys

from dumps import LAB, ROOT, Dump, Result, Run
import pytest

pytestmark = pytest.mark.slow

DRGN = Path(sys.executable).with_name("drgn")
SCRIPT = ROOT / "drgn_plugins" / "lkst_replay.py"


def drgn(*words: object) -> Result:
    result = subprocess.run([DRGN, *map(str, words)], capture_output=True, text=True)
    assert "Traceback" not in result.stderr, result.stderr
    return Result(result.returncode, result.stdout, result.stderr)


def same(result: Result, expected: Result) -> None:
    """Expect the same replay to the byte."""
    assert result.status == expected.status == 0, result.stderr
    assert result.stdout == expected.stdout


def test_script(story: Dump, lkst: Run) -> None:
    expected = lkst("replay", story.vmcore)
    same(drgn("-c", story.vmcore, SCRIPT), expected)


def test_script_takes_options(story_6_1: Dump, lkst: Run) -> None:
    words = ("--event", "sys_enter", "--cpu", "1", "--last", "7", "--format", "csv")
    expected = lkst("replay", story_6_1.vmcore, *words)
    assert len(expected.stdout.splitlines()) == 8
    same(drgn("-c", story_6_1.vmcore, SCRIPT, *words), expected)


def test_with_debug_info_it_is_the_same(story_6_1: Dump, lkst: Run) -> None:
    words = ("-c", story_6_1.vmcore, "-s", story_6_1.vmlinux)
    code = "print(prog['init_task'].comm.string_().decode(), prog.type('struct lock_class_key'))"
    assert "swapper/0" in drgn(*words, "-e", code).stdout
    same(drgn(*words, SCRIPT), lkst("replay", story_6_1.vmcore))


def test_given_as_symbols(story_6_1: Dump, lkst: Run) -> None:
    expected = lkst("replay", story_6_1.vmcore)
    result = drgn("-c", story_6_1.vmcore, "-s", "lkst_replay.py")
    same(result, expected)
    assert result.stderr == ""
    same(drgn("-c", story_6_1.vmcore, "-s", story_6_1.vmlinux, f"--symbols={SCRIPT}"), expected)


def test_commands(story_6_1: Dump, lkst: Run, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from drgn.commands import run_command\n"
        "from drgn.commands._crash.common import CRASH_COMMAND_NAMESPACE\n"
        "run_command(prog, 'lkst replay --last 3')\n"
        "run_command(prog, 'lkst list | head -n 1')\n"
        f"run_command(prog, 'lkst replay > {tmp_path}/all')\n"
        "run_command(prog, 'lkst replay --last x')\n"
        "CRASH_COMMAND_NAMESPACE.run(prog, 'lkst events sched_switch', globals={})\n"
    )
    result = drgn("-c", story_6_1.vmcore, script)
    assert result.status == 0
    last = lkst("replay", story_6_1.vmcore, "--last", "3").stdout
    listed = lkst("list", story_6_1.vmcore).stdout.splitlines(keepends=True)[0]
    events = lkst("events", story_6_1.vmcore, "sched_switch").stdout
    assert result.stdout == last + listed + events
    assert "--last" in result.stderr
    assert (tmp_path / "all").read_text() == lkst("replay", story_6_1.vmcore).stdout


def test_source_is_not_asked_for(story_6_1: Dump, tmp_path: Path) -> None:
    result = drgn("-c", story_6_1.vmcore, SCRIPT, "other")
    assert result.status == 2
    assert "SOURCE cannot be given here" in result.stderr


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the monitor's socket of a guest that runs and records."""
    folder = tmp_path_factory.mktemp("guest")
    script = folder / "script.sh"
    script.write_text("echo 'lab: still alive' >/dev/kmsg\n")
    socket = folder / "qmp"
    command: list[str | Path] = [sys.executable, LAB, "run", "--kernel", "6.12", "--hold"]
    command += ["--qmp", socket, "--script", script, "--out", folder / "out"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as lab:
        assert lab.stdout
        assert lab.stdin
        said = [line for line in iter(lab.stdout.readline, "ready\n") if line]
        assert lab.poll() is None, said
        yield socket
        lab.stdin.close()
        lab.wait(60)


def test_running_guest(guest: Path, lkst: Run) -> None:
    result = lkst("replay", f"qemu:{guest}", "--event", "console")
    assert result.status == 0, result.stderr
    assert "lab: still alive" in result.stdout
    assert "no panic" in result.stdout
    assert lkst("list", f"qemu:{guest}").status == 0
    result = drgn("--qemu", guest, SCRIPT, "--event", "console")
    assert result.status == 0, result.stderr
    assert "lab: still alive" in result.stdout
