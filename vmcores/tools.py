# SPDX-License-Identifier: GPL-2.0-or-later
"""Run other programs, and say in one line what went wrong with them."""

from collections.abc import Mapping, Sequence
import os
from pathlib import Path
import shutil
import subprocess

__all__ = ("LabError", "call", "require")

# Where mke2fs, debugfs and depmod are, even for a user whose PATH leaves them out.
PATH = os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin"

# Which Debian package brings a program that is missing.
PACKAGES = {
    "apt-get": "apt",
    "debootstrap": "debootstrap",
    "debugfs": "e2fsprogs",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "e2fsck": "e2fsprogs",
    "gdb-add-index": "gdb",
    "makedumpfile": "makedumpfile",
    "mke2fs": "e2fsprogs",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}


class LabError(Exception):
    """What the lab could not do, in words for its user."""


def require(program: str) -> str:
    """
    Return the path of a program.

    :raises LabError: if it is not installed
    """
    path = shutil.which(program, path=PATH)
    if path is None:
        package = PACKAGES.get(program, program)
        raise LabError(f"{program} is not installed: apt-get install {package}")
    return path


def call(
    arguments: Sequence[str | Path],
    *,
    accept: Sequence[int] = (0,),
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """
    Run a program to its end.

    :param accept: exit statuses that mean success
    :param env: variables to set beside the inherited ones
    :return: its standard output
    :raises LabError: with the end of its output, if it fails
    """
    program = require(str(arguments[0]))
    done = subprocess.run(
        [program, *map(str, arguments[1:])],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env={**os.environ, "PATH": PATH, "LC_ALL": "C", **(env or {})},
    )
    if done.returncode not in accept:
        said = (done.stderr.strip() or done.stdout.strip()).decode(errors="replace")
        tail = "\n".join(said.splitlines()[-12:])
        raise LabError(f"{arguments[0]} failed ({done.returncode}): {tail}")
    return done.stdout.decode(errors="replace")
