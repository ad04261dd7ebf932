# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finding dumps
-------------

Which files in the folders of the kdump services are dumps: those whose content is that
of a dump, whatever they are called, and those that are called like one.
"""

from collections.abc import Iterable, Iterator
import os
from pathlib import Path
import re
import time
from typing import NamedTuple

from lkst.dump import MissingLibrary, looks_like_dump, open_dump, split_identity
from lkst.dump.notes import elf_notes
from lkst.errors import LkstError
from lkst.hook.marks import is_done

__all__ = ("Found", "dump_folders", "find_new", "walk")

#: What collectors and hooks call dumps, complete or not, compressed or not.
_NAMED = re.compile(
    r"([\w.:+-]+[.-])?(vmcore|kdump|dump|grab)"
    r"(\.\d+|-incomplete|\.flat|\.gz|\.xz|\.lz4|\.bz2|\.zst)*"
)
_INCOMPLETE = "-incomplete"
#: HOST/STAMP/vmcore is the deepest of what the services make.
_MAX_DEPTH = 3
#: A file that another machine may be writing is one that was changed so many seconds ago.
_FRESH_S = 300
#: Notes that only cores of processes have: NT_AUXV, NT_FILE (include/uapi/linux/elf.h).
_OF_PROCESS = (6, 0x46494C45)
_KDUMP = b"KDUMP   "


class Found(NamedTuple):
    """A dump that was not read yet."""

    #: The file, or the parts of a split dump.
    paths: tuple[Path, ...]
    #: Why it is left for later; empty: it can be read now.
    wait: str = ""


def dump_folders(folder: Path, root: Path = Path("/")) -> list[Path]:
    """
    Tell where dumps arrive: in one folder, and where the kdump services are set up to put them.

    kdump-tools: KDUMP_COREDIR; kdump-utils: path; SUSE's kdump: KDUMP_SAVEDIR.
    """
    told = [
        _setting(root / "etc/default/kdump-tools", r"KDUMP_COREDIR\s*="),
        _setting(root / "etc/kdump.conf", r"path\s"),
        _setting(root / "etc/sysconfig/kdump", r"KDUMP_SAVEDIR\s*=").removeprefix("file://"),
    ]
    paths = [folder, *(root / path.lstrip("/") for path in told if path.startswith("/"))]
    there = {path.resolve(): path for path in reversed(paths) if path.is_dir()}
    # What lies below another one is found there.
    return [
        path
        for path in dict.fromkeys(paths)
        if there.get(path.resolve()) is path
        and not any(up in there for up in path.resolve().parents)
    ]


def _setting(file: Path, name: str) -> str:
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return ""
    found = re.findall(rf"^[ \t]*{name}[ \t]*[\"']?([^\s\"'#]+)", text, re.MULTILINE)
    return str(found[-1]) if found else ""


def walk(folders: Iterable[Path]) -> Iterator[Path]:
    """Give the files in folders and those below, but for hidden ones."""
    for folder in folders:
        for depth in range(1, _MAX_DEPTH + 1):
            for path in folder.glob("/".join("*" * depth)):
                hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
                if not hidden and path.is_file():
                    yield path


def find_new(folders: Iterable[Path]) -> list[Found]:
    """Find dumps and grabs that have no result yet, the oldest first."""
    found: list[Found] = []
    written = _written_files()
    splits: dict[tuple[Path, bytes], list[Path]] = {}
    for path in sorted(walk(folders)):
        wait = ""
        try:
            if not _is_candidate(path):
                continue
            identity = _identity(path)
            if is_done(path) and identity is None:
                continue
            wait = _why_wait(path, written)
        except MissingLibrary as error:
            identity, wait = None, str(error)
        except OSError as error:
            identity, wait = None, f"cannot be read: {error.strerror}"
        if identity is not None and not wait:
            splits.setdefault((path.parent, identity), []).append(path)
        elif not is_done(path):
            found.append(Found((path,), wait))
    # A part that came later makes the others worth another look.
    found += [Found(tuple(paths)) for paths in splits.values() if not all(map(is_done, paths))]
    return sorted(found, key=lambda each: _changed(each.paths[0]))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0


def _is_candidate(path: Path) -> bool:
    if _NAMED.fullmatch(path.name):
        return True
    try:
        if not looks_like_dump(path):
            return False
    except MissingLibrary:
        return False  # It may be anything, and is not called like a dump.
    return not _is_of_process(path)


def _is_of_process(path: Path) -> bool:
    """Tell whether a file is a core of a process, which core_pattern(5) may put there."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return False
    try:
        dump = open_dump([path])
        return any(kind in _OF_PROCESS for _, kind, _ in elf_notes(dump.notes, dump.byte_order))
    except LkstError:
        return False


def _identity(path: Path) -> bytes | None:
    """Tell which split dump a file is a part of; None: of none, or it is compressed."""
    with path.open("rb") as file:
        if file.read(len(_KDUMP)) != _KDUMP:
            return None
    try:
        return split_identity(open_dump([path]))
    except LkstError:
        return None


def _why_wait(path: Path, written: set[str]) -> str:
    """Tell why a file may not be complete yet; empty: nobody writes it."""
    if os.path.realpath(path) in written:
        return "is still being written"
    age = time.time() - path.stat().st_mtime
    if _INCOMPLETE in path.name and 0 <= age < min(_FRESH_S, _uptime()):
        return f"is incomplete and was changed {age:.0f} s ago: it may still be being written"
    looks_like_dump(path)  # Raises what the user has to install.
    return ""


def _uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _written_files() -> set[str]:
    """Find the files that processes of this machine have open for writing."""
    written = set()
    for info in Path("/proc").glob("[0-9]*/fdinfo/*"):
        try:
            flags = int(info.read_text().partition("flags:")[2].split()[0], 8)
            if flags & os.O_ACCMODE != os.O_RDONLY:
                written.add(os.readlink(info.parents[1] / "fd" / info.name))  # noqa: PTH115
        except (OSError, ValueError, IndexError):
            continue
    return written
