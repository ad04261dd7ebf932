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

from crashes import Crash, gone
from dumps import ROOT, Dump, Result, Run
import pytest

PROGRAM = ROOT / "crash_ext" / "lkst_pykdump.py"
FOLDER = ROOT / "crash_ext" / "pykdump"
STAND_IN = Path(__file__).parent / "stand_in"
MPYKDUMP = os.environ.get("MPYKDUMP")


def stand_in(dump: Dump, *words: object, **env: str) -> Result:
    """Run the program a second time, when it is loaded."""
    code = (
        "import crash, runpy, sys\n"
        "program, *words = sys.argv[1:]\n"
        "for sys.argv[1:] in ([], words):\n"
        "    runpy.run_path(program)\n"
        "    assert crash.registered == ['lkst']\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{STAND_IN}:{ROOT}",
        "DUMP": str(dump.vmcore),
        "LKST_PYTHON": sys.executable,
        **env,
    }
    command = [sys.executable, "-c", code, str(PROGRAM), *map(str, words)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
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
