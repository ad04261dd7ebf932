# SPDX-License-Identifier: GPL-2.0-or-later
"""
Reversible changes of files
----------------------

Creates and changes files of a system, so that it can be restored exactly. Each change is
written to a manifest first.
"""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass, field
import difflib
import json
from pathlib import Path
import stat
from typing import Any

from lkst.errors import LkstError
from lkst.util.files import replacing

__all__ = ("Change", "apply_changes", "read_about", "undo_changes")

_FORMAT = 1


@dataclass(frozen=True)
class Change:
    """The new state of a file."""

    #: Path below the root folder.
    path: str
    content: bytes
    mode: int = 0o644
    #: Target, if it is a symbolic link.
    link: str = ""
    #: Description for the user.
    why: str = field(default="", compare=False)


def _text(data: bytes) -> str:
    # Keeps bytes that are not UTF-8.
    return data.decode("utf-8", "surrogateescape")


def _noted(manifest: Path) -> dict[str, dict[str, str | int | None]]:
    """Return the changed files by path: ``old`` and ``new`` content, ``mode`` of the old file."""
    files: dict[str, dict[str, str | int | None]] = _told(manifest).get("files", {})
    return files


def _told(manifest: Path) -> dict[str, Any]:
    try:
        told = json.loads(manifest.read_bytes())
        if told["format"] != _FORMAT:
            raise LkstError(f"{manifest}: was written by another version of lkst")
        return dict(told)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LkstError(f"{manifest}: {error}") from None


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with replacing(path, mode) as file:
        file.write(content)


def _missing_folders(root: Path, path: Path) -> list[str]:
    """Return the missing parent folders of a file, the outermost first."""
    missing = [folder for folder in path.parents if not folder.exists()]
    return [str(folder.relative_to(root)) for folder in reversed(missing)]


def read_about(manifest: Path) -> str | None:
    """
    Return the subject of the changes.

    :return: None: nothing was changed
    :raises LkstError: if it cannot be read
    """
    about = _told(manifest).get("about")
    return None if about is None else str(about)


def apply_changes(root: Path, changes: list[Change], manifest: Path, about: str) -> Iterator[str]:
    """
    Write files, after the manifest has their old state.

    :param about: subject of the changes, kept in the manifest
    :return: what was done, line by line
    :raises LkstError: if a file cannot be written; changes in the manifest can be undone
    """
    noted = _noted(manifest)
    folders: list[str] = _told(manifest).get("folders", _missing_folders(root, manifest))
    for change in changes:
        path = root / change.path
        if not change.link and path.is_symlink():
            path = path.resolve()
        new = change.link or _text(change.content)
        old: str | None = None
        mode = change.mode
        if change.link:
            old = str(path.readlink()) if path.is_symlink() else None
        elif path.is_file():
            old, mode = _text(path.read_bytes()), stat.S_IMODE(path.stat().st_mode)
        if old == new:
            continue
        before = noted.get(change.path, {"old": old, "mode": mode})
        noted[change.path] = {**before, "new": new, "link": int(bool(change.link))}
        folders += _missing_folders(root, path)
        told = {"format": _FORMAT, "about": about, "files": noted, "folders": folders}
        _write(manifest, json.dumps(told).encode(), 0o600)
        if change.link:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            path.symlink_to(change.link)
        else:
            _write(path, change.content, mode if old is not None else change.mode)
        yield f"wrote {path}" + f" ({change.why})" * bool(change.why)


def undo_changes(root: Path, manifest: Path) -> Iterator[str]:
    """
    Restore all files.

    A file that was changed since loses only the lines that were added to it.

    :return: what was done, line by line
    """
    noted = _noted(manifest)
    for name, change in reversed(noted.items()):
        path = root / name
        old, new = change["old"], str(change["new"])
        if change["link"]:
            if path.is_symlink() and str(path.readlink()) == new:
                path.unlink()
                yield f"removed {path}"
            continue
        if path.is_symlink():
            path = path.resolve()
        if not path.is_file():
            continue
        now = _text(path.read_bytes())
        if old is None:
            if now != new:
                yield f"kept {path}: it was changed since"
                continue
            path.unlink()
            yield f"removed {path}"
            continue
        back = str(old) if now == new else _without(now, str(old), new)
        _write(path, back.encode("utf-8", "surrogateescape"), int(change["mode"] or 0o644))
        yield f"restored {path}"
    folders = _told(manifest).get("folders", [])
    manifest.unlink(missing_ok=True)
    for folder in reversed(folders):
        # A folder that is not empty is kept.
        with contextlib.suppress(OSError):
            (root / folder).rmdir()


def _without(now: str, old: str, new: str) -> str:
    """Revert the changed lines that are still as they were written."""
    was, became = old.splitlines(keepends=True), new.splitlines(keepends=True)
    lines = now.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, was, became, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            continue
        before = was[start:end]
        for line in became[new_start:new_end]:
            if line in lines:
                place = lines.index(line)
                lines[place : place + 1] = before
                before = []
    return "".join(lines)
