# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst buffer``."""

from pathlib import Path

import click

from lkst.abi import layout
from lkst.errors import NotFound
from lkst.live.recorder import Recorder
from lkst.record.buffers import (
    delete_buffer,
    find_buffer,
    freeze_buffer,
    list_buffers,
    new_buffer,
    resize_buffer,
    thaw_buffer,
    use_buffer,
)
from lkst.record.lifecycle.changes import change_recorder
from lkst.util.tables import plain_table
from lkst.util.units import parse_size

__all__ = ("buffer_command",)


@click.group("buffer")
def buffer_command() -> None:
    """Manage buffers: sets of rings, of which one is written at a time."""


@buffer_command.command("list")
def buffer_list() -> None:
    """Show the buffers."""
    with Recorder() as recorder:
        rows = [
            (
                b.name,
                b.state,
                f"{len(b.heads)} of {b.nr_slots * layout.SLOT_SIZE >> 10} KiB",
                sum(b.heads),
            )
            for b in list_buffers(recorder)
        ]
    click.echo(plain_table(rows, ["buffer", "state", "rings", "slots written"], "lllr"))


@buffer_command.command("new")
@click.argument("name")
@click.option(
    "--size", help="Size of each CPU's ring.  [default: that of the buffer that is written]"
)
def buffer_new(name: str, size: str | None) -> None:
    """Create a buffer. It is a spare one until 'use' or a trigger switches to it."""
    with change_recorder() as recorder:
        new_buffer(recorder, name, _size(recorder, size))


def _size(recorder: Recorder, size: str | None) -> int:
    if size is not None:
        return parse_size(size)
    control = recorder.live
    return int(control.buffer[control.current_buffer].nr_slots) * layout.SLOT_SIZE


@buffer_command.command("use")
@click.argument("name")
def buffer_use(name: str) -> None:
    """Write to another buffer from now on."""
    with change_recorder() as recorder:
        use_buffer(recorder, name)


@buffer_command.command("resize")
@click.argument("name", required=False)
@click.option("--size", required=True, help="Size of each CPU's ring.")
def buffer_resize(name: str | None, size: str) -> None:
    """Change the size of a buffer's rings. Its records move to a buffer beside it."""
    with change_recorder() as recorder:
        kept = resize_buffer(recorder, name, parse_size(size))
    if kept:
        click.echo(f"the records so far are in buffer {kept!r} until you delete it")


@buffer_command.command("freeze")
@click.argument("name", required=False)
def buffer_freeze(name: str | None) -> None:
    """Stop recording into the buffer NAME, or the buffer that is written."""
    with change_recorder() as recorder:
        freeze_buffer(recorder, name)


@buffer_command.command("thaw")
@click.argument("name", required=False)
def buffer_thaw(name: str | None) -> None:
    """Resume recording into a frozen buffer."""
    with change_recorder() as recorder:
        thaw_buffer(recorder, name)


@buffer_command.command("delete")
@click.argument("name")
def buffer_delete(name: str) -> None:
    """Delete a buffer and its records."""
    with change_recorder() as recorder:
        delete_buffer(recorder, name)


@buffer_command.command("save")
@click.argument("name")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.",
)
def buffer_save(name: str, output: Path) -> None:
    """Save the records of a buffer to a file."""
    from lkst.source.live import open_live
    from lkst.source.saved import save_trace
    from lkst.trace.filters import Filters, apply

    with Recorder() as recorder:
        find_buffer(recorder.read_control(), name)
    chosen = apply(open_live()[0], Filters(buffers=(name,)))
    if not len(chosen):
        raise NotFound(f"the buffer {name!r} has no recordss")
    save_trace(chosen, output)
