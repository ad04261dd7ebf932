# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that follow a running recorder: ``watch``, ``log``, ``heartbeat``."""

from pathlib import Path
import signal
import sys
import threading
import time

import click

from lkst.record.lifecycle.config import CONFIG, Heartbeat, load_config
from lkst.record.trigger.actions import parse_actions
from lkst.util.units import parse_duration, parse_size

__all__ = ("heartbeat_command", "log_command", "watch_command")


@click.command("watch")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each notice.")
@click.option(
    "--exec",
    "command",
    metavar="CMD",
    help="Run CMD for each notice, with $LKST_TRIGGER, $LKST_EVENT and $LKST_RECORD.",
)
@click.option("--count", type=click.IntRange(1), help="End after this many notices.")
def watch_command(as_json: bool, command: str | None, count: int | None) -> None:
    """Print what triggers and handlers report, as it happens."""
    from lkst.follow.watch import Commands, watch

    def report(text: str) -> None:
        click.echo(f"lkst: {text}", err=True)

    commands = Commands(command) if command else None
    try:
        for number, notice in enumerate(watch(report), 1):
            click.echo(notice.json + "\n" if as_json else notice.text, nl=False)
            sys.stdout.flush()
            if commands and not commands.run(notice):
                report(
                    f"too many commands are still running: none was started for {notice.trigger}"
                )
            if number == count:
                break
    except KeyboardInterrupt:
        pass


@click.command("log")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write to.",
)
@click.option("--rotate", default="16M", metavar="SIZE", help="Size of each file.")
@click.option(
    "--keep", default=0, type=click.IntRange(0), metavar="N", help="Files to keep; 0: all."
)
def log_command(output: Path, rotate: str, keep: int) -> None:
    """Write all records to files, continuously. The folder replays as one trace."""
    from lkst.follow.logs import keep_log

    stop = _stop_event()
    size = parse_size(rotate)
    log = keep_log(
        output, size, keep, lambda: not stop.is_set(), lambda text: click.echo(text, err=True)
    )
    click.echo(f"{log.records} records logged, {log.lost} slots lost", err=True)


def _stop_event() -> threading.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


@click.command("heartbeat")
@click.option("--every", metavar="TIME", help="Time between beats.  [default: 1s]")
@click.option("--miss", metavar="TIME", help="Act after this time without a beat.  [default: 5s]")
@click.option(
    "--do",
    "actions",
    metavar="ACTIONS",
    help="Actions, as of 'lkst trigger add'.  [default: notify]",
)
@click.option(
    "--config",
    is_flag=False,
    flag_value=str(CONFIG),
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Beat as [heartbeat] in FILE says; without FILE, {CONFIG}.",
    metavar="[FILE]",
)
def heartbeat_command(
    every: str | None, miss: str | None, actions: str | None, config: Path | None
) -> None:
    """
    Beat until SIGTERM or Ctrl-C. If the beat stops for another reason, the recorder acts.

    A timer in the kernel carries out the actions, whatever happens to this process.
    """
    from lkst.follow.heartbeat import HeartbeatSender

    wanted = load_config(config).heartbeat if config else Heartbeat()
    if wanted is None:
        click.echo(f"{config} has no [heartbeat]", err=True)
        return
    wanted = Heartbeat(
        parse_duration(every) if every else wanted.every,
        parse_duration(miss) if miss else wanted.miss,
        parse_actions(actions) if actions else wanted.do,
    )
    stop = _stop_event()
    with HeartbeatSender(wanted) as heart:
        while not stop.is_set():
            heart.beat()
            stop.wait(wanted.every / 1e9)
    click.echo(f"heartbeat stopped: none is expected any more ({time.strftime('%T')})", err=True)
