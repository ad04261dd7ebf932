# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finding measures
----------------

A measure is an SQL file with a header of comments:

    -- title: System call time
    -- description: From entry to return of a system call.
    -- unit: ns
    -- events: sys_enter sys_exit
    -- by: name
    -- over-time: mean
    -- columns: name: the system call; error: errno, if it failed
    SELECT start_ns, duration_ns AS value, cpu, pid, comm, name, error FROM syscalls

The query returns a row for each value: ``start_ns``, when it began or, if that is not
known, ended; ``value``, NULL if not known; and columns to group by. All ``events`` are
needed; of events joined by ``|``, or of a category, one is enough. ``by`` is the default
grouping. ``over-time`` aggregates the values of a time bin: ``mean``, ``max``, ``sum`` or
``count``. Continuation lines are indented.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import re

from lkst.errors import LkstError, NotFound, Usage
from lkst.util.nearest import nearest

__all__ = ("FOLDER", "OVER_TIME", "Measure", "find_measure", "find_measures", "parse_measure")

#: Folder of the user's measures.
FOLDER = Path("/etc/lkst/measures")

_BUILT_IN = Path(__file__).parents[1] / "measures"

OVER_TIME = ("mean", "max", "sum", "count")

_NEEDED = ("title", "description", "unit", "events")
_KEYS = (*_NEEDED, "by", "over-time", "columns")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MAX_SIZE = 1 << 20


@dataclass(frozen=True)
class Measure:
    """An analysis that turns a trace into values over time."""

    name: str
    title: str
    description: str
    #: Unit of the values: ``ns``, ``bytes``, ``pages``, ``tasks``, ...
    unit: str
    #: Columns to group by, with their meanings.
    columns: dict[str, str]
    #: All entries are needed; of the events of an entry, one is enough.
    events: tuple[tuple[str, ...], ...]
    #: Default grouping, or "".
    by: str
    #: One of OVER_TIME.
    over_time: str
    sql: str
    path: Path


def parse_measure(text: str, path: Path) -> Measure:
    """
    Parse a measure.

    :raises Usage: if its header is wrong
    """
    values: dict[str, str] = {}
    key = ""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.fullmatch(r"--(\s*)(.*?)\s*", line)
        if not found:
            break
        entry = re.fullmatch(r"([a-z-]+):\s*(.*)", found[2])
        if entry and len(found[1]) <= 1:
            key = entry[1]
            if key not in _KEYS:
                raise Usage(f"{path}: line {number}: unknown key {key!r}: use {', '.join(_KEYS)}")
            values[key] = entry[2]
        elif key and found[2]:
            values[key] += f" {found[2]}"
    for key in _NEEDED:
        if key not in values:
            raise Usage(f"{path}: the header lacks {key!r}: add a comment '-- {key}: ...'")
    over_time = values.get("over-time", "mean")
    if over_time not in OVER_TIME:
        raise Usage(f"{path}: over-time: {over_time!r} is unknown: use {', '.join(OVER_TIME)}")
    return Measure(
        name=path.stem,
        title=values["title"],
        description=values["description"],
        unit=values["unit"],
        columns=_columns(values.get("columns", "")),
        events=tuple(tuple(word.split("|")) for word in values["events"].split()),
        by=values.get("by", ""),
        over_time=over_time,
        sql=text.strip().rstrip(";"),
        path=path,
    )


def _columns(text: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in text.split(";") if part.strip())
    return {name.strip(): meaning.strip() for name, _, meaning in pairs}


def find_measures(paths: Sequence[Path] = ()) -> dict[str, Measure]:
    """
    Find all measures: those of LKST, those of FOLDER, and those of other folders or files.

    If several have the same name, the last one counts.

    :raises LkstError: if one of ``paths`` cannot be read
    :raises Usage: if a measure is wrong
    """
    files = sorted(_BUILT_IN.glob("*.sql"))
    if FOLDER.is_dir():
        files += sorted(FOLDER.glob("*.sql"))
    for path in paths:
        if not path.exists():
            raise LkstError(f"{path}: no such file or directory")
        files += sorted(path.glob("*.sql")) if path.is_dir() else [path]
    measures = {}
    for path in files:
        measures[path.stem] = _read(path)
    return dict(sorted(measures.items()))


def _read(path: Path) -> Measure:
    if not _NAME.fullmatch(path.stem):
        raise Usage(f"{path}: {path.stem!r} is not a valid name: use letters, digits, - and _")
    try:
        if path.stat().st_size > _MAX_SIZE:
            raise Usage(f"{path}: file is larger than {_MAX_SIZE} bytes")
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise Usage(f"{path}: not a UTF-8 text file") from None
    except OSError as error:
        raise LkstError(f"{path}: {error.strerror}") from None
    return parse_measure(text, path)


def find_measure(name: str, measures: dict[str, Measure]) -> Measure:
    """
    Return a measure by name.

    :raises NotFound: if there is none
    """
    if name not in measures:
        hint = nearest(name, measures) or ": lkst measure lists them"
        raise NotFound(f"no measure {name!r}{hint}")
    return measures[name]
