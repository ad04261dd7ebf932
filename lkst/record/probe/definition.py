# SPDX-License-Identifier: GPL-2.0-or-later
"""
Definitions of probes
---------------------

The definition of a probe, and its file under /etc/lkst/probes, with the keys of
``[[probe]]`` in lkst.toml.
"""

from collections.abc import Iterable
from dataclasses import dataclass
import json
from pathlib import Path
import re
import shlex
from typing import Any

from lkst.errors import LkstError, NotFound, Usage
from lkst.record.probe.expr_parser import parse_field
from lkst.record.trigger.syntax import normalised, parse
from lkst.util.files import replacing
from lkst.util.nearest import nearest
from lkst.util.toml_table import Table, parse_table

__all__ = (
    "DEFAULT_LIMIT",
    "FOLDER",
    "Probe",
    "check_event_name",
    "check_probe",
    "delete_probe",
    "format_probe",
    "kept_probes",
    "read_probe",
    "save_probe",
)

FOLDER = Path("/etc/lkst/probes")

#: Records per ms on each CPU.
DEFAULT_LIMIT = 1000
_MAX_LIMIT = 1_000_000

_SUFFIX = ".probe"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,28}")


@dataclass(frozen=True)
class Probe:
    """The definition of a probe."""

    #: Name of the event.
    name: str
    #: ``[MODULE:]FUNCTION[+OFFSET]`` or a tracepoint.
    target: str
    fields: tuple[str, ...] = ()
    returns: bool = False
    stack: bool = False
    #: "": no condition.
    condition: str = ""
    #: Limit of records per ms on each CPU; 0: no limit.
    limit: int = DEFAULT_LIMIT

    @property
    def words(self) -> str:
        """Return it as arguments of the command, without the name."""
        words = [self.target, *self.fields]
        words += ["--return"] * self.returns + ["--stack"] * self.stack
        words += ["--if", self.condition] if self.condition else []
        words += ["--limit", str(self.limit)] if self.limit != DEFAULT_LIMIT else []
        return shlex.join(words)


def check_event_name(name: str) -> str:
    """
    Check the name of a probe's event.

    :raises Usage: if the name is not valid
    """
    if not _NAME.fullmatch(name) or "__" in name.strip("_"):
        raise Usage(
            f"{name!r} is not a valid name for a probe: a letter, then letters, digits and single"
            " '_', at most 29"
        )
    return name


def check_probe(probe: Probe) -> Probe:
    """
    Check what can be checked without a kernel.

    :return: the probe with normalised texts
    :raises Usage: if anything is wrong
    """
    check_event_name(probe.name)
    for field in probe.fields:
        parse_field(field)
    condition = probe.condition
    if condition:
        try:
            parse(condition)
        except Usage as error:
            raise Usage(f"--if: {error}") from None
        condition = normalised(condition)
    if not 0 <= probe.limit <= _MAX_LIMIT:
        raise Usage(f"limit: {probe.limit} per ms is out of range: 0 (none) to {_MAX_LIMIT}")
    return Probe(
        probe.name,
        probe.target,
        probe.fields,
        probe.returns,
        probe.stack,
        condition,
        probe.limit,
    )


def format_probe(probe: Probe) -> str:
    """Format a probe for its file, without the name."""
    # JSON strings and lists are valid TOML.
    lines = [f"target = {json.dumps(probe.target)}", f"fields = {json.dumps(list(probe.fields))}"]
    lines += ["return = true"] * probe.returns + ["stack = true"] * probe.stack
    lines += [f"if = {json.dumps(probe.condition)}"] if probe.condition else []
    lines += [f"limit = {probe.limit}"] if probe.limit != DEFAULT_LIMIT else []
    return "\n".join(lines) + "\n"


def save_probe(probe: Probe, folder: Path = FOLDER) -> None:
    """
    Save a probe.

    :raises LkstError: if its file cannot be written
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LkstError(f"{folder}: {error.strerror}") from None
    with replacing(folder / f"{probe.name}{_SUFFIX}") as file:
        file.write(format_probe(probe).encode())


def delete_probe(name: str, folder: Path = FOLDER) -> None:
    """
    Delete a saved probe.

    :raises NotFound: if no probe of this name is saved
    """
    try:
        (folder / f"{name}{_SUFFIX}").unlink()
    except FileNotFoundError:
        raise NotFound(f"no probe is called {name!r}{nearest(name, _names(folder))}") from None
    except OSError as error:
        raise LkstError(f"{folder}: {error.strerror}") from None


def _names(folder: Path) -> list[str]:
    names = (path.name.removesuffix(_SUFFIX) for path in folder.glob(f"*{_SUFFIX}"))
    return sorted(name for name in names if _NAME.fullmatch(name))


def kept_probes(folder: Path = FOLDER) -> Iterable[tuple[str, Probe | LkstError]]:
    """Return the saved probes by name, or the error of a probe's file."""
    for name in _names(folder):
        path = folder / f"{name}{_SUFFIX}"
        try:
            yield name, _parse_probe(path.read_text("utf-8"), name, str(path))
        except UnicodeDecodeError:
            yield name, Usage(f"{path}: is not a text file")
        except OSError as error:
            yield name, LkstError(f"{path}: {error.strerror}")
        except LkstError as error:
            yield name, error


def read_probe(name: str, table: Table) -> Probe | None:
    """
    Read a probe from a TOML table, and check it.

    :return: None: something is wrong; the table has the error
    """
    before = len(table.errors)
    values: dict[str, Any] = {
        "target": table.text("target", str),
        "fields": table.texts("fields"),
        "return": table.plain("return", bool, False),
        "stack": table.plain("stack", bool, False),
        "if": table.text("if", str, ""),
        "limit": table.plain("limit", int, DEFAULT_LIMIT),
    }
    table.need("target")
    if len(table.errors) > before:
        return None
    try:
        return check_probe(
            Probe(
                name,
                values["target"],
                values["fields"],
                values["return"],
                values["stack"],
                values["if"],
                values["limit"],
            )
        )
    except Usage as error:
        table.wrong("target", error)
        return None


def _parse_probe(text: str, name: str, where: str) -> Probe:
    """
    Parse a saved probe.

    :raises Usage: one line for each invalid key
    """
    return parse_table(text, where, lambda table: read_probe(name, table))
