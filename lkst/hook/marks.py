# SPDX-License-Identifier: GPL-2.0-or-later
"""
Marks
-----

What lies beside a dump and says that it was read, or why it could not be. A mark is
complete or not there: it is written under another name, and only after the results are.
"""

from collections.abc import Iterable
import contextlib
from pathlib import Path

from lkst.util.files import replacing

__all__ = (
    "DONE",
    "MAX_TRIES",
    "TRIED",
    "beside",
    "count_try",
    "forget_tries",
    "is_done",
    "mark_done",
    "write_file",
)

#: Ends of the names.
DONE = ".lkst-done"
TRIED = ".lkst-tried"
#: How often a dump is read whose reader was killed, or did not come to an end.
MAX_TRIES = 3


def beside(dump: Path, end: str) -> Path:
    """Give the path of what lies beside a dump."""
    return dump.with_name(dump.name + end)


def is_done(dump: Path) -> bool:
    """Tell whether a dump was read; an empty mark is of a disk that was full."""
    try:
        return beside(dump, DONE).stat().st_size > 0
    except OSError:
        return False


def count_try(dump: Path) -> int:
    """
    Count that a dump is going to be read, so that this is known if it kills us.

    :return: which time it is, from 1 on
    :raises LkstError: if that cannot be written
    """
    path = beside(dump, TRIED)
    before = 0
    with contextlib.suppress(OSError, ValueError):
        before = int(path.read_text().split()[0])
    write_file(path, f"{before + 1} of {MAX_TRIES} tries\n")
    return before + 1


def forget_tries(dump: Path) -> None:
    """Take back what was counted."""
    with contextlib.suppress(OSError):
        beside(dump, TRIED).unlink()


def mark_done(dumps: Iterable[Path], why: str) -> None:
    """
    Mark files as read.

    :raises LkstError: if that cannot be written
    """
    for dump in dumps:
        write_file(beside(dump, DONE), f"{why}\n")
        forget_tries(dump)


def write_file(path: Path, text: str) -> None:
    """
    Write a file that is complete or not there.

    :raises LkstError: if it cannot be written
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))
