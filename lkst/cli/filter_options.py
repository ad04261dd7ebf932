# SPDX-License-Identifier: GPL-2.0-or-later
"""
Options
-------

The filters of all commands that read a trace, as options of the command line.
"""

from collections.abc import Callable, Collection
import functools
from typing import Any, TypeVar

import click

from lkst.cli.completion import complete_event
from lkst.errors import Usage
from lkst.trace.filters import (
    AROUND,
    Filters,
    parse_cpus,
    parse_last,
    parse_patterns,
    parse_pids,
    parse_time,
)

__all__ = ("MEASURED", "filter_options", "filter_options_of")

T = TypeVar("T")

_OPTIONS = (
    click.option("--cpu", metavar="LIST", multiple=True, help="Records of these CPUs: 0,2-3"),
    click.option(
        "--pid",
        metavar="LIST",
        multiple=True,
        help="Records of these tasks, or that name them; thread ids of the host: 12,34",
    ),
    click.option(
        "--comm",
        metavar="NAMES",
        multiple=True,
        help="As --pid, by name of the task: sh,'kworker/*'; quoted, no pattern: '\"[k]*\"'",
    ),
    click.option(
        "--event",
        metavar="NAMES",
        multiple=True,
        shell_complete=complete_event,
        help="Events, by name, category or LKST's old name: 'sched_*,irq'",
    ),
    click.option(
        "--buffer", metavar="NAMES", multiple=True, help="Records in these buffers: main,'spare*'"
    ),
    click.option(
        "--around",
        metavar="TIME",
        help=f"Of the records that match, the {AROUND} before and after a time: -2.5s",
    ),
    click.option("--last", metavar="N", help="Of the records that match, the last N."),
    click.option("--since", metavar="TIME", help="Records from this time on; 0 is the panic: -2s"),
    click.option("--until", metavar="TIME", help="Records up to this time: -0.5s, -300ms, -20us"),
)


def filter_options(command: Callable[..., T]) -> Callable[..., T]:
    """
    Add the filters to a command, which takes them as ``filters``.

    :param command: takes a Filters; Usage is raised if an option is invalid
    """
    return filter_options_of(_PARSERS)(command)


def filter_options_of(
    names: Collection[str],
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Add some of the filters to a command, as :func:`filter_options` adds all."""

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        @functools.wraps(command)
        def wrapper(*args: Any, **kwargs: Any) -> T:
            given = {name: kwargs.pop(name) for name in names}
            return command(*args, filters=_read(given), **kwargs)

        for name, option in reversed(list(zip(_PARSERS, _OPTIONS, strict=True))):
            if name in names:
                option(wrapper)
        return wrapper

    return decorate


_PARSERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "cpu": ("cpus", parse_cpus),
    "pid": ("pids", parse_pids),
    "comm": ("comms", parse_patterns),
    "event": ("events", parse_patterns),
    "buffer": ("buffers", parse_patterns),
    "around": ("around", parse_time),
    "last": ("last", parse_last),
    "since": ("since", parse_time),
    "until": ("until", parse_time),
}

#: Filters for intervals: anything with a start time, a CPU and a task.
MEASURED = ("cpu", "pid", "comm", "since", "until")


def _both(one: Any, other: Any) -> Any:
    return one | other if isinstance(one, frozenset) else one + other


def _read(given: dict[str, str | tuple[str, ...] | None]) -> Filters:
    values: dict[str, Any] = {}
    for name, text in given.items():
        if not text and not isinstance(text, str):
            continue
        key, parse = _PARSERS[name]
        try:
            # A repeated option adds its values.
            given_ = [parse(one) for one in ((text,) if isinstance(text, str) else text)]
            values[key] = functools.reduce(_both, given_)
        except Usage as error:
            raise Usage(f"--{name}: {error}") from None
    filters = Filters(**values)
    if filters.since is not None and filters.until is not None and filters.since > filters.until:
        raise Usage("--since is after --until")
    return filters
