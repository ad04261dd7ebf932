# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``lkst install`` and ``lkst uninstall``."""

import os
from pathlib import Path

import click

from lkst.errors import LkstError
from lkst.record.lifecycle.install import install, uninstall

__all__ = ("install_command", "uninstall_command")

_root = click.option(
    "--root",
    default="/",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Root folder of the system to change.",
)


def _check(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise LkstError("only root may do this")


@click.command("install")
@_root
@click.option("--no-start", is_flag=True, help="Do not start the recorder before the next boot.")
def install_command(root: Path, no_start: bool) -> None:
    """Start the recorder at each boot, as /etc/lkst/lkst.toml says, and start it now."""
    _check(root)
    for line in install(root, start=not no_start):
        click.echo(line)


@click.command("uninstall")
@_root
@click.option("--purge", is_flag=True, help="Remove /etc/lkst as well.")
def uninstall_command(root: Path, purge: bool) -> None:
    """Do not start the recorder at boot any more, and stop it."""
    _check(root)
    for line in uninstall(root, purge=purge):
        click.echo(line)
