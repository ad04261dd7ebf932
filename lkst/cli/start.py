# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that control the recorder of this machine."""

from pathlib import Path

import click

from lkst.cli.status_text import show_status
from lkst.errors import Damaged, NotFound
from lkst.live.recorder import Recorder
from lkst.record.buffers import DEFAULT_RING_BYTES
from lkst.record.lifecycle.config import CONFIG, Config, load_config
from lkst.record.lifecycle.configured import apply_config, outdated, start_recorder
from lkst.record.lifecycle.health import find_faults
from lkst.record.lifecycle.start import stop
from lkst.record.lifecycle.status import read_status
from lkst.record.maskset.store import open_store
from lkst.replay.formats import format_option
from lkst.util.units import parse_size

__all__ = ("start_command", "status_command", "stop_command")


@click.command("start")
@click.option("--size", help="Size of each CPU's ring.  [default: 1M, less if memory is short]")
@click.option("--maskset", help="Maskset to activate.  [default: default]")
@click.option(
    "--config",
    is_flag=False,
    flag_value=str(CONFIG),
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Set up what FILE says; without FILE, {CONFIG}.",
    metavar="[FILE]",
)
@click.option("--replace", is_flag=True, help="Replace a recorder that runs.")
def start_command(size: str | None, maskset: str | None, config: Path | None, replace: bool) -> int:
    """
    Load the recorder, pin it, and exit: the kernel records by itself.

    A recorder that another version of lkst started is replaced even without --replace. The new
    recorder starts to record before the trace of the old one is saved, so that nothing is missed.
    """
    # The default file may be missing; a file that was named must exist.
    if config and config != CONFIG and not config.exists():
        raise NotFound(f"file not found: {config}")
    wanted = load_config(config) if config else Config()
    good = True

    def report(text: str) -> None:
        click.echo(text, err=True)

    started = start_recorder(
        parse_size(size) if size else wanted.size,
        open_store().load(maskset or wanted.maskset),
        replace=replace or outdated(),
        save_old=wanted.save_old,
        report=report,
    )
    total = started.ring_size * started.nr_cpus
    click.echo(
        f"recording {started.events} events in {started.nr_cpus} rings of"
        f" {started.ring_size >> 10} KiB: {total >> 10} KiB in all"
    )
    if size is None and wanted.size is None and started.ring_size < DEFAULT_RING_BYTES:
        report(
            f"rings of {started.ring_size >> 10} KiB instead of {DEFAULT_RING_BYTES >> 10} KiB:"
            f" {started.nr_cpus} CPUs are possible, and rings of all of them must fit into"
            " memory"
        )
    for hook, reason in started.missing.items():
        report(f"not on this kernel: {hook}: {reason}")
    if config:
        good = apply_config(wanted, report)
    return 0 if good else Damaged.status


@click.command("stop")
def stop_command() -> None:
    """Unload the recorder. Its records are lost."""
    stop()


@click.command("status")
@format_option
def status_command(form: str) -> int:
    """
    Show the recorder: rings, maskset, events per second, and what was lost.

    Formats: jsonl and csv have a row for each event.

    Exit status: 0: the recorder runs, and nothing is wrong; 1: no recorder runs; 3: something is
    wrong, and standard error names it.
    """
    with Recorder() as recorder:
        status = read_status(recorder)
        faults = find_faults(recorder)
    click.echo(show_status(status, faults, form), nl=False)
    for fault in faults:
        click.echo(f"lkst: {fault}", err=True)
    return Damaged.status if faults else 0
