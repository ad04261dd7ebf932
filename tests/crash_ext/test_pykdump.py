# SPDX-License-Identifier: GPL-2.0-or-later
"""
The command as a PyKdump program.

PyKdump is on no registry. Where $MPYKDUMP names its extension, it is used; everywhere,
the program is run with a stand-in for what PyKdump calls ``crash``, on real dumps.
"""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

from crashes import Crash, gone
from dumps import ENDLESS, ROOT, SAMPLE, Dump, Result, Run
import pytest

pytestmark = pytest.mark.slow

PROGRAM = ROOT / "crash_ext" / "lkst_pykdump.py"
FOLDER = ROOT / "crash_ext" / "pykdump"
STAND_IN = Path(__file__).parent / "stand_in"
MPYKDUMP = os.environ.get("MPYKDUMP")


def _environment(vmcore: Path, **env: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": f"{STAND_IN}:{ROOT}",
        "DUMP": str(vmcore),
        "LKST_PYTHON": sys.executable,
        **env,
    }


def stand_in(dump: Dump, *words: object, **env: str) -> Result:
    """Run the program a second time, when it is loaded."""
    code = (
        "import crash, runpy, sys\n"
        "program, *words = sys.argv[1:]\n"
        "for sys.argv[1:] in ([], words):\n"
        "    runpy.run_path(program)\n"
        "    assert crash.registered == ['lkst']\n"
    )
    command = [sys.executable, "-c", code, str(PROGRAM), *map(str, words)]
    result = subprocess.run(
        command, capture_output=True, text=True, env=_environment(dump.vmcore, **env)
    )
    assert "Traceback" not in result.stderr, result.stderr
    return Result(result.returncode, result.stdout, result.stderr)


def test_same_replay(story: Dump, lkst: Run) -> None:
    result = stand_in(story, "replay")
    assert (result.status, result.stderr) == (0, "")
    assert result.stdout == lkst("replay", story.vmcore).stdout


def test_drgn_script(story_6_1: Dump, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import sys\nprint(sys.argv[1:], prog['init_task'].comm.string_())\n")
    result = stand_in(story_6_1, "drgn", script, "a b")
    assert result.stdout == "['a b'] b'swapper/0'\n"


def test_usage(story_6_1: Dump) -> None:
    for words in ((), ("replay", "--nonsense")):
        result = stand_in(story_6_1, *words)
        assert "Usage:\n  lkst COMMAND [ARGUMENT ...]" in result.stdout
    assert "No such option" in result.stderr


def test_trouble(story_6_1: Dump, tmp_path: Path) -> None:
    result = stand_in(story_6_1, "list", LKST_PYTHON="/nonexistent")
    assert "cannot run /nonexistent" in result.stderr
    assert "lkst: Python has not answered" in result.stdout
    script = tmp_path / "script.py"
    script.write_text(f"import os\nos.kill(os.getpid(), {signal.SIGKILL})\n")
    result = stand_in(story_6_1, "drgn", script)
    assert result.stdout == "lkst: the Python process died before it was done\n"


#: Moments of the start of a command, and of its query, at which it is interrupted.
MOMENTS = 14

#: Runs the program once for each line of words; Ctrl-C between two runs is not the program's.
PROMPT = """
import os, runpy, sys, traceback
program = sys.argv.pop(1)
sys.argv[1:] = []
runpy.run_path(program)
for line in sys.stdin:
    sys.argv[1:] = line.split("\t")[:-1]
    try:
        runpy.run_path(program)
    except KeyboardInterrupt:
        traceback.print_exc()
    print("prompt", flush=True)
    try:
        os.waitpid(-1, os.WNOHANG)
        print("a process is left", flush=True)
    except ChildProcessError:
        pass
"""


def _is_command(pid: int) -> bool:
    try:
        return b"lkst.hosts.crash" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


class Prompt:
    """A host that runs one command after another, as crash does, with Ctrl-C for all its group."""

    def __init__(self, errors: Path) -> None:
        self.errors = errors
        with errors.open("w") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROMPT, PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=_environment(SAMPLE),
                start_new_session=True,
            )
        assert self._process.stdin and self._process.stdout
        self._to, self._from = self._process.stdin, self._process.stdout
        self.pid = self._process.pid

    def begin(self, *words: str) -> int:
        """Run a command; its process has been started then, and is returned."""
        self._to.write("".join(f"{word}\t" for word in words) + "\n")
        self._to.flush()
        while True:
            for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
                if _is_command(int(pid)):
                    return int(pid)
            assert self._process.poll() is None, self.errors.read_text()
            time.sleep(0.001)

    def interrupt(self) -> None:
        os.killpg(self.pid, signal.SIGINT)

    def said(self) -> str:
        """Wait for the end of a command and return its output."""
        text = ""
        for line in self._from:
            if line == "prompt\n":
                return text
            text += line
        raise AssertionError(self.errors.read_text())

    def end(self) -> str:
        """End it and return what it has not been asked for."""
        self._to.close()
        rest = self._from.read()
        assert self._process.wait() == 0
        # Of an interrupt, a line that ends the one with ^C is left.

        return rest + self.errors.read_text().strip()


def test_interrupted_at_any_moment(lkst: Run, tmp_path: Path) -> None:
    prompt = Prompt(tmp_path / "errors")
    expected = lkst("list", SAMPLE).stdout
    begun = time.monotonic()
    prompt.begin("list")
    assert prompt.said() == expected
    took = time.monotonic() - begun
    for moment in range(MOMENTS):
        pid = prompt.begin("sql", ENDLESS)
        time.sleep(took * moment / MOMENTS)
        prompt.interrupt()
        assert prompt.said() == ""
        assert gone([pid])
    prompt.begin("list")
    assert prompt.said() == expected
    assert prompt.end() == ""


def test_interrupted_again_while_it_ends(lkst: Run, tmp_path: Path) -> None:
    prompt = Prompt(tmp_path / "errors")
    pid = prompt.begin("sql", ENDLESS)
    # It does not end by itself, so it is waited for.
    os.kill(pid, signal.SIGSTOP)
    open_files = Path(f"/proc/{prompt.pid}/fd")
    before = len(list(open_files.iterdir()))
    prompt.interrupt()
    while len(list(open_files.iterdir())) == before:
        time.sleep(0.001)
    prompt.interrupt()
    assert prompt.said() == ""
    assert gone([pid])
    prompt.begin("list")
    assert prompt.said() == lkst("list", SAMPLE).stdout
    assert prompt.end() == ""


@pytest.mark.skipif(not MPYKDUMP, reason="MPYKDUMP names no mpykdump.so")
def test_in_pykdump(crash: Crash, lkst: Run) -> None:
    assert MPYKDUMP
    # Builds that do not bring the standard library get this one's.
    path = ":".join([str(FOLDER), *filter(None, [os.environ.get("PYKDUMPPATH")])])
    said = crash.run(
        "epython lkst.py",
        "lkst replay > replay",
        "lkst list | head -n 1",
        "lkst replay --nonsense",
        "help lkst",
        "sym panic",
        env={"PYKDUMPPATH": path},
        load=f"extend {MPYKDUMP}",
    )
    expected = lkst("replay", crash.dump.vmcore).stdout
    assert (crash.folder / "replay").read_text() == expected
    assert f"source     {crash.dump.vmcore} (vmcore)" in said
    assert "lkst: No such option '--nonsense'" in said
    assert "Usage:\n  lkst COMMAND" in said
    assert "SYNOPSIS" in said
    assert "(T) panic" in said
    assert gone(crash.pids())
