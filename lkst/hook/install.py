# SPDX-License-Identifier: GPL-2.0-or-later
"""
Installing the hooks
--------------------

Installs the hooks into a distribution's kdump service, and removes them.
"""

from collections.abc import Iterator
import difflib
from pathlib import Path
import shutil
import subprocess

from lkst.errors import LkstError, NotFound
from lkst.hook.distros import DISTROS, Distro, changes_for, detect
from lkst.hook.files import apply_changes, read_about, undo_changes
from lkst.record.lifecycle.hook_settings import CONFIG, page_list, read_settings

__all__ = ("install_hooks", "installed_distro", "show_changes", "uninstall_hooks")

#: Manifest: the changes of an installation, and its distribution.
_MANIFEST = Path("var/lib/lkst/hook.json")


def _choose(root: Path, name: str | None) -> Distro:
    return DISTROS[name] if name else detect(root)


def show_changes(root: Path, name: str | None) -> Iterator[str]:
    """
    Show the changes of :func:`install_hooks`, as diff(1) does.

    :raises LkstError: if it cannot be installed
    """
    distro = _choose(root, name)
    for change in changes_for(distro, root, read_settings(_config(root))):
        path = root / change.path
        if change.link:
            if not path.is_symlink():
                yield f"link {path} -> {change.link}\n"
            continue
        old = path.read_bytes() if path.is_file() else None
        if old == change.content:
            continue
        if b"\0" in change.content:
            yield f"program {path}, {len(change.content) >> 10} KiB\n"
            continue
        before = old.decode(errors="replace").splitlines(keepends=True) if old else []
        after = change.content.decode(errors="replace").splitlines(keepends=True)
        name_before = "/dev/null" if old is None else str(path)
        yield from difflib.unified_diff(before, after, name_before, str(path))


def _config(root: Path) -> Path:
    return root / str(CONFIG).lstrip("/")


def install_hooks(root: Path, name: str | None) -> Iterator[str]:
    """
    Install the hooks; up-to-date files are left alone.

    :param root: of the system to install into
    :param name: the distribution; None: detect it
    :return: what was done, line by line
    :raises LkstError: if it cannot be done
    """
    distro = _choose(root, name)
    settings = read_settings(_config(root))
    other = installed_distro(root)
    if other and other != distro.name:
        raise LkstError(f"the hooks are installed for {other}: 'lkst hook uninstall' first")
    changes = changes_for(distro, root, settings)
    done = list(apply_changes(root, changes, root / _MANIFEST, distro.name))
    yield from done
    folder = root / settings.DUMPS.lstrip("/")
    if not folder.is_dir():
        folder.mkdir(parents=True)
        yield f"created {folder}"
    if root == Path("/"):
        _reload()
        yield from _list_pages()
    if done and distro.rebuild:
        yield f"now add it to the capture image: {distro.rebuild}"


def _reload() -> None:
    if Path("/run/systemd/system").is_dir() and shutil.which("systemctl"):
        subprocess.run(["systemctl", "daemon-reload"], check=False)


def _list_pages() -> Iterator[str]:
    """Write the page list if the recorder runs."""
    from lkst.live.recorder import Recorder
    from lkst.record.lifecycle.changes import locked
    from lkst.record.lifecycle.page_list import refresh_list

    try:
        with locked(), Recorder() as recorder:
            refresh_list(recorder)
        yield f"wrote the recorder's page list: {page_list(read_settings())}"
    except NotFound:
        yield "no recorder is running: run 'lkst start', or 'lkst install' to start it at each boot"


def installed_distro(root: Path) -> str | None:
    """Return the distribution for which the hooks are installed; None: they are not."""
    return read_about(root / _MANIFEST)


def uninstall_hooks(root: Path) -> Iterator[str]:
    """
    Remove the hooks and restore all files.

    :return: what was done, line by line
    :raises NotFound: if they are not installed
    """
    name = installed_distro(root)
    if name is None:
        raise NotFound("the hooks are not installed")
    done = list(undo_changes(root, root / _MANIFEST))
    yield from done
    if root == Path("/"):
        _reload()
    if name in DISTROS and DISTROS[name].rebuild and done:
        yield f"now remove it from the capture image: {DISTROS[name].rebuild}"
