# SPDX-License-Identifier: GPL-2.0-or-later
"""
After a crash
-------------

The service at the next boot: it saves the trace of each new dump or grab, and its last
seconds as text, beside it, once. Each dump is read by separate processes with limits on
memory and time, so that a damaged dump does not stop the others. Each dump gets a line
with its result, or the reason and the next step.
"""

from collections.abc import Iterator, Sequence
import contextlib
import errno
import os
from pathlib import Path
import resource
import shlex
import signal
import subprocess
import sys

from lkst.errors import Damaged, LkstError
from lkst.hook.find import dump_folders, find_new, walk
from lkst.hook.marks import (
    DONE,
    MAX_TRIES,
    TRIED,
    beside,
    count_try,
    forget_tries,
    mark_done,
    write_file,
)
from lkst.record.lifecycle.hook_settings import Settings

__all__ = ("process", "prune", "results")

_UNFINISHED = "grab-unfinished"
_OURS = "lkst-"

#: Suffixes of results.
_SAVED = ".lkst"
#: Results from the saved trace: suffix, command of lkst, its options. Its output is saved,
#: unless it writes the file itself.
_TEXTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (".replay.txt", "replay", ("--since", "-{last}s")),
    (".state.txt", "state", ()),
    (".report.html", "report", ("-o", "{file}")),
)

_DEADLINE = 600
_EXEC_DEADLINE = 120
_MEMORY = 2 << 30
_AGAIN = "the next boot or 'lkst hook process' tries again"

#: Errors after which writing results may succeed later.
_NO_ROOM = tuple(
    os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ENOMEM)
)


class _NoRoom(LkstError):
    """Results cannot be written, or there is no room to unpack a dump."""


class _Killed(LkstError):
    """The reader of a dump was killed or timed out."""


def process(settings: Settings, command: str = "", *, only: Path | None = None) -> Iterator[str]:
    """
    Read new dumps, and remove old results.

    :param command: command to run for each new result, instead of EXEC
    :param only: folder to search, instead of those of the settings and the kdump service
    :return: a line for each dump
    """
    folders = [only] if only else dump_folders(Path(settings.DUMPS))
    for folder in folders:
        for left in folder.glob(f"{_OURS}*/{_UNFINISHED}"):
            left.unlink()
            yield f"{left}: removed: incomplete, the hook that wrote it was killed"
            _remove_if_empty(left.parent)
    for dump in find_new(folders):
        name = " ".join(map(str, dump.paths))
        if dump.wait:
            yield f"{name}: {dump.wait}; {_AGAIN}"
        else:
            yield f"{name}: {_read(dump.paths, settings, command or settings.EXEC)}"
    yield from prune(settings, folders)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _read(dumps: Sequence[Path], settings: Settings, command: str) -> str:
    """Read a dump or its parts, and return a line about the result."""
    dump = dumps[0]
    try:
        told = _read_counted(dumps, settings)
    except LkstError as error:
        if not isinstance(error, _Killed):
            forget_tries(dump)  # It was not the dump's fault.
        return f"{error}; {_AGAIN}"
    if command and beside(dump, _SAVED).is_file():
        told.append(_execute(command, dump.parent))
    return "; ".join(filter(None, told))


def _read_counted(dumps: Sequence[Path], settings: Settings) -> list[str]:
    """
    Read a dump, unless it was tried too often, and mark it.

    :raises LkstError: if it should be tried again
    """
    dump = dumps[0]
    tries = count_try(dump)
    if tries > MAX_TRIES:
        why = f"given up after {MAX_TRIES} tries, none of which finished"
        return [_give_up(dumps, why)]
    try:
        # A damaged dump may still have a result.
        saved = beside(dump, _SAVED)
        faults = _lkst("save", *dumps, "-o", saved, makes=saved)[1]
    except LkstError as error:
        why = str(error)
        if isinstance(error, _NoRoom) or (isinstance(error, _Killed) and tries < MAX_TRIES):
            raise
        if isinstance(error, _Killed):
            why = f"{why}: given up after {MAX_TRIES} tries"
        return [_give_up(dumps, why)]
    told = [_write_text(dump, end, name, settings.LAST, options) for end, name, options in _TEXTS]
    mark_done(dumps, "saved")
    return [_last_line(dump), faults, *told]


def _give_up(dumps: Sequence[Path], why: str) -> str:
    mark_done(dumps, why)
    return f"{why}; remove {beside(dumps[0], DONE).name} to try it again"


