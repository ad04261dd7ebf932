# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finding events by name
----------------------

Find the events of a catalogue by name, category or old name.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from lkst.decode.catalogue import Catalogue, Event
from lkst.errors import Usage
from lkst.util.nearest import nearest

__all__ = ("event_names", "match_events", "old_names")


def old_names(event: Event) -> list[str]:
    """Return the names of an event in LKST of 2001-2005."""
    return event.old_name.split()


def event_names(event: Event) -> list[str]:
    """Return all names that match an event: its name, its category, and its old names."""
    return [name for name in (event.name, event.category, *old_names(event)) if name]


def match_events(
    catalogue: Catalogue, patterns: Iterable[str], *, any_case: bool = True
) -> list[Event]:
    """
    Find events by name, category or name in LKST.

    :param patterns: shell patterns
    :param any_case: whether upper and lower case are the same
    :return: in the order of the catalogue
    :raises Usage: if one of the patterns matches nothing
    """

    def fold(text: str) -> str:
        return text.lower() if any_case else text

    found: dict[int, Event] = {}
    for pattern in patterns:
        matching = [
            event
            for event in catalogue.events.values()
            if any(fnmatchcase(fold(name), fold(pattern)) for name in event_names(event))
        ]
        if not matching:
            names = (name for event in catalogue.events.values() for name in event_names(event))
            raise Usage(
                f"no event, category or LKST name matches {pattern!r}{nearest(pattern, names)}"
            )
        found |= {event.id: event for event in matching}
    return [found[id_] for id_ in sorted(found)]
