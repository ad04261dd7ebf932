# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that control the recorder of this machine."""

from pathlib import Path
import time

import click
from tabulate import tabulate

from lkst import layout
from lkst.control import Control, name_of
from lkst.errors import Damaged
from lkst.record import machine
from lkst.record.apply import apply_config, outdated, start_recorder
from lkst.record.buffers import list_buffers
from lkst.record.config import CONFIG, Config, load_config
from lkst.record.health import find_faults
from lkst.record.mask_commands import open_store
from lkst.record.masks import loaded_masksets
from lkst.record.pins import Recorder
from lkst.record.recorder import stop
from lkst.record.status import Status, read_status
from lkst.record.triggers import list_triggers

__all__ = ("start_command", "status_command", "stop_command")


@click.command("start")
@click.option("--size", help="Of each CPU's ring; 1M.")
@click.option("--maskset", help="The one to activate; default.")
@click.option(
    "--config",
    is_flag=False,
    flag_value=str(CONFIG),
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Set up what FILE says, or {CONFIG}.",
    metavar="[FILE]",
)
@click.option("--replace", is_flag=True, help="Put it in the place of one that runs.")
def start_command(size: str | None, maskset: str | None, config: Path | None, replace: bool) -> int:
    """
    Load the recorder, pin it, and let it run.

    One that runs is replaced if another version has started it: first the new one records, then
    what the old one held is saved.
    """
    wanted = load_config(config) if config else Config()
    good = True

    def report(text: str) -> None:
        click.echo(text, err=True)

    started = start_recorder(
        machine.parse_size(size) if size else wanted.size,
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
    for hook, reason in started.missing.items():
        report(f"not on this kernel: {hook}: {reason}")
    if config:
        good = apply_config(wanted, report)
    return 0 if good else Damaged.status


@click.command("stop")
def stop_command() -> None:
    """Unload the recorder; what it holds is gone."""
    stop()


@click.command("status")
def status_command() -> int:
    """
    Show the recorder: rings, maskset, events per second, what was lost.

    Exit status: 0: it is as it should be; 1: none runs; 3: something is not, which is said.
    """
    with Recorder() as recorder:
        status = read_status(recorder)
        faults = find_faults(recorder)
        for part in (_summary(recorder, status), _rings(recorder, status), _events(status)):
            click.echo(part + "\n")
    for fault in faults:
        click.echo(f"lkst: {fault}", err=True)
    return Damaged.status if faults else 0


def _summary(recorder: Recorder, status: Status) -> str:
    header = recorder.header
    age = (machine.read_clock().monotonic - header.start) / 1e9
    wired = [entry for entry in status.events if entry.state == "attached"]
    control = recorder.look()
    masksets = [name for name in loaded_masksets(control) if name != status.maskset]
    buffers = list_buffers(recorder)
    refused = sum(
        int.from_bytes(recorder.cpus()[start + layout.REFUSED_OFFSET :][:8], "little")
        for start in range(0, header.nr_cpus * header.cpu_size, header.cpu_size)
    )
    lost = [
        f"{count} {what}"
        for count, what in (
            (refused, "records refused by frozen rings"),
            (control.unheard, "notices unheard"),
            (control.no_spare, "switches without a spare buffer"),
            (control.unfollowed, "tasks not followed"),
        )
        if count
    ]
    rows = [
        (
            "recorder",
            f"{header.version}, ABI {header.abi[0]}.{header.abi[1]}, kernel {header.release}",
        ),
        ("running", f"for {age:.1f} s, maskset {status.maskset}, {len(wired)} events"),
        *(
            (
                "buffer",
                f"{b.name}: {b.state}, {len(b.heads)} rings of"
                f" {b.nr_slots * layout.SLOT_SIZE >> 10} KiB",
            )
            for b in buffers
        ),
        *((("loaded", ", ".join(masksets)),) if masksets else ()),
        *((("back", _back(control)),) if control.until else ()),
        *(
            ("trigger", f"{t.name}: {t.when} -> {t.action}, fired {t.fired} times")
            for t in list_triggers(control)
        ),
        *((("lost", ", ".join(lost)),) if lost else ()),
        ("rate", f"{sum(entry.rate for entry in status.events):.0f} records/s"),
    ]
    return tabulate(rows, tablefmt="plain")


def _back(control: Control) -> str:
    left = max(0.0, (control.until - time.monotonic_ns()) / 1e9)
    name = name_of(control.maskset[control.base % layout.MAX_MASKSETS].text)
    return f"to maskset {name} in {left:.1f} s"


def _rings(recorder: Recorder, status: Status) -> str:
    control = recorder.look()
    nr_slots = control.buffer[control.into % layout.MAX_BUFFERS].nr_slots
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
