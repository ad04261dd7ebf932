# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands ``lkst handler``, ``lkst trigger``, ``lkst buffer``, ``lkst mark``."""

import dataclasses
from pathlib import Path
import time

import click
from tabulate import tabulate

from lkst.abi import layout
from lkst.errors import NotFound, Usage
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
from lkst.record.lifecycle.configured import add_from_text
from lkst.record.lifecycle.steering import change_maskset, steer, use_maskset
from lkst.record.mark import write_mark
from lkst.record.mask_commands import open_store, tell
from lkst.record.maskset.text import parse_assignments
from lkst.record.programs.user_handlers import (
    events_of,
    load_handler,
    loaded_handlers,
    unload_handler,
)
from lkst.record.trigger.actions import parse_actions
from lkst.record.trigger.table import TriggerStatus, list_triggers, remove_trigger
from lkst.util.units import format_duration, parse_rate, parse_size

__all__ = ("buffer_command", "handler_command", "mark_command", "trigger_command")


def _table(rows: list[tuple[object, ...]], columns: list[str], right: int = 0) -> None:
    """Print a table, the last columns to the right."""
    left = len(columns) - right
    click.echo(
        tabulate(
            rows,
            columns,
            tablefmt="plain",
            disable_numparse=True,
            colalign=("left",) * left + ("right",) * right,
        )
    )


@click.group("handler")
def handler_command() -> None:
    """Choose what happens when an event fires, and add handlers of your own."""


@handler_command.command("list")
def handler_list() -> None:
    """Show the loaded handlers of users, and their events."""
    with Recorder() as recorder:
        rows: list[tuple[object, ...]] = [
            (name, ", ".join(events_of(recorder, number)) or "-")
            for name, number in loaded_handlers(recorder.look()).items()
        ]
    _table(rows, ["handler", "events"])


@handler_command.command("load")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def handler_load(name: str, file: Path) -> None:
    """Load FILE, in C against handler.h or compiled, as handler NAME, and keep it over reboots."""
    with steer() as recorder:
        load_handler(recorder, name, file)


@handler_command.command("set")
@click.argument("event")
@click.argument("handler")
@click.option("--maskset", help="Maskset to change.  [default: the active one]")
def handler_set(event: str, handler: str, maskset: str | None) -> None:
    """
    Set the handler of an event in a maskset.

    Built-in masksets do not change: the change goes into a copy, "my-NAME". The copy is activated
    if the built-in maskset was active.
    """
    with steer() as recorder:
        store = open_store(recorder.catalogue)
        control = recorder.live
        name = maskset or control.maskset[control.active].text.decode()
        old = store.load(name)
        changed = parse_assignments([f"{event}={handler}"], store.catalogue, store.user_handlers)
        new = dataclasses.replace(old, handlers={**old.handlers, **changed})
        if name not in store.built_in:
            tell(change_maskset(recorder, new))
            store.save(new)
            return
        new = dataclasses.replace(new, name=f"my-{name}")
        if new.name in store.names():
            raise Usage(
                f"the maskset {name!r} is built in, and {new.name!r} exists: 'lkst mask use"
                f" {new.name}', or --maskset {new.name}"
            )
        active = maskset is None or maskset == control.maskset[control.active].text.decode()
        if active:
            tell(use_maskset(recorder, new))
        store.save(new)
        what = "is active now" if active else "has been made"
        click.echo(f"the maskset {name!r} is built in: its copy {new.name!r} {what}")


@handler_command.command("unload")
@click.argument("name")
def handler_unload(name: str) -> None:
    """Unload a handler, and do not load it at the next start."""
    with steer() as recorder:
        unload_handler(recorder, name)


@click.group("trigger")
def trigger_command() -> None:
    """Make the kernel act when a condition holds."""


@trigger_command.command("add")
@click.argument("name")
@click.option("--when", required=True, metavar="EXPR", help="Condition: 'wakeup_delay > 50ms'")
@click.option(
    "--do", "actions", required=True, metavar="ACTIONS", help="Actions: 'notify, freeze after 2000'"
)
@click.option(
    "--at-most",
    default="10/s",
    metavar="N/TIME",
    help="Highest rate at which the trigger fires; further hits are only counted.",
)
def trigger_add(name: str, when: str, actions: str, at_most: str) -> None:
    """
    Add a trigger: when EXPR holds for a record, the kernel carries out ACTIONS.

    EXPR compares fields of an event (signal_generate.sig == SIGKILL) or a delay that the recorder
    measures (block_time > 1s); 'and', 'or' and 'not' combine comparisons. An event alone
    (mark_victim) holds for each of its records.

    \b
    ACTIONS, separated by commas:
      notify               report to 'lkst watch'
      stack                record the kernel's stack
      mask=NAME [for 5s]   activate a maskset, for good or for a time
      switch               write to a spare buffer, and keep this one
      freeze [after 2000]  stop recording, at once or after 2000 more slots
    """  # noqa: D301
    rate, todo = parse_rate(at_most), parse_actions(actions)
    with steer() as recorder:
        for line in add_from_text(recorder, name, when, todo, rate):
            click.echo(line, err=True)


