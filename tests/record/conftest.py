# SPDX-License-Identifier: GPL-2.0-or-later
"""Catalogues for the tests of what users write."""

from dataclasses import replace

import pytest

from lkst.decode.catalogue import Catalogue, Event, Field
from lkst.record.programs.catalogue import built_catalogue

#: An event of a delay, whether the recorder has such ones or not.
DELAY = Event(
    id=250,
    name="test_delay",
    category="delay",
    old_name="",
    hook="",
    description="a task waited",
    by_default=True,
    fields=(
        Field("comm", "comm", "pid", 0, 16),
        Field("pid", "pid", "", 16, 4),
        Field("delay", "u64", "ns", 20, 8),
        Field("since", "u64", "ns", 28, 8),
    ),
)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Give the catalogue of this installation, with a delay in it."""
    built = built_catalogue()
    return replace(built, events={**built.events, DELAY.id: DELAY})
