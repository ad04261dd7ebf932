# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst mark``."""

import click

from lkst.record.mark import write_mark

__all__ = ("mark_command",)


@click.command("mark")
@click.argument("text", nargs=-1, required=True)
def mark_command(text: tuple[str, ...]) -> None:
    """Write TEXT into the rings, as a record: lkst mark deploy 1.2 started."""
    write_mark(" ".join(text))
