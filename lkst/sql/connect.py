# SPDX-License-Identifier: GPL-2.0-or-later
"""
A trace in SQL
--------------

Register the columns of a trace as tables of DuckDB: Arrow tables over numpy's memory. A
table is built when a query first asks for its rows.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lkst.decode.catalogue import PROBE
from lkst.errors import LkstError
from lkst.sql.columns import Column, Maybe, Names, TableColumns
from lkst.sql.records import event_views
from lkst.sql.view import BIGINT, BOOLEAN, INTEGER, TEXT, UBIGINT, View
from lkst.sql.views import VIEWS
from lkst.trace.trace import Trace
from lkst.util.interrupts import deferred_interrupts

if TYPE_CHECKING:
    import duckdb

__all__ = ("connect", "need", "tables_of")

#: Rows of a batch; a thread takes one at a time.
_BATCH = 1 << 17

#: Maximum size in bytes of tables that are kept for further queries.
_MAX_KEPT_BYTES = 1 << 28


def need(extra: str, *modules: str) -> None:
    """
    Check that an extra is installed.

    :raises LkstError: if it is not
    """
    import importlib

    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise LkstError(
                f"this needs {module}, which is not installed ({error}):"
                f" pip install 'lkst[{extra}]'"
            ) from None


def connect(trace: Trace) -> "duckdb.DuckDBPyConnection":
    """
    Open a trace as a database, in which nothing can be changed but what it makes itself.

    It has the tables of :func:`tables_of`, and ``before_end(ns)``: seconds from the trace's
    end, negative before it. If the trace is a selection, the tables have the whole trace.

    :raises LkstError: if DuckDB or pyarrow is not installed
    """
    with deferred_interrupts():
        need("sql", "duckdb", "pyarrow")
        import duckdb

    connection = duckdb.connect(":memory:")
    # Do not let names of Python variables resolve to tables.
    connection.execute("SET python_enable_replacements = false")
    # The progress bar would go to standard output.
    connection.execute("SET enable_progress_bar = false")
    made = _Made(TableColumns(trace))
    for view in tables_of(trace).values():
        connection.register(view.name, _Lazy(view, made))
    connection.execute(
        f"CREATE MACRO before_end(ns) AS (ns - {int(trace.end)}::BIGINT) / 1e9::DOUBLE"
    )
    return connection


def tables_of(trace: Trace) -> dict[str, View]:
    """
    Return all tables of a trace by name: the views and one table for each event.

    If the name of a probe is taken already, its table has the prefix "probe_".
    """
    # SQL names are case-insensitive.
    taken = set(VIEWS)
    tables = dict(VIEWS)
    for view in event_views(trace.catalogue):
        if view.name.lower() in taken:
            view = replace(view, name=f"{PROBE}_{view.name}")
        if view.name.lower() not in taken:
            taken.add(view.name.lower())
            tables[view.name] = view
    return tables


class _Made:
    # Cache of the most recently used tables.

    def __init__(self, columns: TableColumns) -> None:
        self._columns = columns
        self._tables: dict[str, Any] = {}

    def table(self, view: View, schema: Any) -> Any:
        import pyarrow as pa

        table = self._tables.pop(view.name, None)
        if table is None:
            columns = view.build(self._columns)
            arrays = [_arrow(columns[field.name], field.type) for field in schema]
            batches = pa.Table.from_arrays(arrays, schema=schema).to_batches(_BATCH)
            table = pa.Table.from_batches(batches, schema)
        self._tables[view.name] = table
        while (
            len(self._tables) > 1 and sum(t.nbytes for t in self._tables.values()) > _MAX_KEPT_BYTES
        ):
            del self._tables[next(iter(self._tables))]
        return table


class _Lazy:
    # A table that is built when its rows are read: Arrow's PyCapsule interface.

    def __init__(self, view: View, made: _Made) -> None:
        self._view = view
        self._made = made

    def _schema(self) -> Any:
        import pyarrow as pa

        types = _types()
        return pa.schema([(column.name, types[column.type]) for column in self._view.columns])

    def __arrow_c_schema__(self) -> object:
        return self._schema().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._made.table(self._view, self._schema()).__arrow_c_stream__(requested_schema)


def _types() -> Mapping[str, Any]:
    import pyarrow as pa

    return {
        BIGINT: pa.int64(),
        INTEGER: pa.int32(),
        UBIGINT: pa.uint64(),
        BOOLEAN: pa.bool_(),
        TEXT: pa.dictionary(pa.int32(), pa.string()),
    }


def _arrow(column: Column, type_: Any) -> Any:
    # Convert a column to Arrow, without a copy if it has the right type.
    import pyarrow as pa

    if isinstance(column, Names):
        codes = column.codes.astype(np.int32, copy=False)
        valid = codes >= 0
        index = _buffers(codes, None if valid.all() else valid, pa.int32())
        return pa.DictionaryArray.from_arrays(index, pa.array(column.names, pa.string()))
    if isinstance(column, Maybe):
        valid = column.valid
        return _buffers(column.values, None if valid.all() else valid, type_)
    return _buffers(column, None, type_)


def _buffers(values: Any, valid: Any, type_: Any) -> Any:
    import pyarrow as pa

    if pa.types.is_boolean(type_):
        data = np.packbits(values.astype(bool), bitorder="little")
    else:
        data = np.ascontiguousarray(values.astype(type_.to_pandas_dtype(), copy=False))
    bits = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(type_, len(values), [bits, pa.py_buffer(data)])
