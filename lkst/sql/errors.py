# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with SQL, for the user."""

from collections.abc import Iterator
import contextlib
from typing import NoReturn

from lkst.errors import LkstError, Usage

__all__ = ("sql_errors",)

_INTERRUPTED = "Query interrupted"


@contextlib.contextmanager
def sql_errors(prefix: str = "") -> Iterator[None]:
    """
    Turn DuckDB's errors into those that a user is told, with the position.

    :raises Usage: if the SQL is wrong
    :raises LkstError: if it cannot be done
    """
    import duckdb

    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (RuntimeError, duckdb.Error) as error:
        # What DuckDB's client makes of a signal while it executes, or calls us.
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
