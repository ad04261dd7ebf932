# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``lkst install`` and ``lkst uninstall``."""

import os
from pathlib import Path

import click

from lkst.errors import LkstError
from lkst.record.install import install, uninstall

__all__ = ("install_command", "uninstall_command")

_root = click.option(
    "--root",
    default="/",
    type=click.Path(file_okay=False, resolve_path=True, path_type=Path),
    help="Of the system to install into, if it is not this one.",
)


def _check(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise LkstError("only root may do this")


@click.command("install")
@_root
@click.option("--no-start", is_flag=True, help="Not before the next boot.")
def install_command(root: Path, no_start: bool) -> None:
    """Have the recorder started at each boot, as /etc/lkst/lkst.toml says."""
    _check(root)
    for line in install(root, start=not no_start):
        click.echo(line)


@click.command("uninstall")
@_root
@click.option("--purge", is_flag=True, help="Remove /etc/lkst as well.")
def uninstall_command(root: Path, purge: bool) -> None:
    """Have the recorder no longer started at boot, and stop it."""
    _check(root)
    for line in uninstall(root, purge=purge):
        click.echo(line)
