# SPDX-License-Identifier: GPL-2.0-or-later
"""
The prompt of ``lkst sql``
--------------------------

Read statements from a terminal, each up to its semicolon, or from standard input.
"""

from collections.abc import Callable
import contextlib
import sys
from typing import TYPE_CHECKING

import click

from lkst.errors import LkstError
from lkst.sql.errors import sql_errors

if TYPE_CHECKING:
    import duckdb

__all__ = ("run_prompt", "run_script")

_PROMPT, _MORE = "lkst> ", "  ..> "
_HELP = "Statements end with ';'. .schema [TABLE] describes tables, .quit or Ctrl-D leaves."

Show = Callable[["duckdb.DuckDBPyConnection"], None]


def run_script(connection: "duckdb.DuckDBPyConnection", text: str, show: Show) -> None:
    """
    Run statements and show their rows.

    :raises Usage: if a statement is wrong, with the position
    """
    import duckdb

    with sql_errors():
        statements = connection.extract_statements(text)
    for statement in statements:
        with sql_errors():
            connection.execute(statement)
            rows = statement.expected_result_type == [duckdb.ExpectedResultType.QUERY_RESULT]
        if rows:
            show(connection)


def run_prompt(
    connection: "duckdb.DuckDBPyConnection", show: Show, describe: Callable[[str], str]
) -> None:
    """Prompt for statements until end of input; print the error of one that fails."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - line editing and history
    click.echo(_HELP)
    text = ""
    while True:
        try:
            line = input(_MORE if text else _PROMPT)
        except EOFError:
            click.echo()
            return
        except KeyboardInterrupt:
            click.echo()
            text = ""
            continue
        words = line.split()
        if not text and words[:1] in ([".quit"], [".exit"]):
            return
        if not text and words[:1] == [".schema"]:
            click.echo(describe(words[1] if len(words) > 1 else ""), nl=False)
            continue
        if not text and line.startswith("."):
            click.echo(_HELP)
            continue
        text = f"{text}\n{line}" if text else line
        if not text.strip():
            text = ""
        elif text.rstrip().endswith(";"):
            _try(connection, text, show)
            text = ""


def _try(connection: "duckdb.DuckDBPyConnection", text: str, show: Show) -> None:
    try:
        run_script(connection, text, show)
    except LkstError as error:
        click.echo(f"lkst: {error}", err=True)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
    sys.stdout.flush()
