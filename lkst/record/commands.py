# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that control the recorder of this machine."""

import click
from tabulate import tabulate

from lkst.record import machine
from lkst.record.built import built_catalogue
from lkst.record.masktext import built_in
from lkst.record.pins import Recorder
from lkst.record.recorder import start, stop
from lkst.record.status import Status, read_status

__all__ = ("start_command", "status_command", "stop_command")


@click.command("start")
@click.option("--size", default="1M", show_default=True, help="Of each CPU's ring.")
@click.option("--maskset", default="default", show_default=True)
def start_command(size: str, maskset: str) -> None:
    """Load the recorder, pin it, and let it run."""
    started = start(machine.parse_size(size), built_in(built_catalogue())[maskset])
    total = started.ring_size * started.nr_cpus
    click.echo(
        f"recording {started.events} events in {started.nr_cpus} rings of"
        f" {started.ring_size >> 10} KiB: {total >> 10} KiB in all"
    )
    for hook, reason in started.missing.items():
        click.echo(f"not on this kernel: {hook}: {reason}", err=True)


@click.command("stop")
def stop_command() -> None:
    """Unload the recorder; what it holds is gone."""
    stop()


@click.command("status")
def status_command() -> None:
    """Show the recorder: rings, maskset, events per second, what was lost."""
    with Recorder() as recorder:
        status = read_status(recorder)
        click.echo(_summary(recorder, status))
        click.echo()
        click.echo(_rings(recorder, status))
        click.echo()
        click.echo(_events(status))


def _summary(recorder: Recorder, status: Status) -> str:
    header = recorder.header
    age = (machine.read_clock().monotonic - header.start) / 1e9
    wired = [entry for entry in status.events if entry.state == "attached"]
    rows = [
        (
            "recorder",
            f"{header.version}, ABI {header.abi[0]}.{header.abi[1]}, kernel {header.release}",
        ),
        ("running", f"for {age:.1f} s, maskset {status.maskset}, {len(wired)} events"),
        ("rings", f"{header.nr_cpus} of {header.ring_size >> 10} KiB"),
        ("rate", f"{sum(entry.rate for entry in status.events):.0f} records/s"),
    ]
    return tabulate(rows, tablefmt="plain")


def _rings(recorder: Recorder, status: Status) -> str:
    nr_slots = recorder.header.nr_slots
    rows = []
    for cpu, (head, rate) in enumerate(zip(status.heads, status.slot_rates, strict=True)):
        span = nr_slots / rate if rate else float("inf")
        rows.append((cpu, head, max(0, head - nr_slots), f"{rate:.0f}", f"{span:.1f}"))
    return tabulate(
        rows,
        ["CPU", "slots written", "overwritten", "slots/s", "ring lasts (s)"],
        tablefmt="plain",
        disable_numparse=True,
        colalign=("right",) * 5,
    )


def _events(status: Status) -> str:
    rows = [
        (
            entry.event.name,
            entry.event.category,
            entry.state,
            entry.count,
            f"{entry.rate:.0f}",
            entry.suppressed,
        )
        for entry in status.events
        if entry.state != "unused" or entry.count
    ]
    return tabulate(
        rows,
        ["event", "category", "state", "records", "per s", "suppressed"],
        tablefmt="plain",
        disable_numparse=True,
        colalign=("left", "left", "left", "right", "right", "right"),
    )
