# SPDX-License-Identifier: GPL-2.0-or-later
"""
Read Debian's archive without touching the configuration of this machine.

apt-get gets its own list of sources, state and cache, so suites that the
machine does not use can be read, and nothing is installed.
"""

from collections.abc import Sequence
import os
from pathlib import Path
import subprocess
import time

import cache
from tools import PATH, LabError, call, require

__all__ = ("MIRROR", "NotInArchiveError", "download", "extract", "package_names", "unpack")

MIRROR = "http://deb.debian.org/debian"

#: Suites that are read together, by the name of the folder that keeps their lists.
SOURCES = {
    "apt": (
        (MIRROR, "bookworm"),
        (MIRROR, "bookworm-updates"),
        ("http://security.debian.org/debian-security", "bookworm-security"),
        (MIRROR, "bookworm-backports"),
        (MIRROR, "trixie-backports"),
    ),
    # Apart, since it has kernels of its own.
    "apt-trixie": ((MIRROR, "trixie"),),
}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

UPDATE_SECONDS = 24 * 3600


class NotInArchiveError(LabError):
    """A package is listed, but cannot be had (any more)."""


def package_names() -> list[str]:
    """
    Return the names of all packages of the archive, read at most once a day.

    :raises LabError: if it was never read and cannot be
    """
    with cache.lock("apt"):
        _update("apt")
        names, stamp = (_folder("apt") / name for name in ("names", "updated"))
        # Asked for by every run, and all lists are read for the answer.
        if not names.exists() or names.stat().st_mtime_ns <= stamp.stat().st_mtime_ns:
            new = names.with_suffix(".new")
            new.write_text(call(["apt-cache", *_options("apt"), "pkgnames"]))
            new.rename(names)
        return names.read_text().split()


def download(packages: Sequence[str], into: Path, sources: str = "apt") -> list[Path]:
    """
    Download packages.

    :param sources: a key of SOURCES
    :return: the package files, in the order of their names
    :raises NotInArchiveError: if one of them cannot be had
    """
    into.mkdir(parents=True, exist_ok=True)
    if sources != "apt":
        with cache.lock(sources):
            _update(sources)
    done = subprocess.run(
        [require("apt-get"), *_options(sources), "-q", "download", *packages],
        cwd=into,  # where apt-get leaves what it downloads
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": PATH, "LC_ALL": "C"},
    )
    if done.returncode != 0:
        raise NotInArchiveError(f"no {' '.join(packages)}: {done.stderr.strip()}")
    return sorted(into.glob("*.deb"))


def unpack(package: Path, into: Path) -> None:
    """Unpack a package's files without installing it."""
    call(["dpkg-deb", "-x", package, into])


def extract(package: Path, pattern: str, into: Path) -> None:
    """Unpack only those files of a package whose path matches a shell pattern."""
    into.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [require("dpkg-deb"), "--fsys-tarfile", package], stdout=subprocess.PIPE
    ) as tar:
        subprocess.run(
            ["tar", "-x", "-C", into, "--wildcards", pattern],
            stdin=tar.stdout,
            check=False,
        )
    if not any(path.is_file() for path in into.rglob("*")):
        raise LabError(f"{package.name} holds no {pattern}")


def _folder(sources: str) -> Path:
    path = cache.folder() / sources
    for name in ("lists/partial", "cache/archives/partial"):
        (path / name).mkdir(parents=True, exist_ok=True)
    return path


def _options(name: str) -> list[str]:
    path = _folder(name)
    sources = path / "sources.list"
    return [
        "-oAPT::Architecture=amd64",
        "-oAPT::Sandbox::User=root",
        "-oAcquire::Languages=none",
        "-oAcquire::Retries=2",
        "-oAcquire::http::Timeout=15",
        f"-oDir::Etc::sourcelist={sources}",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={path / 'lists'}",
        "-oDir::State::status=/dev/null",
        f"-oDir::Cache={path / 'cache'}",
    ]


def _update(name: str) -> None:
    path = _folder(name)
    sources, stamp = path / "sources.list", path / "updated"
    text = "".join(
        f"deb [arch=amd64 signed-by={KEYRING}] {mirror} {suite} main\n"
        for mirror, suite in SOURCES[name]
    )
    if not sources.exists() or sources.read_text() != text:
        sources.write_text(text)
        stamp.unlink(missing_ok=True)
    if stamp.exists() and time.time() - stamp.stat().st_mtime < UPDATE_SECONDS:
        return
    try:
        call(["apt-get", *_options(name), "-q", "--error-on=any", "update"])
    except LabError as error:
        why = str(error).splitlines()[0]
        raise LabError(f"cannot read Debian's archive: {why}") from None
    stamp.touch()
