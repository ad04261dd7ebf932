# SPDX-License-Identifier: GPL-2.0-or-later
"""The dump of which damaged ones, and those of other formats, are made."""

from dumps import SAMPLE
import pytest


@pytest.fixture(scope="session")
def sample() -> bytes:
    """Read the whole sample dump."""
    return SAMPLE.read_bytes()
