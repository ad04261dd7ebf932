# SPDX-License-Identifier: GPL-2.0-or-later
"""Shell completion of functions, tracepoints, fields, events and probes."""

from pathlib import Path
import re

import click
from click.shell_completion import CompletionItem

from lkst.errors import LkstError

__all__ = ("complete_event", "complete_field", "complete_probe", "complete_target")

_MANY = 500


def _items(words: list[str], incomplete: str) -> list[CompletionItem]:
    found = sorted({word for word in words if word.startswith(incomplete)})
    return [CompletionItem(word) for word in found[:_MANY]]


def complete_target(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a function or tracepoint."""
    module, colon, name = incomplete.rpartition(":")
    try:
        symbols = Path("/proc/kallsyms").read_bytes()
    except OSError:
        return []
    # ksymtab has exported tracepoints, too.
    tracepoint = re.findall(rb" \S __traceiter_(\w+)", symbols) if module != "" else []
    pattern = rb" [tTwW] (" + re.escape(name.encode()) + rb"[\w.]*)"
    if colon and module != "tracepoint":
        found = re.findall(pattern + rb"\t\[" + re.escape(module.encode()) + rb"\]", symbols)
    elif module == "tracepoint":
        found = tracepoint
    else:
        found = re.findall(pattern, symbols)
        found += re.findall(rb" \S __traceiter_(" + re.escape(name.encode()) + rb"\w*)", symbols)
    return _items([f"{module}{colon}{word.decode()}" for word in found], incomplete)


def complete_field(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete a target, or a field of the given target."""
    from lkst.record.probe.describe import fields_of

    words = list(ctx.params.get("words") or ())
    for target in words[:2]:
        try:
            return _items(fields_of(target, incomplete), incomplete)
        except LkstError:
            continue
    return complete_target(ctx, param, incomplete)


def complete_probe(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of a probe."""
    from lkst.record.probe.definition import kept_probes

    return _items([name for name, _ in kept_probes()], incomplete)


def complete_event(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the name of an event or a category, the last one of a list."""
    from lkst.record.programs.catalogue import known_catalogue

    before, comma, _ = incomplete.rpartition(",")
    try:
        events = known_catalogue().events.values()
    except LkstError:
        return []
    words = {event.name for event in events} | {event.category for event in events}
    return _items([f"{before}{comma}{word}" for word in words], incomplete)
