# SPDX-License-Identifier: GPL-2.0-or-later
"""
Attempts
--------

Reading what may be missing.
"""

from collections.abc import Iterator
import contextlib
import logging

from drgn import FaultError

from lkst.errors import LkstError

__all__ = ("TROUBLE", "attempt")

logger = logging.getLogger("lkst.slice")

#: Whatever a damaged kernel, or an unknown one, makes the helpers raise.
TROUBLE = (AttributeError, FaultError, LkstError, LookupError, TypeError, ValueError)


@contextlib.contextmanager
def attempt(what: str) -> Iterator[None]:
    """Do without what cannot be read."""
    try:
        yield
    except TROUBLE as error:
        logger.debug("cannot read %s: %s", what, error)
