# SPDX-License-Identifier: GPL-2.0-or-later
"""
After a crash
-------------

What the service of the next boot does: for each new dump or grab, once, it saves
the trace and its last seconds beside it. Each is read by processes of their own,
limited in memory and time, so that one that is damaged keeps no other from being
read.
"""

from collections.abc import Iterator
from pathlib import Path
import re
import resource
import shlex
import subprocess
import sys

from lkst.cli import COMMANDS
from lkst.errors import Damaged, LkstError
from lkst.hook.settings import Settings

__all__ = ("find_new", "process", "prune", "results")

#: What the collectors and the hooks call their files; those of makedumpfile, of a kernel's
#: log and of a dump that is not complete are others.
_DUMP = re.compile(r"(vmcore|vmcore\.\d+|vmcore\.flat|dump\.\d+|grab)")
_UNFINISHED = "grab-unfinished"
_OURS = "lkst-"

#: Ends of the names of results.
_SAVED = ".lkst"
#: Says that a dump was read, or why it could not be; it stays when results are removed.
_DONE = ".lkst-done"
#: What is made of the saved trace: end of the name, command of lkst, its options. What it prints
#: is kept unless it writes the file itself.
_TEXTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (".replay.txt", "replay", ("--since", "-{last}s")),
    (".state.txt", "state", ()),
    (".report.html", "report", ("-o", "{file}")),
)

_DEADLINE = 600
_EXEC_DEADLINE = 120
_MEMORY = 2 << 30


def find_new(folder: Path) -> list[Path]:
    """Find dumps and grabs that have no result yet, the oldest first."""
    found = [
        path
        for path in (*folder.glob("*"), *folder.glob("*/*"))
        if _DUMP.fullmatch(path.name) and path.is_file() and path.stat().st_size
        if not _beside(path, _DONE).exists()
    ]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def process(settings: Settings, command: str = "") -> Iterator[str]:
    """
    Read what is new, and remove what is old.

    :param command: to run for each new result, instead of the one that is set
    :return: a line for each dump
    """
    folder = Path(settings.DUMPS)
    for left in folder.glob(f"{_OURS}*/{_UNFINISHED}"):
        # Of a hook that was killed.
        left.unlink()
        _remove_if_empty(left.parent)
    for dump in find_new(folder):
        yield _read(dump, settings, command or settings.EXEC)
    yield from prune(settings)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _beside(dump: Path, end: str) -> Path:
    return dump.with_name(dump.name + end)


def _read(dump: Path, settings: Settings, command: str) -> str:
    done = _beside(dump, _DONE)
    try:
        # If this is killed, the next boot does not try it again.
        done.write_text("not finished\n")
        # Damage has been told; what could be read is there all the same.
        saved = _beside(dump, _SAVED)
        _lkst("save", dump, "-o", saved, makes=saved)
        done.write_text("saved\n")
    except LkstError as error:
        done.write_text(f"{error}\n")
        return f"{dump}: {error}"
    except OSError as error:
        return f"{dump}: no results: {error.strerror}"
    told = [
        _write_text(dump, end, name, settings.LAST, options)
        for end, name, options in _TEXTS
        if name in COMMANDS
    ]
    line = f"{dump}: {_last_line(dump)}"
    if command:
        told.append(_execute(command, dump.parent))
    return "; ".join([line, *filter(None, told)])


def _write_text(dump: Path, end: str, name: str, last: int, options: tuple[str, ...]) -> str:
    file = _beside(dump, end)
    words = [option.format(last=last, file=file) for option in options]
    try:
        text = _lkst(name, _beside(dump, _SAVED), *words, makes=file if "-o" in words else None)
        if "-o" not in words:
            file.write_text(text)
    except LkstError as error:
        return str(error)
    except OSError as error:
        return f"{file.name}: {error.strerror}"
    return ""


def _last_line(dump: Path) -> str:
    """Give the last line of the replay, which tells of the panic."""
    try:
        lines = _beside(dump, _TEXTS[0][0]).read_text(errors="replace").splitlines()
    except OSError:
        return "saved"
    return " ".join(lines[-1].split()) if lines else "saved"


def _limit() -> None:
    # Not the address space: dumps are mapped, however large.
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))


def _lkst(*words: str | Path, makes: Path | None = None) -> str:
    """
    Run a command of lkst; one that has met damage is good if there is something.

    :param makes: file that must be there afterwards; None: what it prints counts
    """
    command = [sys.executable, "-m", "lkst", *map(str, words)]
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
        raise LkstError(f"lkst {words[0]}: not done after {_DEADLINE} s") from None
    made = makes.is_file() if makes else done.stdout
    if done.returncode and not (done.returncode == Damaged.status and made):
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        raise LkstError(f"lkst {words[0]}: {lines[-1].removeprefix('lkst: ')}")
    return done.stdout


def _execute(command: str, folder: Path) -> str:
    try:
        done = subprocess.run(
            [*shlex.split(command), str(folder)], stdin=subprocess.DEVNULL, timeout=_EXEC_DEADLINE
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"{command}: {error}"
    return f"{command}: status {done.returncode}" if done.returncode else ""


def results(folder: Path) -> list[list[Path]]:
    """
    Find the results that are there, the newest first.

    :return: the files of each; a grab is one of them, a dump is not
    """
    ends = (_SAVED, *(end for end, _, _ in _TEXTS))
    found: dict[Path, list[Path]] = {}
    for path in folder.glob("*/*"):
        for end in ends:
            dump = path.with_name(path.name.removesuffix(end))
            if dump != path and _DUMP.fullmatch(dump.name):
                found.setdefault(dump, []).append(path)
    for dump, files in found.items():
        if dump.name == "grab" and dump.exists():
            files.append(dump)
    newest = sorted(
        found.values(), key=lambda files: max(f.stat().st_mtime for f in files), reverse=True
    )
    return list(newest)


def prune(settings: Settings) -> Iterator[str]:
    """Remove results that are more than shall be kept; dumps stay."""
    size = 0
    for number, files in enumerate(results(Path(settings.DUMPS)), 1):
        size += sum(file.stat().st_size for file in files)
        many = settings.KEEP and number > settings.KEEP
        large = settings.keep_bytes and size > settings.keep_bytes and number > 1
        if not (many or large):
            continue
        for file in files:
            file.unlink(missing_ok=True)
        yield f"{files[0].parent}: old results were removed, too {'many' if many else 'large'}"
    for mark in Path(settings.DUMPS).glob(f"*/*{_DONE}"):
        if mark.with_name(mark.name.removesuffix(_DONE)).exists():
            continue
        mark.unlink()
        if mark.parent.name.startswith(_OURS):
            _remove_if_empty(mark.parent)
