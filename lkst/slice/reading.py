# SPDX-License-Identifier: GPL-2.0-or-later
"""
Reading
-------

Read memory only so that it goes into the slice; it may be missing or damaged.
"""

from collections.abc import Iterable, Iterator
import contextlib
import logging

from drgn import FaultError, Object, sizeof

from lkst.errors import LkstError

__all__ = ("TROUBLE", "attempt", "distinct", "touch")

logger = logging.getLogger("lkst.slice")

#: Whatever a damaged kernel, or an unknown one, makes the helpers raise.
TROUBLE = (AttributeError, FaultError, LkstError, LookupError, TypeError, ValueError)


@contextlib.contextmanager
def attempt(what: str) -> Iterator[None]:
    """Ignore memory that cannot be read."""
    try:
        yield
    except TROUBLE as error:
        logger.debug("cannot read %s: %s", what, error)


def touch(pointer: Object) -> None:
    """Read the whole of what a pointer points to."""
    if pointer:
        with attempt(f"a {pointer.type_.type.type_name()}"):
            pointer.prog_.read(pointer.value_(), sizeof(pointer.type_.type))


def distinct(objects: Iterable[Object]) -> Iterator[Object]:
    """Yield pointers until one repeats: a list in a damaged dump can be circular."""
    seen = set()
    for found in objects:
        if found.value_() in seen:
            break
        seen.add(found.value_())
        yield found
