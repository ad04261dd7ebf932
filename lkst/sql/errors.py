# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors of DuckDB as errors of LKST."""

from collections.abc import Iterator
import contextlib
from typing import NoReturn

from lkst.errors import LkstError, Usage

__all__ = ("sql_errors",)

_INTERRUPTED = "Query interrupted"


@contextlib.contextmanager
def sql_errors(prefix: str = "") -> Iterator[None]:
    """
    Turn DuckDB's errors into LKST's, with the position in the SQL.

    :raises Usage: if the SQL is wrong
    :raises LkstError: if the query fails otherwise
    """
    import duckdb

    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (RuntimeError, duckdb.Error) as error:
        # DuckDB's client turns a signal during execution or a callback into one of these.
        if str(error) == _INTERRUPTED or KeyboardInterrupt.__name__ in str(error):
            raise KeyboardInterrupt from None
        _explain(error, prefix)


def _explain(error: Exception, prefix: str) -> NoReturn:
    import duckdb

    if isinstance(
        error, duckdb.OutOfMemoryException | duckdb.IOException | duckdb.InternalException
    ):
        raise LkstError(f"{prefix}{error}") from None
    if isinstance(error, duckdb.Error):
        raise Usage(f"{prefix}{error}") from None
    raise error
