# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``lkst hook ...``."""

import os
from pathlib import Path

import click

from lkst.errors import Damaged, LkstError
from lkst.hook.distros import DISTROS
from lkst.hook.install import install_hooks, show_changes, uninstall_hooks
from lkst.hook.process import process
from lkst.hook.settings import CONFIG, read_settings
from lkst.hook.status import check_hooks, run_hook

__all__ = ("hook_command",)

_root = click.option(
    "--root",
    default="/",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Of the system to install into, if it is not this one.",
)


def _check(root: Path = Path("/")) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise LkstError("only root may do this")


@click.group("hook")
def hook_command() -> None:
    """
    Save the recorder after a crash, before the dump, and read it at the next boot.

    Settings are in /etc/lkst/hook.conf; 'install' takes them over.
    """


@hook_command.command("install")
@_root
@click.option("--distro", type=click.Choice(list(DISTROS)), help="[default: that of the system]")
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
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
    """Put everything back as it was."""
    _check(root)
    for line in uninstall_hooks(root):
        click.echo(line)


@hook_command.command("status")
def hook_status() -> int:
    """
    Tell whether a crash of this machine would leave a grab.

    Exit status: 0: it would; 3: something is missing, which is said.
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
@click.option("--exec", "command", default="", help="Run CMD with the folder of each new result.")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help=f"Where the dumps are.  [default: DUMPS of {CONFIG}, and where kdump puts them]",
)
def process_command(command: str, folder: Path | None) -> None:
    """Read each new dump and grab once, and leave the results beside it."""
    for line in process(read_settings(), command, only=folder):
        click.echo(line)
