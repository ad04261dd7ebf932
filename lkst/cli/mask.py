# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst mask``."""

import dataclasses
import os
from pathlib import Path
import shlex
import subprocess
import sys
import tempfile

import click

from lkst.abi.control import Control
from lkst.cli.completion import complete_event
from lkst.errors import LkstError, NotFound, Usage
from lkst.live.recorder import PINS, Recorder
from lkst.record.lifecycle.changes import (
    change_maskset,
    change_recorder,
    keep_maskset,
    locked,
    open_to_change,
    update_attachments,
    use_maskset,
)
from lkst.record.maskset.filters import Filter, merge_filters, parse_filter
from lkst.record.maskset.loaded import find_loaded, keep_loaded, loaded_masksets
from lkst.record.maskset.store import MasksetStore, open_store
from lkst.record.maskset.text import Maskset, format_maskset, parse_assignments, parse_maskset
from lkst.record.programs.attach import Attachments
from lkst.util.files import replacing
from lkst.util.pager import paged
from lkst.util.tables import plain_table

__all__ = ("mask_command", "report_missing")


def _control() -> Control | None:
    """Return the control map of the recorder, if there is one that this user may read."""
    try:
        with Recorder() as recorder:
            return recorder.read_control()
    except LkstError:
        return None


def report_missing(attachments: Attachments | None) -> None:
    """Report programs that could not be attached."""
    for program, reason in (attachments.missing if attachments else {}).items():
        click.echo(f"not on this kernel: {program}: {reason}", err=True)


@click.group("mask")
def mask_command() -> None:
    """Choose which events are recorded, and how: a maskset has a handler for each event."""


@mask_command.command("list")
def list_command() -> None:
    """Show all masksets."""
    store, control = open_store(), _control()
    loaded = loaded_masksets(control) if control else {}
    rows = []
    for name in [*store.names(), *(loaded.keys() - set(store.names()))]:
        state = ""
        if control and name in loaded:
            state = "active" if loaded[name] == control.active_maskset else "loaded"
        kind = "built in" if name in store.built_in else "own"
        try:
            maskset = store.load(name)
            events, filter_ = (
                str(sum(handler.kind != "off" for handler in maskset.handlers.values())),
                "yes" if maskset.filter != Filter() else "-",
            )
        except LkstError:
            events, filter_, kind = "?", "?", "damaged"
        rows.append((name, kind, events, filter_, state))
    click.echo(plain_table(rows, ["maskset", "kind", "events", "filtered", "state"], "llrll"))


@mask_command.command("show")
@click.argument("name")
def show_command(name: str) -> None:
    """Print a maskset as text, which 'edit' and 'import' read."""
    store = open_store()
    with paged() as stream:
        stream.write(format_maskset(store.load(name), store.catalogue))


@mask_command.command("new")
@click.argument("name")
@click.option("--from", "other", default="none", help="Maskset to copy.")
def new_command(name: str, other: str) -> None:
    """Create a maskset."""
    with locked():
        store = open_store()
        if name in store.names():
            raise Usage(f"maskset {name!r} already exists")
        store.save(dataclasses.replace(store.load(other), name=name))


@mask_command.command("set")
@click.argument("name")
@click.argument("assignments", nargs=-1, metavar="EVENT=HANDLER...", shell_complete=complete_event)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="'KIND LIST'",
    help="Record only what matches; filters of different kinds must all match.",
)
@click.option("--no-filter", is_flag=True, help="Remove the filters that the maskset has.")
def set_command(
    name: str, assignments: tuple[str, ...], filters: tuple[str, ...], no_filter: bool
) -> None:
    """
    Change handlers and filters of a maskset. If the maskset is loaded, they take effect at once.

    EVENT is an event, a category, or a pattern: sched_switch, irq, 'sched_*'. HANDLER is off,
    record, stack (record with the kernel's stack), count, hist(FIELD), or a handler that
    'lkst handler load' loaded.

    \b
    A filter is one of
      pid 12,34 [children]         thread ids of the host; children: and what they start
      comm nginx,postgres*,"[k]*"  names of tasks; quoted, no pattern
      cgroup /a/b                  a control group
      cpu 0,2-3                    CPUs
    """  # noqa: D301
    if not assignments and not filters and not no_filter:
        raise Usage("nothing to set: expected EVENT=HANDLER or a filter")
    with locked():
        store = open_store()
        old = store.load(name)
        changed = parse_assignments(assignments, store.catalogue, store.user_handlers)
        given = [parse_filter(*_split(words)) for words in filters]
        keep_maskset_text(
            store,
            dataclasses.replace(
                old,
                handlers={**old.handlers, **changed},
                filter=merge_filters(given if no_filter else [old.filter, *given]),
            ),
        )


