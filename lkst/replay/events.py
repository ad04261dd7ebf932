# SPDX-License-Identifier: GPL-2.0-or-later
"""
Events
------

The catalogue of a recorder as a table.
"""

from tabulate import tabulate

from lkst.decode.catalogue import Catalogue, Event
from lkst.trace.filters import match_events, parse_patterns
from lkst.util.printable import as_json

__all__ = ("events_json", "events_text")


def events_text(catalogue: Catalogue, pattern: str | None = None) -> str:
    """
    Show events as a table; ends with a line's end.

    :param pattern: as ``--event`` takes it; None: all
    :raises Usage: if it matches nothing
    """
    rows = [
        (
            event.name,
            event.category,
            event.old_name or "-",
            " ".join(field.name for field in event.fields),
            event.description,
        )
        for event in _select(catalogue, pattern)
    ]
    columns = ["event", "category", "in LKST", "fields", "description"]
    return tabulate(rows, columns, tablefmt="plain", disable_numparse=True) + "\n"


def events_json(catalogue: Catalogue, pattern: str | None = None) -> str:
    """
    Show events as a JSON array; ends with a line's end.

    :param pattern: as ``--event`` takes it; None: all
    :raises Usage: if it matches nothing
    """
    answer = [
        {
            "id": event.id,
            "name": event.name,
            "category": event.category,
            "old_name": event.old_name,
            "hook": event.hook,
            "by_default": event.by_default,
            "description": event.description,
            "fields": [
                {"name": field.name, "type": field.type, "unit": field.unit}
                for field in event.fields
            ],
        }
        for event in _select(catalogue, pattern)
    ]
    return as_json(answer, indent=2) + "\n"


def _select(catalogue: Catalogue, pattern: str | None) -> list[Event]:
    if pattern is None:
        return [event for _, event in sorted(catalogue.events.items())]
    return match_events(catalogue, parse_patterns(pattern))
