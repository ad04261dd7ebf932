# SPDX-License-Identifier: GPL-2.0-or-later
"""
Finding measures
----------------

A measure is a file of SQL. What it is, is said in comments at its beginning:

    -- title: System call time
    -- description: From a system call's entry until it is back.
    -- unit: ns
    -- events: sys_enter sys_exit
    -- by: name
    -- over-time: mean
    -- columns: name: the system call; error: what it failed with
    SELECT start_ns, duration_ns AS value, cpu, pid, comm, name, error FROM syscalls

The query gives a row for each time that it is about: ``start_ns``, the moment at which
it began or, where that is not known, ended; ``value``, or NULL where it is not known;
and what it can be told by. ``events`` are needed; of those with ``|`` between, and of
those of a category, one is.
``by`` is what a report tells it by. ``over-time`` is how the values of a stretch of time
are told: ``mean``, ``max``, ``sum`` or ``count``. A line that goes on is indented.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import re

from lkst.errors import LkstError, NotFound, Usage
from lkst.util.nearest import nearest

__all__ = ("FOLDER", "OVER_TIME", "Measure", "find_measure", "find_measures", "parse_measure")

#: Where a user's own are looked for.
FOLDER = Path("/etc/lkst/measures")

_BUILT_IN = Path(__file__).parents[1] / "measures"

OVER_TIME = ("mean", "max", "sum", "count")

_NEEDED = ("title", "description", "unit", "events")
_KEYS = (*_NEEDED, "by", "over-time", "columns")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MAX_SIZE = 1 << 20


@dataclass(frozen=True)
class Measure:
    """An analysis that turns a trace into values at moments."""

    name: str
    title: str
    description: str
    #: Of the values: ``ns``, ``bytes``, ``pages``, ``tasks``, ...
    unit: str
    #: Those by which values can be told, and what they are.
    columns: dict[str, str]
    #: All of these are needed; of each tuple, one is enough.
    events: tuple[tuple[str, ...], ...]
    #: What a report tells it by, or "".
    by: str
    #: One of OVER_TIME.
    over_time: str
    sql: str
    path: Path


def parse_measure(text: str, path: Path) -> Measure:
    """
    Read a measure.

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
                raise Usage(f"{path}: line {number}: {key!r} is none of {', '.join(_KEYS)}")
            values[key] = entry[2]
        elif key and found[2]:
            values[key] += f" {found[2]}"
    for key in _NEEDED:
        if key not in values:
            raise Usage(f"{path}: the comments at the beginning do not say its {key}")
    over_time = values.get("over-time", "mean")
    if over_time not in OVER_TIME:
        raise Usage(f"{path}: over-time: {over_time!r} is none of {', '.join(OVER_TIME)}")
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

    Of one name the last one counts.

    :raises LkstError: if one of ``paths`` cannot be read
    :raises Usage: if one is wrong
    """
    files = sorted(_BUILT_IN.glob("*.sql"))
    if FOLDER.is_dir():
        files += sorted(FOLDER.glob("*.sql"))
    for path in paths:
        if not path.exists():
            raise LkstError(f"{path}: is not there")
        files += sorted(path.glob("*.sql")) if path.is_dir() else [path]
    measures = {}
    for path in files:
        measures[path.stem] = _read(path)
    return dict(sorted(measures.items()))


def _read(path: Path) -> Measure:
    if not _NAME.fullmatch(path.stem):
        raise Usage(f"{path}: {path.stem!r} is no name: letters, digits, - and _")
    try:
        if path.stat().st_size > _MAX_SIZE:
            raise Usage(f"{path}: is too large")
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        raise Usage(f"{path}: is no text") from None
    except OSError as error:
        raise LkstError(f"{path}: {error.strerror}") from None
    return parse_measure(text, path)


def find_measure(name: str, measures: dict[str, Measure]) -> Measure:
    """
    Give a measure by its name.

    :raises NotFound: if there is none
    """
    if name not in measures:
        hint = nearest(name, measures) or ": lkst measure lists them"
        raise NotFound(f"no measure is called {name!r}{hint}")
    return measures[name]