def _split(words: str) -> tuple[str, str]:
    kind, _, rest = words.strip().partition(" ")
    return kind, rest


def keep_maskset_text(store: MasksetStore, maskset: Maskset) -> None:
    """Reload a maskset if it is loaded, and save it. The caller holds the lock."""
    # First the step that can be refused; if saving fails, the next start has the old one.
    if maskset.name not in store.built_in and PINS.is_dir():
        with open_to_change() as recorder:
            report_missing(change_maskset(recorder, maskset))
    store.save(maskset)


@mask_command.command("edit")
@click.argument("name")
def edit_command(name: str) -> None:
    """Change a maskset with $EDITOR."""
    store = open_store()
    text = format_maskset(store.load(name), store.catalogue)
    with tempfile.NamedTemporaryFile("w", prefix=f"lkst-{name}-", suffix=".mask") as file:
        file.write(text)
        file.flush()
        while True:
            editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
            try:
                status = subprocess.run([*editor, file.name]).returncode
            except OSError as error:
                raise LkstError(f"{editor[0]}: {error.strerror}") from None
            if status:
                raise LkstError(f"{editor[0]} ended with status {status}: nothing changed")
            new = Path(file.name).read_text()
            if new == text:
                click.echo("nothing changed", err=True)
                return
            try:
                maskset = parse_maskset(new, store.catalogue, store.user_handlers, name, file.name)
                break
            except Usage as error:
                if not sys.stdin.isatty():
                    raise
                click.echo(f"lkst: {error}", err=True)
                if not click.confirm("edit again?", default=True, err=True):
                    raise click.Abort from None
        with locked():
            keep_maskset_text(store, maskset)


@mask_command.command("use")
@click.argument("name")
def use_command(name: str) -> None:
    """Activate a maskset."""
    with change_recorder() as recorder:
        report_missing(use_maskset(recorder, open_store(recorder.catalogue).load(name)))


@mask_command.command("load")
@click.argument("name")
def load_command(name: str) -> None:
    """Load a maskset into the kernel without activating it, for handlers that switch to it."""
    with change_recorder() as recorder:
        report_missing(keep_maskset(recorder, open_store(recorder.catalogue).load(name)))


@mask_command.command("unload")
@click.argument("name")
def unload_command(name: str) -> None:
    """Unload a maskset that 'load' has loaded."""
    with change_recorder() as recorder:
        index = find_loaded(recorder.live, name)
        if index is None:
            raise NotFound(f"the maskset {name!r} is not loaded")
        keep_loaded(recorder.live, index, False)
        update_attachments(recorder)


@mask_command.command("delete")
@click.argument("name")
def delete_command(name: str) -> None:
    """Delete a maskset."""
    with locked():
        control = _control()
        if control and name in loaded_masksets(control):
            raise LkstError(f"the maskset {name!r} is in use: it is active, or a trigger uses it")
        open_store().delete(name)


@mask_command.command("export")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.  [default: standard output]",
)
def export_command(output: Path | None) -> None:
    """Write all masksets that are not built in as text, which 'import' reads."""
    text = open_store().export_all()
    if output is None:
        click.echo(text, nl=False)
        return
    with replacing(output) as file:
        file.write(text.encode())


@mask_command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_command(file: Path) -> None:
    """Read masksets from FILE, also in the format of the LKST of 2001-2005."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        raise Usage(f"{file}: is not a text file") from None
    with locked():
        store = open_store()
        for maskset in store.import_text(text, str(file)):
            if PINS.is_dir():
                with open_to_change() as recorder:
                    report_missing(change_maskset(recorder, maskset))
            click.echo(f"imported {maskset.name}")
