# SPDX-License-Identifier: GPL-2.0-or-later
"""
Filters of masksets
-------------------

Filters select whose events are recorded: the lines ``filter KIND ...`` of a maskset.
The recorder's programs check them at each event, so they are few and simple.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
import re

from lkst.errors import Usage
from lkst.util.lists import parse_cpus, parse_pids
from lkst.util.nearest import nearest
from lkst.util.quoting import escape_pattern, quote, unescape_pattern, unescape_quoted

__all__ = (
    "MAX_CGROUPS",
    "MAX_COMMS",
    "MAX_CPUS",
    "MAX_PIDS",
    "Filter",
    "comm_bytes",
    "format_filter",
    "merge_filters",
    "parse_filter",
)

MAX_PIDS = 8
MAX_COMMS = 4
MAX_CGROUPS = 4
#: Limit of CPU numbers, exclusive.
MAX_CPUS = 1024

#: Bytes of a task's name, without the terminating zero: TASK_COMM_LEN - 1.
_COMM_SIZE = 15

_ITEM = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"(\*?)|([^\s",\\]+))\s*(,|$)', re.DOTALL)
_BARE = re.compile(r'[^\s",#\\]+')
_LITERAL = re.compile(r"[?\[]")


@dataclass(frozen=True)
class Filter:
    """Whose events are recorded. An empty part matches everything."""

    #: Thread ids, and whether tasks that they create from now on match as well.
    pids: tuple[int, ...] = ()
    children: bool = False
    #: Tasks' names, or prefixes followed by ``*``, as patterns of :mod:`lkst.util.quoting`.
    comms: tuple[str, ...] = ()
    #: Paths below the root cgroup.
    cgroups: tuple[str, ...] = ()
    cpus: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        # These are sets: compare equal in any order.
        for name in ("pids", "comms", "cgroups", "cpus"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))
        object.__setattr__(self, "children", self.children and bool(self.pids))


def parse_filter(kind: str, text: str) -> Filter:
    """
    Parse the part after ``filter KIND``.

    :param kind: ``pid``, ``comm``, ``cgroup`` or ``cpu``
    :return: a filter of this kind only
    :raises Usage: if it is invalid, or exceeds what the recorder can check
    """
    if kind not in _KINDS:
        raise Usage(
            f"no filter is called {kind!r}: use pid, comm, cgroup or cpu{nearest(kind, _KINDS)}"
        )
    if not text.strip():
        raise Usage(f"filter {kind}: a value is missing")
    return _KINDS[kind](text)


def merge_filters(filters: Iterable[Filter]) -> Filter:
    """Merge filters of several kinds; a later one replaces an earlier one of its kind."""
    merged = Filter()
    for one in filters:
        merged = Filter(
            pids=one.pids or merged.pids,
            children=one.children if one.pids else merged.children,
            comms=one.comms or merged.comms,
            cgroups=one.cgroups or merged.cgroups,
            cpus=one.cpus or merged.cpus,
        )
    return merged


def format_filter(filter_: Filter) -> list[str]:
    """Format a filter as lines of a maskset, without ``filter``."""
    lines = []
    if filter_.pids:
        pids = ",".join(map(str, filter_.pids))
        lines.append(f"pid {pids}{' children' if filter_.children else ''}")
    if filter_.comms:
        lines.append(f"comm {','.join(map(_quote_comm, filter_.comms))}")
    if filter_.cgroups:
        lines.append(f"cgroup {','.join(map(_quote, filter_.cgroups))}")
    if filter_.cpus:
        lines.append(f"cpu {_ranges(filter_.cpus)}")
    return lines


def _pids(text: str) -> Filter:
    list_, _, last = text.strip().rpartition(" ")
    children = last == "children"
    if children and not list_:
        raise Usage("children: pids are missing")
    pids = parse_pids(list_ if children else text)
    if 0 in pids:
        raise Usage("0 is not a pid: the idle tasks have none of their own")
    if len(pids) > MAX_PIDS:
        raise Usage(f"{len(pids)} pids: at most {MAX_PIDS}")
    return Filter(pids=tuple(pids), children=children)


def _comms(text: str) -> Filter:
    # Drop duplicates.
    comms = list(
        dict.fromkeys(
            bare if quoted is None else escape_pattern(quoted) + star
            for quoted, star, bare in _split(text, "name")
        )
    )
    for comm in comms:
        comm_bytes(comm)
    if len(comms) > MAX_COMMS:
        raise Usage(f"{len(comms)} task names: at most {MAX_COMMS}")
    return Filter(comms=tuple(comms))


def comm_bytes(comm: str) -> bytes:
    """
    Return the bytes that the recorder compares a task's name with: a whole name or a prefix.

    :param comm: one of a filter's names; a trailing ``*`` makes it a prefix
    :return: a whole name ends with a zero byte
    :raises Usage: if it is any other pattern, or too long
    """
    if comm == "*":
        raise Usage(f"{comm!r} matches every name: remove the filter")
    is_start = comm.endswith("*")
    name = unescape_pattern(comm.removesuffix("*"))
    if name is None:
        raise Usage(f"{comm!r}: only a whole name or a prefix can be matched: use nginx or nginx*")
    raw = name.encode("utf-8", "surrogateescape")
    if len(raw) > _COMM_SIZE:
        raise Usage(f"{name!r} is too long: the kernel keeps {_COMM_SIZE} bytes of a task's name")
    return raw if is_start else raw + b"\0"


def _cgroups(text: str) -> Filter:
    cgroups = [
        bare if quoted is None else quoted + star for quoted, star, bare in _split(text, "cgroup")
    ]
    cgroups = list(dict.fromkeys(cgroups))
    for path in cgroups:
        if not path.startswith("/") or not path.isprintable() or ".." in path.split("/"):
            raise Usage(f"{path!r} is not a cgroup: use a path such as /system.slice/nginx.service")
    if len(cgroups) > MAX_CGROUPS:
        raise Usage(f"{len(cgroups)} cgroups: at most {MAX_CGROUPS}")
    return Filter(cgroups=tuple(cgroups))


def _cpus(text: str) -> Filter:
    try:
        return Filter(cpus=tuple(parse_cpus(text, MAX_CPUS - 1)))
    except Usage as error:
        raise Usage(f"{error}, below {MAX_CPUS}") from None


_KINDS: dict[str, Callable[[str], Filter]] = {
    "pid": _pids,
    "comm": _comms,
    "cgroup": _cgroups,
    "cpu": _cpus,
}


def _split(text: str, what: str) -> Iterator[tuple[str | None, str, str]]:
    """
    Split a list whose parts may be in double quotes.

    :return: for each part: the quoted text, the ``*`` after it, the unquoted text
    """
    position, more = 0, ","
    while more:
        match = _ITEM.match(text, position)
        if not match:
            raise Usage(f'{text.strip()!r} is not a list: use a {what}, or several: a,"b c",d')
        quoted, star, bare, more = match.groups()
        yield None if quoted is None else unescape_quoted(quoted), star or "", bare or ""
        position = match.end()


def _quote_comm(comm: str) -> str:
    if _BARE.fullmatch(comm) and comm.isprintable() and not _LITERAL.search(comm):
        return comm
    star = "*" if comm.endswith("*") else ""
    return quote(unescape_pattern(comm.removesuffix("*")) or "") + star


def _quote(part: str) -> str:
    return part if _BARE.fullmatch(part) and part.isprintable() else quote(part)


def _ranges(numbers: Iterable[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ",".join("-".join(map(str, range_)) for range_ in ranges)
