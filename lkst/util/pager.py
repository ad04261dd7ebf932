# SPDX-License-Identifier: GPL-2.0-or-later
"""
Pager
-----

Write long output through the user's pager on a terminal, and directly otherwise.
"""

from collections.abc import Iterable, Iterator
import contextlib
import os
import shlex
import subprocess
import sys
from typing import IO

__all__ = ("paged", "write")


@contextlib.contextmanager
def paged(*, at_end: bool = False) -> Iterator[IO[str]]:
    """
    Open a stream for long output.

    :param at_end: open the pager at the end of the output
    """
    command = _pager(at_end) if sys.stdout.isatty() else None
    if not command:
        yield sys.stdout
        return
    # less shows colours, and leaves the screen alone if all fits on it.
    environment = {**os.environ, "LESS": os.environ.get("LESS", "FRX")}
    try:
        pager = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment)
    except OSError:
        yield sys.stdout
        return
    assert pager.stdin
    try:
        with contextlib.suppress(BrokenPipeError):
            yield pager.stdin
    finally:
        with contextlib.suppress(BrokenPipeError):
            pager.stdin.close()
        while True:
            # Ctrl-C is the pager's own business while it runs.
            with contextlib.suppress(KeyboardInterrupt):
                pager.wait()
                break


def _pager(at_end: bool) -> list[str] | None:
    command = shlex.split(os.environ.get("PAGER", "less"))
    if not command or command == ["cat"]:
        return None
    if at_end and os.path.basename(command[0]) == "less":  # noqa: PTH119
        command.append("+G")
    return command


def write(stream: IO[str], chunks: Iterable[str]) -> None:
    """Write what comes, as it comes."""
    for chunk in chunks:
        stream.write(chunk)
