# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst probe``."""

import time
from typing import Any

import click

from lkst.bpf.programs import run_time_statistics
from lkst.cli.completion import complete_field, complete_probe, complete_target
from lkst.errors import NotFound
from lkst.live.recorder import Recorder
from lkst.record.lifecycle.changes import change_recorder
from lkst.record.maskset.store import open_store
from lkst.record.probe.definition import DEFAULT_LIMIT, Probe, check_event_name, kept_probes
from lkst.record.probe.describe import show_target
from lkst.record.probe.registry import (
    ProbeStatus,
    add_probe,
    handler_lookup,
    list_probes,
    remove_probe,
)
from lkst.record.probe.target import is_target, parse_target
from lkst.replay.formats import format_option, objects_text
from lkst.util.pager import paged
from lkst.util.printable import as_json
from lkst.util.tables import plain_table

__all__ = ("probe_command",)


@click.group("probe")
def probe_command() -> None:
    """Add events of your own, on functions and tracepoints of the kernel."""


def _split(words: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Split words into name, target and fields."""
    if len(words) > 1 and words[0].isidentifier() and not is_target(words[0]):
        if is_target(words[1]):
            return words[0], words[1], words[2:]
        # One of both is mistyped: report the one with similar names.
        if words[1].isidentifier():
            return words[0], words[0], words[1:]
        return words[0], words[1], words[2:]
    if len(words) > 2 and words[0] == words[1]:
        return words[0], words[1], words[2:]
    target = parse_target(words[0])
    name = target.name.replace(".", "_")
    if target.offset is not None:
        name += f"_{target.offset:x}"
    return name[:29], words[0], words[1:]


_ADD_HELP = """\
Add an event and record it from now on.

TARGET is FUNCTION, MODULE:FUNCTION, FUNCTION+OFFSET, or tracepoint:NAME. NAME is the name of the
event; without it, the event has the name of the target.

\b
FIELD is [NAME=]EXPR[:TYPE]:
  count  *pos  ret  task->pid  arg3:x64  $stack  %di (at FUNCTION+OFFSET)
  file->f_path.dentry->d_name.name:str    (struct sock *)arg0
  sk->__sk_common.skc_dport:be16          container_of(work, struct foo, work)

TYPE is u8 to u64, s8 to s64, x8 to x64, be16 to be64, bool, str (up to 255 bytes; one for each
event), str8 to str32, ustr (in user space), enum(NAME), flags(NAME), ksym, ipv4, errno, or
another type of the catalogue's fields. Without TYPE, the kernel's BTF decides.

With --return, arguments and what they point to are read at the function's entry.
'lkst probe show FUNCTION' shows the fields to choose from.
"""


@probe_command.command("add", help=_ADD_HELP)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="[NAME] TARGET [FIELD]...",
    shell_complete=complete_field,
)
@click.option(
    "--return",
    "returns",
    is_flag=True,
    help="Record at the return of the function, with 'ret' and the duration.",
)
@click.option("--stack", is_flag=True, help="Record the kernel's stack.")
@click.option(
    "--if",
    "condition",
    metavar="EXPR",
    default="",
    show_default=False,
    help="Record only if EXPR holds: 'count > 4K'",
)
@click.option(
    "--limit",
    type=int,
    default=DEFAULT_LIMIT,
    help="Most records per ms on each CPU; 0: no limit.",
)
def probe_add(
    words: tuple[str, ...], returns: bool, stack: bool, condition: str, limit: int
) -> None:
    """Add an event and record it from now on."""
    name, target, fields = _split(words)
    _add(
        Probe(
            check_event_name(name),
            target,
            tuple(field for field in fields if field != "$stack"),
            returns,
            stack or "$stack" in fields,
            condition,
            limit,
        )
    )


def _add(probe: Probe) -> None:
    """Add a probe to the running recorder, and report how it is attached."""
    begun = time.monotonic()
    with change_recorder() as recorder:
        attached = add_probe(recorder, probe, handler_lookup(open_store(recorder.catalogue)))
    took = time.monotonic() - begun
    click.echo(f"{probe.name}: {attached.mechanism} {probe.target}, added in {1000 * took:.0f} ms")


@probe_command.command("list")
@format_option
@click.option(
    "--seconds",
    type=click.FloatRange(0, 60),
    default=0.25,
    help="How long to measure the cost of a hit, in s.",
)
def probe_list(form: str, seconds: float) -> None:
    """Show the probes: how each is attached, what a hit costs, and what was held back."""
    kept = {name for name, _ in kept_probes()}
    try:
        with Recorder() as recorder:
            with run_time_statistics():
                time.sleep(seconds)
            probes = list_probes(recorder)
    except NotFound:
        probes = []
    click.echo(_show(probes, form), nl=False)
    if missing := sorted(kept - {probe.event.name for probe in probes}):
        click.echo(f"kept but not loaded: {', '.join(missing)}", err=True)


def _show(probes: list[ProbeStatus], form: str) -> str:
    """Format probes; ends with a newline."""
    if form == "text":
        return _text(probes) + "\n"
    objects = [_object(one) for one in probes]
    if form == "json":
        return as_json(objects, indent=2) + "\n"
    return objects_text(objects, form, _COLUMNS)


def _text(probes: list[ProbeStatus]) -> str:
    rows = [
        (
            one.event.name,
            one.mechanism,
            one.state,
            one.records,
            one.held,
            one.unpaired,
            one.suppressed,
            "-" if one.cost is None else f"{one.cost:.0f}",
            one.probe.words if one.probe else one.event.description,
        )
        for one in probes
    ]
    columns = "probe by state records held unpaired suppressed ns/hit definition".split()
    return plain_table(rows, columns, "lllrrrrrl")


#: Columns of a probe in machine-readable formats.
_COLUMNS = "probe mechanism state records held unpaired suppressed ns definition".split()


def _object(one: ProbeStatus) -> dict[str, Any]:
    return {
        "probe": one.event.name,
        "mechanism": one.mechanism,
        "state": one.state,
        "records": one.records,
        "held": one.held,
        "unpaired": one.unpaired,
        "suppressed": one.suppressed,
        "ns": one.cost,
        "definition": one.probe.words if one.probe else None,
    }


@probe_command.command("remove")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_probe)
def probe_remove(names: tuple[str, ...]) -> None:
    """Remove probes. Their records stay."""
    with change_recorder() as recorder:
        for name in names:
            remove_probe(recorder, name)


@probe_command.command("show")
@click.argument("target", shell_complete=complete_target)
@click.argument("expression", required=False)
def probe_show(target: str, expression: str | None) -> None:
    """Show the arguments and the result of TARGET, and the fields behind them or EXPRESSION."""
    with paged() as stream:
        stream.write(show_target(target, expression))
