# SPDX-License-Identifier: GPL-2.0-or-later
"""
Rows in a format
----------------

Rows of a query, or of anything else, as text (a table), JSON, CSV or Parquet.
"""

from collections.abc import Iterator, Sequence
import csv
import datetime
from decimal import Decimal
import io
from pathlib import Path
from typing import Any

from tabulate import tabulate

from lkst.errors import Usage
from lkst.util.files import replacing
from lkst.util.pager import paged
from lkst.util.printable import as_json, clean

__all__ = ("FORMATS", "check_output", "put", "rows_text")

#: A format has the same name in all commands: jsonl is one object a line, json one for all.
FORMATS = ("text", "jsonl", "csv", "json", "parquet")

Rows = Sequence[Sequence[Any]]


def check_output(form: str, output: Path | None) -> None:
    """
    See to it that a format goes where it is to go.

    :raises Usage: if it does not
    """
    if form == "parquet" and output is None:
        raise Usage("--format parquet goes into a file: say -o FILE")


def put(names: Sequence[str], rows: Rows, form: str, output: Path | None) -> None:
    """
    Write rows to a file or to standard output.

    :param form: one of FORMATS
    :raises LkstError: if the file cannot be written; then the old one stays
    """
    if form == "parquet":
        assert output is not None
        _put_parquet(names, rows, output)
        return
    text = rows_text(names, rows, form)
    if output is None:
        with paged() as stream:
            for part in text:
                stream.write(part)
        return
    with replacing(output) as file:
        for part in text:
            file.write(part.encode("utf-8", "surrogatepass"))


def rows_text(names: Sequence[str], rows: Rows, form: str) -> Iterator[str]:
    """Write rows as a table, as CSV, or as JSON in lines or in one list."""
    if form == "csv":
        yield _csv_line(names)
        for row in rows:
            yield _csv_line([_plain(value) for value in row])
    elif form == "jsonl":
        for row in rows:
            cells = (_plain(value) for value in row)
            yield f"{as_json(dict(zip(names, cells, strict=True)))}\n"
    elif form == "json":
        separator = "["
        for row in rows:
            cells = (_plain(value) for value in row)
            yield f"{separator}\n  {as_json(dict(zip(names, cells, strict=True)))}"
            separator = ","
        yield "[]\n" if separator == "[" else "\n]\n"
    else:
        numbers = [_is_number([row[place] for row in rows]) for place in range(len(names))]
        cells_ = [[_cell(value) for value in row] for row in rows]
        yield tabulate(
            cells_,
            [clean(name) for name in names],
            tablefmt="plain",
            disable_numparse=True,
            colalign=["right" if n else "left" for n in numbers] if rows else None,
        )
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
    """Give what JSON has for a value."""
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


def _put_parquet(names: Sequence[str], rows: Rows, output: Path) -> None:
    from lkst.sql.connect import need

    need("sql", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [pa.array([row[place] for row in rows]) for place in range(len(names))]
    with replacing(output) as file:
        pq.write_table(pa.Table.from_arrays(columns, names=list(names)), file)
