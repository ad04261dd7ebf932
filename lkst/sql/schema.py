# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptions of the tables of a trace."""

from collections.abc import Iterable

from lkst.sql.view import View
from lkst.util.printable import as_json, clean
from lkst.util.tables import plain_table

__all__ = ("schema_json", "schema_text")


def schema_text(views: Iterable[View]) -> str:
    """Return descriptions of tables as text."""
    return "\n".join(map(_view_text, views))


def _view_text(view: View) -> str:
    needs = f"from {', '.join(' or '.join(e.split()) for e in view.events)}" if view.events else ""
    lines = [clean(view.name), f"  {clean(view.meaning)}"]
    if needs and view.events != (view.name,):
        lines.append(f"  {clean(needs)}")
    rows = [(c.name, c.type, clean(c.unit), clean(c.meaning)) for c in view.columns]
    table = plain_table(rows)
    return "\n".join([*lines, *(f"    {line.rstrip()}" for line in table.splitlines())]) + "\n"


def schema_json(views: Iterable[View]) -> str:
    """Return descriptions of tables as JSON."""
    answer = [
        {
            "name": view.name,
            "meaning": view.meaning,
            "events": [events.split() for events in view.events],
            "columns": [
                {"name": c.name, "type": c.type, "unit": c.unit, "meaning": c.meaning}
                for c in view.columns
            ],
        }
        for view in views
    ]
    return as_json(answer, indent=2) + "\n"
