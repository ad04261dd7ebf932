# SPDX-License-Identifier: GPL-2.0-or-later
"""
Runs in a guest: ``lkst`` without starting Python anew, which takes most of a command's time there.

A process that has the program loaded runs each command in a copy of itself, with the
arguments, the environment, the folder and the standard streams of the caller. Callers are
scripts that write their process ID to the pipe ``requests`` beside this file, and read the
exit status from a pipe that is named by it.
"""

import ctypes
import importlib
import os
from pathlib import Path
import signal
import sys
import traceback

FOLDER = Path(sys.argv[0]).parent
MODULES = (
    "lkst.cli.read",
    "lkst.cli.start",
    "lkst.cli.mask",
    "lkst.cli.probe",
    "lkst.cli.handler",
    "lkst.cli.trigger",
    "lkst.cli.buffer",
    "lkst.cli.mark",
    "lkst.source.live",
)
PIDFD_GETFD = 438  # of x86-64; Linux 5.6


def words_of(pid: int, name: str) -> list[str]:
    return [os.fsdecode(word) for word in Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0")]


def become(pid: int) -> None:
    """Take over what the caller has got."""
    _, _, *arguments, _ = words_of(pid, "cmdline")  # sh SCRIPT WORD...
    sys.argv = ["lkst", *arguments]
    os.environ.clear()
    for word in words_of(pid, "environ")[:-1]:
        name, _, value = word.partition("=")
        os.environ[name] = value
    os.chdir(f"/proc/{pid}/cwd")
    libc = ctypes.CDLL(None, use_errno=True)
    caller = os.pidfd_open(pid)
    for fd in range(3):
        taken = libc.syscall(PIDFD_GETFD, caller, fd, 0)
        if taken < 0:
            raise OSError(ctypes.get_errno(), f"no descriptor {fd} of process {pid}")
        os.dup2(taken, fd)
        os.close(taken)
    os.close(caller)


def run(pid: int) -> int:
    """Be the command."""
    from lkst.cli.main import main

    status = 70
    try:
        become(pid)
        main()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def serve(pid: int) -> None:
    """Run the command of a caller, and tell it the status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os._exit(run(pid))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    answer = FOLDER / str(pid)
    answer.write_text(f"{code if code >= 0 else 128 - code}\n")
    answer.unlink()


def main() -> None:
    for module in MODULES:
        importlib.import_module(module)
    # So that nobody waits for those that are done.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Never at its end, since it is open for writing as well.
    with os.fdopen(os.open(FOLDER / "requests", os.O_RDWR)) as requests:
        while True:
            pid = int(requests.readline())
            if os.fork() == 0:
                serve(pid)
                os._exit(0)


main()
