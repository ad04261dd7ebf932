# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C at any moment, and readers that have enough: no traceback, no half file."""

from collections.abc import Sequence
import os
from pathlib import Path
import pty
import re
import signal
import subprocess
import sys
import time
import weakref

from dumps import ENDLESS, ROOT, SAMPLE
from plenty import plenty
import pytest

from lkst.cli.main import _interrupts
from lkst.source.saved import save_trace
from lkst.util.interrupts import deferred_interrupts

pytestmark = pytest.mark.slow

LKST = [sys.executable, "-m", "lkst"]
TIMEOUT = 300

#: Moments of a command's own time at which it is interrupted.
MOMENTS = 14


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("interrupts") / "large.lkst"
    save_trace(plenty(1 << 16), path)
    return path


def assert_silent(errors: str) -> None:
    # Before our first line Python itself prints where it was.
    assert "Traceback" not in errors or "/lkst/" not in errors, errors


def interrupt_at(command: Sequence[object], seconds: float) -> int:
    process = subprocess.Popen(
        [*LKST, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=TIMEOUT)
    assert_silent(errors)
    return process.returncode


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (["replay", "LARGE", "--format", "jsonl"], None),
        (["state", SAMPLE], None),
        (["list", SAMPLE], None),
        (["measure", "LARGE", "syscall-time", "--hist"], None),
        (["sql", "LARGE", "SELECT nr, sum(duration_ns) FROM syscalls GROUP BY nr"], None),
        (["report", SAMPLE, "-o", "OUT"], "report.html"),
        (["save", SAMPLE, "-o", "OUT"], "saved.lkst"),
        (["slice", SAMPLE, "-o", "OUT"], "slice"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_commands_end_quietly_wherever_they_are(
    command: list[str], output: str | None, large: Path, tmp_path: Path
) -> None:
    target = tmp_path / (output or "none")
    places: dict[str, object] = {"LARGE": large, "OUT": target}
    words = [places.get(str(word), word) for word in command]
    begun = time.monotonic()
    assert interrupt_at(words, TIMEOUT) == 0
    took = time.monotonic() - begun
    whole = target.read_bytes() if output else b""
    for moment in range(MOMENTS):
        if output:
            target.write_bytes(b"old")
        status = interrupt_at(words, took * (moment + 1) / (MOMENTS + 1))
        assert status in (0, 130, 1, -signal.SIGINT)
        if output:
            # The old file, or a new one that is whole; and nothing beside it.
            assert target.read_bytes() == b"old" or target.stat().st_size > len(whole) // 2
            assert [path.name for path in tmp_path.iterdir()] == [output]


def wait_for(process: "subprocess.Popen[str]", log: Path, text: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while text not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)


def interrupt_until(process: "subprocess.Popen[str]", log: Path, text: str) -> None:
    """Press Ctrl-C until a text is there: when the query runs is not known."""
    deadline = time.monotonic() + TIMEOUT
    while not re.search(text, log.read_text()):
        assert time.monotonic() < deadline, log.read_text()
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)


def test_the_prompt_of_sql_goes_on_after_a_query_was_interrupted(
    large: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    ours, theirs = pty.openpty()
    with log.open("w") as out:
        process = subprocess.Popen(
            [*LKST, "sql", str(large)], stdin=theirs, stdout=out, stderr=out, text=True, cwd=ROOT
        )
    os.close(theirs)
    os.write(ours, f"SELECT 'begun';\n{ENDLESS};\n".encode())
    wait_for(process, log, "begun")
    interrupt_until(process, log, "interrupted")
    os.write(ours, b"SELECT 6 * 7 AS answer;\n.quit\n")
    assert process.wait(TIMEOUT) == 0
    os.close(ours)
    assert "42" in log.read_text()
    assert_silent(log.read_text())


def test_drgn_goes_on_after_a_query_was_interrupted(tmp_path: Path) -> None:
    log, script = tmp_path / "log", tmp_path / "script.py"
    script.write_text(
        "import signal\n"
        "from drgn.commands import run_command\n"
        "print('begun', flush=True)\n"
        "while True:\n"
        "    try:\n"
        f"        run_command(prog, {'lkst sql ' + repr(ENDLESS)!r})\n"
        "        signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "        break\n"
        "    except KeyboardInterrupt:\n"
        "        pass  # It came before or after the command, while drgn itself was at work.\n"
        "print('went on', flush=True)\n"
    )
    with log.open("w") as out:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("drgn"), "-q", "-c", SAMPLE, script],
            stdout=out,
            stderr=out,
            text=True,
            cwd=ROOT,
        )
    wait_for(process, log, "begun")
    interrupt_until(process, log, "went on")
    assert process.wait(TIMEOUT) == 0
    assert_silent(log.read_text())


@pytest.mark.parametrize(
    "command", [["replay", SAMPLE], ["events"], ["--help"], ["state", SAMPLE, "--format", "json"]]
)
def test_a_reader_that_has_enough_is_no_failure(command: list[object]) -> None:
    process = subprocess.Popen(
        [*LKST, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout and process.stderr
    process.stdout.close()
    assert (process.wait(TIMEOUT), process.stderr.read()) == (0, "")


def test_a_drgn_that_is_too_old_is_named(tmp_path: Path) -> None:
    # drgn 0.0.31 lacks what came later, as does this one.
    (tmp_path / "drgn").mkdir()
    (tmp_path / "drgn" / "__init__.py").write_text("__version__ = '0.0.31'\n")
    result = subprocess.run(
        [*LKST, "replay", SAMPLE],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert result.returncode == 1
    assert result.stderr == "lkst: needs drgn 0.3 or later, found drgn 0.0.31\n"


def test_an_interrupt_that_nobody_could_take_comes_again(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Thing:
        pass

    def die(_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    thing = Thing()
    _keep = weakref.ref(thing, die)
    with pytest.raises(KeyboardInterrupt), _interrupts():
        del thing  # Exceptions of its callback go nowhere.
        signal.pause()  # Only a signal ends it.
    assert capfd.readouterr().err == ""


def test_an_import_is_not_interrupted() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt):
        with deferred_interrupts():
            signal.raise_signal(signal.SIGINT)
            steps.append("imported")
        steps.append("went on")
    assert steps == ["imported"]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
