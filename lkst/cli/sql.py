# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst sql``."""

from pathlib import Path
import sys
from typing import TYPE_CHECKING

import click

from lkst.cli.source import newest, report_damage
from lkst.errors import LkstError, NotFound, Usage
from lkst.replay.formats import format_option_of
from lkst.source.host import Host
from lkst.source.source import Source, take_source
from lkst.sql.schema import schema_json, schema_text
from lkst.sql.view import View
from lkst.sql.views import VIEWS
from lkst.sql.write import FORMATS, check_output, put
from lkst.util.nearest import nearest
from lkst.util.pager import paged

if TYPE_CHECKING:
    import duckdb

__all__ = ("sql_command",)


@click.command("sql")
@click.argument("words", nargs=-1, metavar="[SOURCE] [QUERY]")
@click.option("--schema", is_flag=True, help="Describe the tables: columns, units, meaning.")
@format_option_of(FORMATS)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write.",
)
def sql_command(words: tuple[str, ...], schema: bool, form: str, output: Path | None) -> int:
    """
    Query the trace of SOURCE in SQL, in the dialect of DuckDB.

    The tables are 'events', one table with the name of each event, and tables derived from them:
    running, runnable, blocked, syscalls, irqs, softirqs, block_requests, ... --schema describes
    them. before_end(ns) is a time as 'lkst replay' shows it. Without QUERY, lkst asks for queries
    on a terminal, and reads them from standard input elsewhere.
    """
    source, rest = _split(words, may_lack_source=schema)
    if schema:
        if len(rest) > 1:
            raise Usage(f"unexpected: {' '.join(rest[1:])}")
        return _schema(source, rest[0] if rest else "", form)
    if len(rest) > 1:
        raise Usage("QUERY must be one word: quote it")
    check_output(form, output)
    from lkst.sql.connect import connect, tables_of
    from lkst.sql.prompt import run_prompt, run_script

    trace = newest(source)
    connection = connect(trace)

    def show(connection: "duckdb.DuckDBPyConnection") -> None:
        names = [str(column[0]) for column in connection.description or ()]
        put(names, connection.fetchall(), form, output)

    if rest:
        run_script(connection, rest[0], show)
    elif sys.stdin.isatty():
        run_prompt(connection, show, lambda name: _describe(tables_of(trace), name))
    else:
        text = sys.stdin.read()
        if not text.strip():
            raise Usage("QUERY is missing, and input is not a terminal: lkst sql ... 'SELECT ...'")
        run_script(connection, text, show)
    return report_damage(trace)


def _split(words: tuple[str, ...], *, may_lack_source: bool) -> tuple[Source | None, list[str]]:
    """Split words into the source and the rest; a host already has a source."""
    rest = list(words)
    if isinstance(click.get_current_context().obj, Host):
        return None, rest
    if not rest and may_lack_source:
        return None, rest
    if not rest:
        raise Usage("SOURCE is missing: a vmcore, a .lkst file or a folder of them, live, kcore")
    return take_source(rest)


def _schema(source: Source | None, name: str, form: str) -> int:
    if form not in ("text", "json"):
        raise Usage("--schema needs the format text or json")
    tables = VIEWS
    if source is not None or isinstance(click.get_current_context().obj, Host):
        if isinstance(source, str) and source in VIEWS and not Path(source).exists():
            # The tables are the same for all sources; only the events differ.
            name, source = source, None
        else:
            from lkst.sql.connect import tables_of

            tables = tables_of(newest(source))
    chosen = _chosen(tables, name)
    with paged() as stream:
        stream.write(schema_json(chosen) if form == "json" else schema_text(chosen))
    return 0


def _chosen(tables: dict[str, View], name: str) -> list[View]:
    if not name:
        return list(tables.values())
    if name not in tables:
        raise NotFound(f"no table is called {name!r}{nearest(name, tables)}")
    return [tables[name]]


def _describe(tables: dict[str, View], name: str) -> str:
    try:
        return schema_text(_chosen(tables if name else VIEWS, name))
    except LkstError as error:
        return f"lkst: {error}\n"
