# SPDX-License-Identifier: GPL-2.0-or-later
"""
Comparing traces
----------------

Whether two sources replay the same.
"""

from collections.abc import Iterator, Sequence
import dataclasses

import numpy as np

from lkst.trace.addresses import addresses
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace

__all__ = ("difference", "pids")

#: Notes about the file, not about its contents.
_IGNORED = {"source", "kind"}


def difference(
    one: Sequence[Trace], other: Sequence[Trace], *, damaged: bool = False
) -> str | None:
    """
    Compare everything that a replay shows.

    :param damaged: the first comes from a dump with missing parts; the other does not
        say so
    :return: what differs first, or None
    """
    if len(one) != len(other):
        return f"it has {len(other)} recorders, not {len(one)}"
    for mine, yours in zip(one, other, strict=True):
        for what, same in _compare(mine, yours):
            if not same and not (damaged and what == "notes"):
                return f"{what} differs"
    return None


def pids(traces: Sequence[Trace]) -> list[int]:
    """Return the pids of the tasks that have records."""
    found = {pid for trace in traces for pid in np.unique(trace.pid).tolist()}
    return sorted(found - {0})


def _compare(one: Trace, other: Trace) -> Iterator[tuple[str, bool]]:
    for field in dataclasses.fields(one.image):
        yield field.name, getattr(one.image, field.name) == getattr(other.image, field.name)
    yield from _compare_plain(one.facts, other.facts)
    yield from _compare_plain(one.facts.names, other.facts.names)
    for pid in pids([one]):
        yield f"the name of task {pid}", one.facts.task_name(pid) == other.facts.task_name(pid)
    for address in set(addresses(one)):
        symbol = one.facts.names.symbol(address)
        yield f"the symbol at {address:#x}", symbol == other.facts.names.symbol(address)


def _compare_plain(one: Facts | Names, other: Facts | Names) -> Iterator[tuple[str, bool]]:
    for field in dataclasses.fields(one):
        mine, yours = getattr(one, field.name), getattr(other, field.name)
        if field.name not in _IGNORED and not callable(mine) and not isinstance(mine, Names):
            yield field.name, mine == yours
