# SPDX-License-Identifier: GPL-2.0-or-later
"""
Writing rows
------------

Print rows of a query or a measure, or write them to a file, also as Parquet.
"""

from collections.abc import Sequence
from pathlib import Path

from lkst.errors import Usage
from lkst.replay.formats import PRINTED, Rows, rows_text
from lkst.util.files import replacing
from lkst.util.pager import paged

__all__ = ("FORMATS", "check_output", "put")

FORMATS = (*PRINTED, "parquet")


def check_output(form: str, output: Path | None) -> None:
    """
    Check that a format can be written to an output.

    :raises Usage: if it cannot
    """
    if form == "parquet" and output is None:
        raise Usage("--format parquet needs a file: add -o FILE")


def put(names: Sequence[str], rows: Rows, form: str, output: Path | None) -> None:
    """
    Write rows to a file or to standard output.

    :param form: one of FORMATS
    :raises LkstError: if the file cannot be written; the old file is kept
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


def _put_parquet(names: Sequence[str], rows: Rows, output: Path) -> None:
    from lkst.sql.connect import need

    need("sql", "pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = [pa.array([row[place] for row in rows]) for place in range(len(names))]
    with replacing(output) as file:
        pq.write_table(pa.Table.from_arrays(columns, names=list(names)), file)
