# SPDX-License-Identifier: GPL-2.0-or-later
"""
Who runs which tests, and in what order.

The tests of one file and one kernel stay in one worker: they share a guest, or what was read
of a dump, and no other worker waits for it, or makes it again. What takes long is begun
first, so that all workers have something to do until the end.
"""

from collections.abc import Iterable
import re

import pytest
from xdist.scheduler import LoadScopeScheduling

__all__ = ("Scheduling", "in_order")

KERNEL = re.compile(r"\[(?:.*-)?(6\.1|6\.12(?:-rt)?|7)(?:-.*)?\]$")

#: The dumps that most others read, then guests in which much is done.
FIRST = tuple(
    """
    test_story.py
    record/test_probes.py
    record/test_steering.py
    test_contexts.py
    record/test_cost.py
    record/test_filters.py
    record/test_status.py
    follow/test_logs.py
    kdump/test_system.py
    kdump/test_hooks.py
    """.split()
)
#: What makes a guest.
GUEST_FIXTURE = "lab"
#: Those that give a dump which others use as well.
SHARED_FIXTURES = {"story", "story_6_1", "kdump_6_1"}


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives a worker that has nothing to do all tests of the next file and kernel."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        found = KERNEL.search(nodeid)
        return f"{file} {found[1] if found else ''}"


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Give tests in the order in which they are begun; that of those in a file stays."""
    return sorted(items, key=_rank)


def _rank(item: pytest.Item) -> int:
    for rank, name in enumerate(FIRST):
        if item.path.match(name):
            return rank
    fixtures = set(getattr(item, "fixturenames", ()))
    makes_guest = GUEST_FIXTURE in fixtures and not fixtures & SHARED_FIXTURES
    return len(FIRST) + (not makes_guest)
