# SPDX-License-Identifier: GPL-2.0-or-later
"""Running crash(8), and the processes that the extension starts."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import os
from pathlib import Path
import pty
import re
import select
import shlex
import subprocess
import sys
import time

from drgn import Program
from dumps import Dump

__all__ = ("Crash", "gone", "lines_of", "vmcoreinfo")

TIMEOUT = 300


class Terminal:
    """What somebody types, and sees."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        #: Since the last text that was expected, and with it.
        self.seen = ""

    def send(self, text: str) -> None:
        """Type."""
        os.write(self._fd, text.encode())

    def expect(self, text: str) -> None:
        """Wait until a text is there; what comes after it is left for the next time."""
        self.seen = ""
        deadline = time.monotonic() + TIMEOUT
        while not self.seen.endswith(text):
            ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {text!r} in {self.seen!r}"
            self.seen += os.read(self._fd, 1).decode(errors="replace")

    def type(self, command: str, answer: str = "") -> None:
        """Type a command of crash, and wait for its answer and the next prompt."""
        self.send(command + "\n")
        if answer:
            self.expect(answer)
        self.expect("crash> ")

    def interrupt(self) -> None:
        """Press Ctrl-C until crash's prompt is there."""
        time.sleep(0.5)
        self.send("\x03")
        self.expect("crash> ")


class Crash:
    """crash(8) on a dump, with the extension at hand and a home of its own."""

    def __init__(self, extension: Path, dump: Dump, folder: Path) -> None:
        self.extension = extension
        self.dump = dump
        self.folder = folder
        self._pids = folder / "pids"
        #: An interpreter that leaves its process id.
        self.python = folder / "python"
        self.python.write_text(
            f'#!/bin/sh\necho $$ >>{shlex.quote(str(self._pids))}\nexec {sys.executable} "$@"\n'
        )
        self.python.chmod(0o755)

    def pids(self) -> list[int]:
        """Give the processes that were started, the first first."""
        return [int(pid) for pid in self._pids.read_text().split()] if self._pids.exists() else []

    def command(self, *options: object, vmcore: Path | None = None) -> list[str]:
        """Give the command line."""
        words = ["crash", "-s", *options, self.dump.vmlinux, vmcore or self.dump.vmcore]
        return [str(word) for word in words]

    def environment(self, **more: str) -> dict[str, str]:
        """Give the environment: nothing of the user's own settings is in it."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        own = {"HOME": str(home), "LKST_PYTHON": str(self.python), "PATH": os.environ["PATH"]}
        return {**own, "TERM": "xterm", "CRASH_EXTENSIONS": str(self.extension.parent), **more}

    def run(
        self,
        *commands: object,
        options: Sequence[object] = (),
        env: Mapping[str, str] | None = None,
        vmcore: Path | None = None,
        load: str | None = "extend lkst.so",
    ) -> str:
        """Run commands, and give what crash and they have said."""
        lines = [*([load] if load else []), *map(str, commands), "quit"]
        result = subprocess.run(
            self.command(*options, vmcore=vmcore),
            input="".join(f"{line}\n" for line in lines),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            cwd=self.folder,
            env=self.environment(**(env or {})),
        )
        assert result.returncode == 0, result.stdout
        assert "Traceback" not in result.stdout, result.stdout
        return result.stdout

    @contextlib.contextmanager
    def terminal(self, *, pager: bool = False) -> Iterator[Terminal]:
        """Run crash at a terminal, up to its prompt; the block is to leave it there."""
        ours, theirs = pty.openpty()
        # With -s, crash does not use its pager.
        command = [word for word in self.command() if word != "-s" or not pager]
        with subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=self.folder,
            env=self.environment(),
            start_new_session=False,
        ) as process:
            os.close(theirs)
            terminal = Terminal(ours)
            try:
                terminal.expect("crash> ")
                yield terminal
                terminal.send("quit\n")
                with contextlib.suppress(OSError):  # The terminal is gone.
                    terminal.expect("never")
                assert process.wait(TIMEOUT) == 0
            finally:
                process.kill()
                os.close(ours)


def vmcoreinfo(dump: Dump) -> dict[str, str]:
    """Give what VMCOREINFO says."""
    prog = Program()
    prog.set_core_dump(dump.vmcore)
    text = prog["VMCOREINFO"].string_().decode()
    return dict(re.findall(r"^(\S+?)=(.*)$", text, re.MULTILINE))


def gone(pids: Sequence[int]) -> bool:
    """Tell whether processes end soon."""
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _runs(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"lkst.hosts.crash" in words


def lines_of(text: str, start: str) -> list[str]:
    """Give the lines that start so."""
    return [line for line in text.splitlines() if line.startswith(start)]
