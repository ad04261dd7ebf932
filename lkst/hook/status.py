# SPDX-License-Identifier: GPL-2.0-or-later
"""
Checks of the hooks
----------------------------

The conditions under which a crash of this machine leaves a grab.
"""

from collections.abc import Iterator
import os
from pathlib import Path
import shutil
import subprocess
import tempfile
from typing import NamedTuple

from lkst.errors import LkstError, NotFound
from lkst.hook.distros import DISTROS, GRAB, image_has_hook
from lkst.hook.install import installed_distro
from lkst.record.lifecycle.hook_settings import Settings, page_list, read_settings

__all__ = ("Check", "check_hooks", "run_hook")

_LOADED = Path("/sys/kernel/kexec_crash_loaded")
_RESERVED = Path("/sys/kernel/kexec_crash_size")


class Check(NamedTuple):
    """A condition."""

    what: str
    #: None: not known.
    good: bool | None
    text: str


def check_hooks() -> Iterator[Check]:
    """Check everything that a grab needs, in the order of use."""
    settings = read_settings()
    yield _capture_kernel()
    yield from _hook()
    yield _pages(settings)
    yield _room(Path(settings.DUMPS))


def _room(folder: Path) -> Check:
    try:
        free = shutil.disk_usage(folder).free
    except FileNotFoundError:
        return Check("room", False, f"{folder} is missing: run 'lkst hook install'")
    except OSError as error:
        return Check("room", None, f"{folder}: {error.strerror}")
    return Check("room", free > 64 << 20, f"{free >> 20} MiB free in {folder}")


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _capture_kernel() -> Check:
    reserved = int(_read(_RESERVED) or 0) >> 20
    if _read(_LOADED) == "1":
        return Check("kdump", True, f"a capture kernel is loaded, {reserved} MiB reserved")
    if not reserved:
        return Check("kdump", False, "no memory is reserved for a capture kernel (crashkernel=)")
    return Check("kdump", False, "no capture kernel is loaded: is the kdump service running?")


def _hook() -> Iterator[Check]:
    name = installed_distro(Path("/"))
    if name not in DISTROS:
        yield Check("hook", False, "not installed: run 'lkst hook install'")
        return
    if not os.access(GRAB, os.X_OK):
        yield Check("hook", False, f"{GRAB} is missing: run 'lkst hook install'")
        return
    yield Check("hook", True, f"installed for {name}")
    release = os.uname().release
    for image in DISTROS[name].images:
        path = Path("/boot", image.format(release=release))
        has = image_has_hook(path) if path.exists() else False
        text = {
            True: f"{path} contains the hook",
            None: f"{path} cannot be checked: lsinitrd is missing",
        }
        yield Check(
            "image",
            has,
            text.get(has, f"{path} does not contain the hook: run {DISTROS[name].rebuild}"),
        )


def _pages(settings: Settings) -> Check:
    from lkst.live.recorder import Recorder
    from lkst.record.lifecycle.page_list import list_pages

    path = page_list(settings)
    try:
        with Recorder() as recorder:
            text = list_pages(recorder)
    except NotFound:
        return Check("pages", False, "no recorder is running: run 'lkst start'")
    except LkstError as error:
        return Check("pages", None, str(error))
    if _read(path) == text.strip():
        return Check("pages", True, f"{path} is up to date")
    return Check("pages", False, f"{path} is missing or outdated: run 'lkst hook install'")


def run_hook() -> Iterator[str]:
    """
    Run the hook's program on the running system, and read the result.

    :return: its output, line by line
    :raises LkstError: if it fails
    """
    from lkst.source import open_source

    settings = read_settings()
    if not os.access(GRAB, os.X_OK):
        raise LkstError(f"{GRAB} is missing: run 'lkst hook install'")
    if not Path("/proc/kcore").exists():
        raise LkstError("this kernel has no /proc/kcore to read the rings from")
    with tempfile.TemporaryDirectory(prefix="lkst-test-", dir=settings.DUMPS) as name:
        target = Path(name, "grab")
        words = ["-t", settings.SECONDS, "-i", "/proc/kcore", "-l", page_list(settings)]
        command = [GRAB, *map(str, words), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True)
        yield from done.stderr.splitlines()
        if done.returncode:
            raise LkstError("the hook failed")
        yield done.stdout.strip()
        if "by the list" not in done.stdout:
            raise LkstError("the list of the recorder's pages could not be used")
        trace = open_source(str(target))[0]
        yield f"{len(trace)} records in {trace.header.nr_cpus} rings"
