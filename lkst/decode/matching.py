# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finding by name
---------------

Events of a catalogue by what a user calls them, and what was perhaps meant where
nothing has that name.
"""

from collections.abc import Iterable
import difflib
from fnmatch import fnmatchcase

from lkst.decode.catalogue import Catalogue, Event
from lkst.errors import Usage

__all__ = ("event_names", "match_events", "nearest", "old_names")

# difflib looks at all of so many words in a moment; of more, at those that begin alike.
_MANY = 4096
_ALIKE = 3


def old_names(event: Event) -> list[str]:
    """Give what LKST of 2001-2005 called an event."""
    return event.old_name.split()


def event_names(event: Event) -> list[str]:
    """Give all that an event can be found by: its name, category, and old names."""
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


def nearest(word: str, words: Iterable[str]) -> str:
    """
    Say which words were perhaps meant, in upper or lower case.

    :return: ``: did you mean sched_switch, sched_waking?``, or "" if none is near
    """
    names = {name.lower(): name for name in words}
    if len(names) > _MANY:
        start = word.lower()[:_ALIKE]
        names = {lower: name for lower, name in names.items() if lower.startswith(start)}
    near = difflib.get_close_matches(word.lower(), names, cutoff=0.5)
    return f": did you mean {', '.join(names[name] for name in near)}?" if near else ""
