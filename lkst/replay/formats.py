# SPDX-License-Identifier: GPL-2.0-or-later
"""
Formats
-------

Values of ``--format``, the same in all commands: ``text`` is for people, ``jsonl`` is one
JSON object per line, ``csv`` has a header line, ``json`` is one JSON value. If ``text``
and ``json`` have several tables, ``jsonl`` and ``csv`` have the one that the command's
help names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import csv
import datetime
from decimal import Decimal
import io
from typing import Any, TypeVar

import click

from lkst.util.printable import as_json, clean
from lkst.util.tables import plain_table

__all__ = (
    "PRINTED",
    "Rows",
    "format_option",
    "format_option_of",
    "json_array",
    "objects_text",
    "rows_text",
)

T = TypeVar("T")

#: Formats that can be printed. Parquet needs a file.
PRINTED = ("text", "jsonl", "csv", "json")


def format_option_of(names: Sequence[str]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Return the option ``--format``, which a command takes as ``form``."""
    return click.option(
        "--format", "form", type=click.Choice(names), default="text", help="Format of the output."
    )


format_option = format_option_of(PRINTED)

Rows = Sequence[Sequence[Any]]


def objects_text(objects: Iterable[Mapping[str, Any]], form: str, names: Sequence[str]) -> str:
    """
    Format objects as jsonl, or as CSV with a column for each name.

    In CSV, the items of a list are separated by spaces.

    :param names: keys of the objects to write
    """
    rows = [[one[name] for name in names] for one in objects]
    if form == "csv":
        rows = [[_one_cell(value) for value in row] for row in rows]
    return "".join(rows_text(names, rows, form))


def _one_cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else value


def json_array(lines: Iterable[str]) -> Iterator[str]:
    """
    Turn jsonl into one JSON array.

    :param lines: pieces of jsonl, each of whole lines
    """
    separator = "["
    for piece in lines:
        objects = piece.rstrip("\n").split("\n")
        if piece:
            yield f"{separator}\n  " + ",\n  ".join(objects)
            separator = ","
    yield "[]\n" if separator == "[" else "\n]\n"


def rows_text(names: Sequence[str], rows: Rows, form: str) -> Iterator[str]:
    """Format rows as a table, CSV, JSON lines or a JSON list."""
    if form == "csv":
        yield _csv_line(names)
        for row in rows:
            yield _csv_line([_plain(value) for value in row])
    elif form == "jsonl":
        for row in rows:
            cells = (_plain(value) for value in row)
            yield f"{as_json(dict(zip(names, cells, strict=True)))}\n"
    elif form == "json":
        yield from json_array(rows_text(names, rows, "jsonl"))
    else:
        numbers = [_is_number([row[place] for row in rows]) for place in range(len(names))]
        cells_ = [[_cell(value) for value in row] for row in rows]
        align = "".join("r" if n else "l" for n in numbers)
        yield plain_table(cells_, [clean(name) for name in names], align)
        yield "\n"


def _csv_line(row: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        [clean(value) if isinstance(value, str) else value for value in row]
    )
    return line.getvalue()


def _is_number(values: Sequence[Any]) -> bool:
    return all(value is None or isinstance(value, int | float | Decimal) for value in values)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.9g}" if abs(value) < 1e15 else repr(value)
    return clean(value if isinstance(value, str) else str(_plain(value)))


def _plain(value: Any) -> Any:
    # Value that the json module can write.
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(own) for own in value]
    if isinstance(value, datetime.timedelta):
        return str(value)
    if isinstance(value, float) and value not in (value, float("inf"), float("-inf")):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
