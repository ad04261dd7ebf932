# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names
-----

Event names that users type, and names that they give.
"""

import re

from lkst.decode.catalogue import Catalogue, Event
from lkst.decode.matching import match_events
from lkst.errors import Usage
from lkst.util.lists import split_list

__all__ = ("HANDLERS", "check_name", "find_events")

#: Built-in handlers.
HANDLERS = ("off", "record", "stack", "count", "hist")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,29}")


def find_events(catalogue: Catalogue, pattern: str) -> list[Event]:
    """
    Find events by name: ``sched_switch``, ``irq``, ``PROCESS_WAKEUP``, ``sched_*,block``.

    :raises Usage: if a part of the list does not match any event
    """
    return match_events(catalogue, split_list(pattern, "name"), any_case=False)


def check_name(kind: str, name: str) -> str:
    """
    Check a name that a user chose.

    :param kind: ``maskset``, ``handler``, ``trigger``, ``buffer``
    :return: the name
    :raises Usage: if the name is not valid
    """
    if not _NAME.fullmatch(name):
        raise Usage(
            f"{name!r} is not a valid name for a {kind}: a letter, then letters, digits, '_' and"
            " '-', at most 30"
        )
    if kind == "handler" and name in HANDLERS:
        raise Usage(f"{name!r} is not a valid name for a handler: a built-in handler has it")
    return name
