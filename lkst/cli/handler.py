# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst handler``."""

import dataclasses
from pathlib import Path

import click

from lkst.cli.mask import report_missing
from lkst.errors import Usage
from lkst.live.recorder import Recorder
from lkst.record.lifecycle.changes import change_maskset, change_recorder, use_maskset
from lkst.record.maskset.store import open_store
from lkst.record.maskset.text import parse_assignments
from lkst.record.maskset.user_handlers import (
    events_of,
    load_handler,
    loaded_handlers,
    unload_handler,
)
from lkst.util.tables import plain_table

__all__ = ("handler_command",)


@click.group("handler")
def handler_command() -> None:
    """Choose what happens when an event fires, and add handlers of your own."""


@handler_command.command("list")
def handler_list() -> None:
    """Show the loaded handlers of users, and their events."""
    with Recorder() as recorder:
        rows = [
            (name, ", ".join(events_of(recorder, number)) or "-")
            for name, number in loaded_handlers(recorder.read_control()).items()
        ]
    click.echo(plain_table(rows, ["handler", "events"]))


@handler_command.command("load")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def handler_load(name: str, file: Path) -> None:
    """Load FILE, in C against handler.h or compiled, as handler NAME, and keep it over reboots."""
    with change_recorder() as recorder:
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
    with change_recorder() as recorder:
        store = open_store(recorder.catalogue)
        control = recorder.live
        name = maskset or control.maskset_name[control.active_maskset].text.decode()
        old = store.load(name)
        changed = parse_assignments([f"{event}={handler}"], store.catalogue, store.user_handlers)
        new = dataclasses.replace(old, handlers={**old.handlers, **changed})
        if name not in store.built_in:
            report_missing(change_maskset(recorder, new))
            store.save(new)
            return
        new = dataclasses.replace(new, name=f"my-{name}")
        if new.name in store.names():
            raise Usage(
                f"the maskset {name!r} is built in, and {new.name!r} exists: 'lkst mask use"
                f" {new.name}', or --maskset {new.name}"
            )
        active = (
            maskset is None or maskset == control.maskset_name[control.active_maskset].text.decode()
        )
        if active:
            report_missing(use_maskset(recorder, new))
        store.save(new)
        what = "is now active" if active else "was created"
        click.echo(f"the maskset {name!r} is built in; its copy {new.name!r} {what}")


@handler_command.command("unload")
@click.argument("name")
def handler_unload(name: str) -> None:
    """Unload a handler, and do not load it at the next start."""
    with change_recorder() as recorder:
        unload_handler(recorder, name)
