# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``lkst hook ...``."""

import os
from pathlib import Path

import click

from lkst.errors import Damaged, LkstError
from lkst.hook.distros import DISTROS
from lkst.hook.install import install_hooks, show_changes, uninstall_hooks
from lkst.hook.process import process
from lkst.hook.status import check_hooks, run_hook
from lkst.record.lifecycle.hook_settings import CONFIG, read_settings

__all__ = ("hook_command",)

_root = click.option(
    "--root",
    default="/",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Root folder of the system to change.",
)


def _check(root: Path = Path("/")) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise LkstError("only root may do this")


@click.group("hook")
def hook_command() -> None:
    """
    Save the recorder after a crash, before the dump, and read it at the next boot.

    /etc/lkst/hook.conf has the settings. Run 'lkst hook install' again after a change.
    """


@hook_command.command("install")
@_root
@click.option(
    "--distro",
    type=click.Choice(list(DISTROS)),
    help="Whose kdump service to hook into.  [default: that of the system]",
)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
def install_hook(root: Path, distro: str | None, dry_run: bool) -> None:
    """Install the hooks into the kdump service, and the service of the next boot."""
    if dry_run:
        for line in show_changes(root, distro):
            click.echo(line, nl=False)
        return
    _check(root)
    for line in install_hooks(root, distro):
        click.echo(line)


@hook_command.command("uninstall")
@_root
def uninstall_hook(root: Path) -> None:
    """Remove the hooks, and restore the files that they changed."""
    _check(root)
    for line in uninstall_hooks(root):
        click.echo(line)


@hook_command.command("status")
def hook_status() -> int:
    """
    Check whether a crash of this machine would leave a grab.

    Exit status: 0: it would; 3: something is missing, and the output names it.
    """
    _check()
    good = True
    for check in check_hooks():
        mark = {True: "", False: "no: ", None: "unknown: "}[check.good]
        click.echo(f"{check.what:8} {mark}{check.text}")
        good &= check.good is not False
    return 0 if good else Damaged.status


@hook_command.command("test")
def test_hook() -> None:
    """Run the hook on the rings of the running system, and read what it saves."""
    _check()
    for line in run_hook():
        click.echo(line)


@hook_command.command("process")
@click.option(
    "--exec",
    "command",
    metavar="CMD",
    default="",
    show_default=False,
    help="Command to run with the folder of each new result.  [default: EXEC in hook.conf]",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help=f"Folder with the dumps.  [default: DUMPS in {CONFIG}, and where kdump puts them]",
)
def process_command(command: str, folder: Path | None) -> None:
    """Read each new dump and grab once, and write the results beside it."""
    for line in process(read_settings(), command, only=folder):
        click.echo(line)
