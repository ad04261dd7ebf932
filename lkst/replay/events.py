# SPDX-License-Identifier: GPL-2.0-or-later
"""
Events
------

The catalogue of a recorder as a table.
"""

from typing import Any

from lkst.decode.catalogue import Catalogue, Event
from lkst.replay.formats import objects_text
from lkst.trace.filters import match_events, parse_patterns
from lkst.util.printable import as_json
from lkst.util.tables import plain_table

__all__ = ("show_events",)

#: Columns of the csv and jsonl formats.
_COLUMNS = ("id", "name", "category", "old_name", "hook", "by_default", "description", "fields")


def show_events(catalogue: Catalogue, pattern: str | None, form: str) -> str:
    """
    Format events; the text ends with a newline.

    :param pattern: pattern as for ``--event``; None: all events
    :param form: text, jsonl, csv (in which fields are names only) or json
    :raises Usage: if the pattern matches nothing
    """
    events = _select(catalogue, pattern)
    if form == "text":
        return _text(events)
    objects = [_object(event) for event in events]
    if form == "json":
        return as_json(objects, indent=2) + "\n"
    if form == "csv":
        for one in objects:
            one["fields"] = [field["name"] for field in one["fields"]]
    return objects_text(objects, form, _COLUMNS)


def _text(events: list[Event]) -> str:
    rows = [
        (
            event.name,
            event.category,
            event.old_name or "-",
            " ".join(field.name for field in event.fields),
            event.description,
        )
        for event in events
    ]
    columns = ["event", "category", "in LKST", "fields", "description"]
    return plain_table(rows, columns) + "\n"


def _object(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "name": event.name,
        "category": event.category,
        "old_name": event.old_name,
        "hook": event.hook,
        "by_default": event.by_default,
        "description": event.description,
        "fields": [
            {"name": field.name, "type": field.type, "unit": field.unit} for field in event.fields
        ],
    }


def _select(catalogue: Catalogue, pattern: str | None) -> list[Event]:
    if pattern is None:
        return [event for _, event in sorted(catalogue.events.items())]
    return match_events(catalogue, parse_patterns(pattern))
