# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finding dumps
-------------

Finds dumps in the folders of the kdump services: files with the content of a dump, and
files with the name of a dump.
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

#: File names of dumps, complete or not, compressed or not.
_NAMED = re.compile(
    r"([\w.:+-]+[.-])?(vmcore|kdump|dump|grab)"
    r"(\.\d+|-incomplete|\.flat|\.gz|\.xz|\.lz4|\.bz2|\.zst)*"
)
_INCOMPLETE = "-incomplete"
#: Depth of HOST/STAMP/vmcore, the deepest path of a service.
_MAX_DEPTH = 3
#: A file that was changed within this many seconds may be written by another machine.
_FRESH_S = 300
#: Notes that only process cores have: NT_AUXV, NT_FILE (include/uapi/linux/elf.h).
_OF_PROCESS = (6, 0x46494C45)
_KDUMP = b"KDUMP   "


class Found(NamedTuple):
    """A new dump."""

    #: The file, or all parts of a split dump.
    paths: tuple[Path, ...]
    #: Reason to process it later; "": it can be read now.
    wait: str = ""


def dump_folders(folder: Path, root: Path = Path("/")) -> list[Path]:
    """
    Return the folders with dumps: the given one, and those of the kdump services' settings.

    kdump-tools: KDUMP_COREDIR; kdump-utils: path; SUSE's kdump: KDUMP_SAVEDIR.
    """
    told = [
        _setting(root / "etc/default/kdump-tools", r"KDUMP_COREDIR\s*="),
        _setting(root / "etc/kdump.conf", r"path\s"),
        _setting(root / "etc/sysconfig/kdump", r"KDUMP_SAVEDIR\s*=").removeprefix("file://"),
    ]
    paths = [folder, *(root / path.lstrip("/") for path in told if path.startswith("/"))]
    there = {path.resolve(): path for path in reversed(paths) if path.is_dir()}
    # Folders below another one are covered by it.
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
    """Yield the files in folders and subfolders, except hidden ones."""
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
    # A new part makes the other parts new again.
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
    """Return whether a file is a process core, which core_pattern(5) may put there."""
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return False
    try:
        dump = open_dump([path])
        return any(kind in _OF_PROCESS for _, kind, _ in elf_notes(dump.notes, dump.byte_order))
    except LkstError:
        return False


def _identity(path: Path) -> bytes | None:
    """Return the split dump that a file is a part of; None: none, or it is compressed."""
    with path.open("rb") as file:
        if file.read(len(_KDUMP)) != _KDUMP:
            return None
    try:
        return split_identity(open_dump([path]))
    except LkstError:
        return None


def _why_wait(path: Path, written: set[str]) -> str:
    """Return why a file may be incomplete; "": nobody writes it."""
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
    """Return the files that processes of this machine have open for writing."""
    written = set()
    for info in Path("/proc").glob("[0-9]*/fdinfo/*"):
        try:
            flags = int(info.read_text().partition("flags:")[2].split()[0], 8)
            if flags & os.O_ACCMODE != os.O_RDONLY:
                written.add(os.readlink(info.parents[1] / "fd" / info.name))  # noqa: PTH115
        except (OSError, ValueError, IndexError):
            continue
    return written
