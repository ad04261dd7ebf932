# SPDX-License-Identifier: GPL-2.0-or-later
"""
Keep what was downloaded or built.

An entry is a folder. It is made under another name and renamed when it is
whole, so that a run which is interrupted, or another one at the same time,
never sees half of it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import fcntl
import hashlib
import os
from pathlib import Path
import shutil
import tempfile
import time

__all__ = ("digest", "entry", "folder", "lock")

# An entry that no run has asked for in this time gives way to a newer one.
KEEP_SECONDS = 7 * 24 * 3600


def folder() -> Path:
    """Return the cache's folder: $LKST_CACHE, else .cache in the checkout."""
    chosen = os.environ.get("LKST_CACHE")
    top = Path(chosen) if chosen else Path(__file__).resolve().parent.parent / ".cache"
    path = top.resolve() / "lab"
    path.mkdir(parents=True, exist_ok=True)
    return path


def digest(*parts: str | bytes | Path) -> str:
    """Return a short name for the inputs of an entry; a path stands for its bytes."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            part = part.read_bytes()
        elif isinstance(part, str):
            part = part.encode()
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:12]


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Keep every other run out while the block runs."""
    with (folder() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def entry(name: str, key: str, make: Callable[[Path], None]) -> Path:
    """
    Return the folder of an entry, which is made first if it is not there.

    :param name: what it is; entries of one name replace each other in time
    :param key: stands for the inputs it is made from
    :param make: fills the empty folder that it is given
    """
    path = folder() / f"{name}-{key}"
    if not path.exists():
        with lock(name):
            if not path.exists():
                _make(name, path, make)
    os.utime(path)
    return path


def _make(name: str, path: Path, make: Callable[[Path], None]) -> None:
    # We hold the lock, so these were left by a run that was killed.
    for left in folder().glob(f".new-{name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=f".new-{name}.", dir=folder()))
    try:
        make(new)
        new.chmod(0o755)
        new.rename(path)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    for old in folder().glob(f"{name}-{'[0-9a-f]' * 12}"):
        if old != path and old.stat().st_mtime < time.time() - KEEP_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
