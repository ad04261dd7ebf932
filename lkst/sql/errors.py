# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with SQL, for the user."""

from collections.abc import Iterator
import contextlib

from lkst.errors import LkstError, Usage

__all__ = ("sql_errors",)


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
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InternalException) as error:
        raise LkstError(f"{prefix}{error}") from None
    except duckdb.Error as error:
        raise Usage(f"{prefix}{error}") from None
