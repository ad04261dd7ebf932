# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tables of TOML
--------------

Read files that users write, with a line for each key that is wrong.
"""

from collections.abc import Callable, Mapping
import tomllib
from typing import Any, TypeVar

from lkst.errors import Usage
from lkst.util.nearest import nearest

__all__ = ("Table", "parse_table")

T = TypeVar("T")


def parse_table(text: str, where: str, read: Callable[["Table"], T | None]) -> T:
    """
    Read a file of TOML.

    :param where: what the text is called in messages: a file
    :param read: reads its keys
    :raises Usage: one line for each key that is wrong
    """
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number with thousands of digits, brackets in brackets: neither is tomllib's own error.
        raise Usage(f"{where}: {error}") from None
    table = Table(data, "", [])
    found = read(table)
    table.finish()
    if found is None or table.errors:
        raise Usage("\n".join(f"{where}: {error}" for error in table.errors))
    return found


class Table:
    """A table of the file; errors in its keys are collected."""

    def __init__(self, data: Mapping[str, Any], name: str, errors: list[str]) -> None:
        self.data = data
        self.name = name
        self.errors = errors
        self.known: list[str] = []

    def key(self, key: str) -> str:
        """Name a key of it in full."""
        return f"{self.name}.{key}" if self.name else key

    def wrong(self, key: str, why: object) -> None:
        """Add an error about a key."""
        self.errors.append(f"{self.key(key)}: {why}")

    def text(self, key: str, read: Callable[[str], T], default: T | None = None) -> T | None:
        """
        Read a text.

        :param read: raises Usage if it is wrong
        :param default: of a key that may be missing
        :return: None if it is wrong or missing
        """
        self.known.append(key)
        if key not in self.data:
            return default
        value = self.data[key]
        if not isinstance(value, str):
            self.wrong(key, f'{_toml(value)} is not a text: use "..."')
            return None
        try:
            return read(value)
        except Usage as error:
            self.wrong(key, error)
            return None

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts, which may be missing."""
        self.known.append(key)
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.wrong(key, 'is not a list of texts: use ["...", "..."]')
            return ()
        return tuple(value)

    def plain(self, key: str, kind: type[T], default: T) -> T:
        """Read a number, or true or false."""
        self.known.append(key)
        value = self.data.get(key, default)
        if type(value) is not kind:
            words = "true or false" if kind is bool else "a number"
            self.wrong(key, f"{_toml(value)} is not {words}")
            return default
        return value

    def need(self, *keys: str) -> None:
        """Add an error for each required key that is missing."""
        for key in keys:
            if key not in self.data:
                self.wrong(key, "is missing")

    def tables(self, key: str, read: Callable[["Table"], T | None]) -> tuple[T, ...]:
        """Read all tables ``[[key]]``, each with a unique name."""
        self.known.append(key)
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            self.wrong(key, f"is not a list of tables: use [[{key}]]")
            return ()
        found = []
        names: dict[str, int] = {}
        for number, entry in enumerate(value, 1):
            table = Table(entry, f"{self.key(key)}[{number}]", self.errors)
            found.append(read(table))
            table.finish()
            name = entry.get("name")
            if isinstance(name, str) and names.setdefault(name, number) != number:
                table.wrong("name", f"{key} {names[name]} has the same name {name!r}")
        return tuple(one for one in found if one is not None)

    def table(self, key: str, read: Callable[["Table"], T | None]) -> T | None:
        """Read the table ``[key]``, or give None if it is not there."""
        self.known.append(key)
        if key not in self.data:
            return None
        if not isinstance(self.data[key], dict):
            self.wrong(key, f"is not a table: use [{key}]")
            return None
        table = Table(self.data[key], self.key(key), self.errors)
        found = read(table)
        table.finish()
        return found

    def finish(self) -> None:
        """Add an error for each unknown key."""
        for key in self.data:
            if key not in self.known:
                self.wrong(key, f"no such key{nearest(key, self.known)}")


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