def _write_text(dump: Path, end: str, name: str, last: int, options: tuple[str, ...]) -> str:
    file = beside(dump, end)
    words = [option.format(last=last, file=file) for option in options]
    try:
        makes = file if "-o" in words else None
        text, _ = _lkst(name, beside(dump, _SAVED), *words, makes=makes)
        if not makes:
            _write(file, text)
    except _NoRoom:
        raise
    except LkstError as error:
        return str(error)
    return ""


def _write(file: Path, text: str) -> None:
    try:
        write_file(file, text)
    except LkstError as error:
        raise _NoRoom(str(error)) if _is_no_room(str(error)) else error from None


def _is_no_room(text: str) -> bool:
    return "cannot be unpacked: " in text or any(text.endswith(reason) for reason in _NO_ROOM)


def _last_line(dump: Path) -> str:
    """Return the last line of the replay, which is the panic."""
    try:
        lines = beside(dump, _TEXTS[0][0]).read_text(errors="replace").splitlines()
    except OSError:
        return "saved"
    return " ".join(lines[-1].split()) if lines else "saved"


def _limit() -> None:
    # Do not limit the address space: whole dumps are mapped.
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


def _identity(path: Path | None) -> tuple[int, int] | None:
    try:
        info = path.stat() if path else None
    except OSError:
        return None
    return (info.st_ino, info.st_mtime_ns) if info else None


def _lkst(*words: str | Path, makes: Path | None = None) -> tuple[str, str]:
    """
    Run a command of lkst; damage is not a failure if there is a result.

    :param makes: file that it must write; None: its output is the result
    :return: its output, and the damage
    """
    command = [sys.executable, "-m", "lkst", *map(str, words)]
    before = _identity(makes)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DEADLINE,
            preexec_fn=_limit,
        )
    except subprocess.TimeoutExpired:
        raise _Killed(f"lkst {words[0]}: timed out after {_DEADLINE} s") from None
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    last = lines[-1].removeprefix("lkst: ")
    if done.returncode < 0:
        raise _Killed(f"lkst {words[0]}: killed by {_signal(-done.returncode)}")
    made = _identity(makes) not in (None, before) if makes else done.stdout
    if done.returncode and not (done.returncode == Damaged.status and made):
        error = f"lkst {words[0]}: {last}"
        raise _NoRoom(error) if _is_no_room(last) else LkstError(error)
    if not done.returncode:
        return done.stdout, ""
    return done.stdout, "damaged: " + "; ".join(line.removeprefix("lkst: ") for line in lines[:2])


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _execute(command: str, folder: Path) -> str:
    try:
        done = subprocess.run(
            [*shlex.split(command), str(folder)], stdin=subprocess.DEVNULL, timeout=_EXEC_DEADLINE
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"{command}: {error}"
    return f"{command}: status {done.returncode}" if done.returncode else ""


def results(folders: Sequence[Path]) -> list[list[Path]]:
    """
    Return all results, the newest first.

    :return: the files of each result, including a grab, not a dump
    """
    ends = (_SAVED, *(end for end, _, _ in _TEXTS))
    found = []
    for mark in walk(folders):
        if not mark.name.endswith(DONE):
            continue
        dump = mark.with_name(mark.name.removesuffix(DONE))
        files = [file for end in ends if (file := beside(dump, end)).is_file()]
        if files and dump.name == "grab" and dump.exists():
            files.append(dump)
        if files:
            found.append(files)
    found.sort(key=lambda files: max(file.stat().st_mtime for file in files), reverse=True)
    return found


def prune(settings: Settings, folders: Sequence[Path]) -> Iterator[str]:
    """Remove results above the limits; dumps are kept."""
    size = 0
    for number, files in enumerate(results(folders), 1):
        size += sum(file.stat().st_size for file in files)
        many = settings.KEEP and number > settings.KEEP
        large = settings.keep_bytes and size > settings.keep_bytes and number > 1
        if not (many or large):
            continue
        for file in files:
            file.unlink(missing_ok=True)
        why = "too many" if many else "too large"
        yield f"{files[0].parent}: removed, because the old results are {why}"
    kept = {file for files in results(folders) for file in files}
    for mark in list(walk(folders)):
        dump = mark.with_name(mark.name.removesuffix(DONE).removesuffix(TRIED))
        if dump == mark or dump.exists() or beside(dump, _SAVED) in kept:
            continue
        with contextlib.suppress(OSError):
            mark.unlink()
            if mark.parent.name.startswith(_OURS):
                _remove_if_empty(mark.parent)
