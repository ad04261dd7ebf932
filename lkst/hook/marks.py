# SPDX-License-Identifier: GPL-2.0-or-later
"""
Marks
-----

Files beside a dump that mark it as read, or have the reason why it could not be read. A
mark is written atomically, and only after the results.
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

#: Suffixes of the marks.
DONE = ".lkst-done"
TRIED = ".lkst-tried"
#: Number of tries for a dump whose reader is killed or times out.
MAX_TRIES = 3


def beside(dump: Path, end: str) -> Path:
    """Return the path of a file beside a dump."""
    return dump.with_name(dump.name + end)


def is_done(dump: Path) -> bool:
    """Return whether a dump was read. An empty mark is left by a full disk."""
    try:
        return beside(dump, DONE).stat().st_size > 0
    except OSError:
        return False


def count_try(dump: Path) -> int:
    """
    Count a try before a dump is read, in case it kills this process.

    :return: number of this try, from 1
    :raises LkstError: if the mark cannot be written
    """
    path = beside(dump, TRIED)
    before = 0
    with contextlib.suppress(OSError, ValueError):
        before = int(path.read_text().split()[0])
    write_file(path, f"{before + 1} of {MAX_TRIES} tries\n")
    return before + 1


def forget_tries(dump: Path) -> None:
    """Reset the count of tries."""
    with contextlib.suppress(OSError):
        beside(dump, TRIED).unlink()


def mark_done(dumps: Iterable[Path], why: str) -> None:
    """
    Mark files as read.

    :raises LkstError: if the mark cannot be written
    """
    for dump in dumps:
        write_file(beside(dump, DONE), f"{why}\n")
        forget_tries(dump)


def write_file(path: Path, text: str) -> None:
    """
    Write a file atomically.

    :raises LkstError: if it cannot be written
    """
    with replacing(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))