@trigger_command.command("list")
def trigger_list() -> None:
    """Show the triggers."""
    _table(
        [(t.name, t.when, t.action, f"1 in {format_duration(t.interval)}") for t in _triggers()],
        ["trigger", "when", "do", "at most"],
    )


@trigger_command.command("status")
def trigger_status() -> None:
    """Show how often each trigger has fired, and when it last fired."""
    now = time.monotonic_ns()
    _table(
        [
            (t.name, t.fired, t.held, f"{(now - t.last) / 1e9:.3f} s ago" if t.last else "never")
            for t in _triggers()
        ],
        ["trigger", "fired", "held back", "last"],
        right=3,
    )


def _triggers() -> list[TriggerStatus]:
    with Recorder() as recorder:
        return list_triggers(recorder.look())


@trigger_command.command("remove")
@click.argument("name")
def trigger_remove(name: str) -> None:
    """Remove a trigger."""
    with steer() as recorder:
        remove_trigger(recorder, name)


@click.group("buffer")
def buffer_command() -> None:
    """Manage buffers: sets of rings, of which one is written at a time."""


@buffer_command.command("list")
def buffer_list() -> None:
    """Show the buffers."""
    with Recorder() as recorder:
        rows: list[tuple[object, ...]] = [
            (
                b.name,
                b.state,
                f"{len(b.heads)} of {b.nr_slots * layout.SLOT_SIZE >> 10} KiB",
                sum(b.heads),
            )
            for b in list_buffers(recorder)
        ]
    _table(rows, ["buffer", "state", "rings", "slots written"], right=1)


@buffer_command.command("new")
@click.argument("name")
@click.option(
    "--size", help="Size of each CPU's ring.  [default: that of the buffer that is written]"
)
def buffer_new(name: str, size: str | None) -> None:
    """Create a buffer. It is a spare one until 'use' or a trigger switches to it."""
    with steer() as recorder:
        new_buffer(recorder, name, _size(recorder, size))


def _size(recorder: Recorder, size: str | None) -> int:
    if size is not None:
        return parse_size(size)
    control = recorder.live
    return int(control.buffer[control.into].nr_slots) * layout.SLOT_SIZE


@buffer_command.command("use")
@click.argument("name")
def buffer_use(name: str) -> None:
    """Write to another buffer from now on."""
    with steer() as recorder:
        use_buffer(recorder, name)


@buffer_command.command("resize")
@click.argument("name", required=False)
@click.option("--size", required=True, help="Size of each CPU's ring.")
def buffer_resize(name: str | None, size: str) -> None:
    """Change the size of a buffer's rings. Its records move to a buffer beside it."""
    with steer() as recorder:
        kept = resize_buffer(recorder, name, parse_size(size))
    if kept:
        click.echo(f"what was recorded so far is in the buffer {kept!r}, until you delete it")


@buffer_command.command("freeze")
@click.argument("name", required=False)
def buffer_freeze(name: str | None) -> None:
    """Stop recording into the buffer NAME, or the buffer that is written."""
    with steer() as recorder:
        freeze_buffer(recorder, name)


@buffer_command.command("thaw")
@click.argument("name", required=False)
def buffer_thaw(name: str | None) -> None:
    """Resume recording into a frozen buffer."""
    with steer() as recorder:
        thaw_buffer(recorder, name)


@buffer_command.command("delete")
@click.argument("name")
def buffer_delete(name: str) -> None:
    """Delete a buffer and its records."""
    with steer() as recorder:
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
        find_buffer(recorder.look(), name)
    chosen = apply(open_live()[0], Filters(buffers=(name,)))
    if not len(chosen):
        raise NotFound(f"the buffer {name!r} has no record")
    save_trace(chosen, output)


@click.command("mark")
@click.argument("text", nargs=-1, required=True)
def mark_command(text: tuple[str, ...]) -> None:
    """Write TEXT into the rings, as a record: lkst mark deploy 1.2 started."""
    write_mark(" ".join(text))
