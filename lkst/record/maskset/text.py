# SPDX-License-Identifier: GPL-2.0-or-later
"""
Masksets as text
----------------

The text of a maskset is readable and can be compared with diff: its name, its
filters, and a line for each event with its handler. The format of LKST of
2001-2005 is read as well.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
import re

from lkst.decode.catalogue import Catalogue, Event
from lkst.decode.matching import old_names
from lkst.errors import Usage
from lkst.record.maskset.filters import Filter, format_filter, merge_filters, parse_filter
from lkst.record.maskset.handlers import (
    OFF,
    OFF_PROBE,
    RECORD,
    Handler,
    format_handler,
    parse_assignments,
    parse_handler,
)
from lkst.record.names import check_name
from lkst.util.nearest import nearest

__all__ = (
    "Filter",
    "Handler",
    "Maskset",
    "built_in",
    "format_maskset",
    "parse_assignments",
    "parse_handler",
    "parse_maskset",
    "parse_masksets",
)

#: A line without its comment.
_CODE = re.compile(r'(?:[^"#]|"(?:[^"\\]|\\.)*"?)*')

# In LKST: "# maskset name=RDEFAULT", "0x001 PROCESS_CONTEXTSWITCH 0x01".
_OLD_NAME = re.compile(r"\s*#\s*maskset name=(\S+)\s*")
_OLD_LINE = re.compile(r"0[xX][0-9a-fA-F]+\s+(\S+)\s+(0[xX][0-9a-fA-F]+)")
_OLD_HANDLERS = {0: OFF, 1: RECORD}


@dataclass(frozen=True)
class Maskset:
    """Which handler each event has."""

    name: str
    #: By event name; events that are missing are off.
    handlers: Mapping[str, Handler]
    filter: Filter = field(default_factory=Filter)
    #: Handlers of probes that do not exist: name, handler's word.
    absent: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        on = {event: handler for event, handler in self.handlers.items() if handler != OFF}
        object.__setattr__(self, "handlers", on)


def built_in(catalogue: Catalogue) -> dict[str, Maskset]:
    """Return the built-in masksets: none, default, all, and one for each category."""
    events = [event for event in catalogue.events.values() if not event.is_probe]
    # Probes are on by default.
    probes = {event.name: OFF_PROBE for event in catalogue.events.values() if event.is_probe}
    chosen = {
        "none": [],
        "default": [event for event in events if event.by_default],
        "all": events,
        **_by_category(events),
    }
    return {
        name: Maskset(
            name, {event.name: RECORD for event in of_it} | (probes if name == "none" else {})
        )
        for name, of_it in chosen.items()
    }


def _by_category(events: Iterable[Event]) -> dict[str, list[Event]]:
    categories: dict[str, list[Event]] = {}
    for event in events:
        categories.setdefault(event.category, []).append(event)
    return categories


def format_maskset(maskset: Maskset, catalogue: Catalogue) -> str:
    """
    Format a maskset with every event of the catalogue.

    :raises Usage: if it has an event that is not in the catalogue
    """
    names = {event.name for event in catalogue.events.values()}
    strange = [name for name in maskset.handlers if name not in names]
    if strange:
        raise Usage(f"maskset {maskset.name}: there is no event {', '.join(strange)}")
    lines = [f"maskset {maskset.name}"]
    lines += [f"filter {line}" for line in format_filter(maskset.filter)]
    width = max(map(len, names), default=0)
    events_ = [event for event in catalogue.events.values() if not event.is_probe]
    for category, events in _by_category(events_).items():
        lines += ["", f"# {category}"]
        for event in events:
            word = format_handler(maskset.handlers.get(event.name, OFF))
            lines.append(f"{event.name:<{width}}  {word}")
    said = {
        event.name: format_handler(maskset.handlers[event.name])
        for event in catalogue.events.values()
        if event.is_probe and event.name in maskset.handlers
    }
    if probes := sorted(said.items() | set(maskset.absent)):
        lines += ["", "# probes; others are on"]
        lines += [f"probe {name}  {word}" for name, word in probes]
    return "".join(f"{line}\n" for line in lines)


def parse_maskset(
    text: str,
    catalogue: Catalogue,
    user_handlers: Collection[str],
    name: str | None = None,
    where: str = "maskset",
) -> Maskset:
    """
    Parse a maskset.

    :param user_handlers: names of the user's handlers
    :param name: its name; overrides the name in the text
    :param where: name of the text in messages, such as a file
    :raises Usage: one line for each invalid line of the text
    """
    if name is not None:
        check_name("maskset", name)
    reader = _Reader(catalogue, user_handlers, where, name)
    for number, line in enumerate(text.splitlines(), 1):
        reader.read(number, line)
    return reader.finish()


def parse_masksets(
    text: str, catalogue: Catalogue, user_handlers: Collection[str], where: str = "masksets"
) -> list[Maskset]:
    """
    Parse several masksets, each of which begins with ``maskset NAME``.

    :raises Usage: one line for each invalid line of the text
    """
    readers: list[_Reader] = []
    strays: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = _words(line)
        if words[:1] == ["maskset"]:
            readers.append(_Reader(catalogue, user_handlers, where))
        if readers:
            readers[-1].read(number, line)
        elif words:
            strays.append(f"{where}:{number}: expected 'maskset NAME' before this line")
    masksets: dict[str, Maskset] = {}
    errors = strays[:1]
    for reader in readers:
        try:
            maskset = reader.finish()
        except Usage as error:
            errors.append(str(error))
            continue
        if maskset.name in masksets:
            errors.append(f"{where}:{reader.named}: maskset {maskset.name} is defined twice")
        masksets[maskset.name] = maskset
    if errors:
        raise Usage("\n".join(errors))
    if not masksets:
        raise Usage(f"{where}: has no maskset: each begins with 'maskset NAME'")
    return list(masksets.values())


def _words(line: str) -> list[str]:
    """Split a line into at most three words; the third is the rest."""
    match = _CODE.match(line)
    return match[0].split(None, 2) if match else []


@dataclass
class _Reader:
    """State of parsing one maskset: what was read, and the errors."""

    catalogue: Catalogue
    user_handlers: Collection[str]
    where: str
    #: Its name, and the line of the text that sets it.
    name: str | None = None
    named: int = 0
    old_name: str | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)
    #: Line of each event and filter kind that was set.
    lines: dict[str, int] = field(default_factory=dict)
    filters: list[Filter] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    absent: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.given = self.name is not None
        self.events: dict[str, list[Event]] = {}
        for event in self.catalogue.events.values():
            for name in (event.name, *old_names(event)):
                self.events.setdefault(name, []).append(event)

    def read(self, number: int, line: str) -> None:
        """Parse one line."""
        try:
            self._read(number, line)
        except Usage as error:
            self.errors.append(f"{self.where}:{number}: {error}")

    def finish(self) -> Maskset:
        """Return the maskset."""
        name = self.name or self.old_name
        if name is None and not self.named:
            self.errors.append(f"{self.where}: has no name: add a line 'maskset NAME'")
        if self.errors:
            raise Usage("\n".join(self.errors))
        assert name is not None
        return Maskset(name, self.handlers, merge_filters(self.filters), tuple(self.absent))

    def _read(self, number: int, line: str) -> None:
        if old := _OLD_NAME.fullmatch(line):
            self.old_name = check_name("maskset", old[1])
            return
        words = _words(line)
        if not words:
            return
        old = _OLD_LINE.fullmatch(" ".join(words).rstrip())
        if old:
            self._read_old(number, old[1], int(old[2], 16))
        elif words[0] == "maskset":
            self._read_name(number, words[1:])
        elif words[0] == "filter":
            self._read_filter(number, words[1:])
        elif words[0] == "probe" and len(words) == 3:
            self._read_probe(number, words[1], words[2].strip())
        elif len(words) == 2:
            self._read_event(number, *words)
        else:
            raise Usage(f"{line.strip()!r} is not a line of a maskset: expected EVENT HANDLER")

    def _once(self, what: str, number: int) -> None:
        first = self.lines.setdefault(what, number)
        if first != number:
            raise Usage(f"{what} is set twice, first in line {first}")

    def _read_name(self, number: int, words: list[str]) -> None:
        self._once("'maskset'", number)
        self.named = number
        if len(words) != 1:
            raise Usage("expected 'maskset NAME'")
        name = check_name("maskset", words[0])
        if not self.given:
            self.name = name

    def _read_filter(self, number: int, words: list[str]) -> None:
        if not words:
            raise Usage("expected 'filter pid', 'filter comm', 'filter cgroup' or 'filter cpu'")
        self._once(f"'filter {words[0]}'", number)
        self.filters.append(parse_filter(words[0], " ".join(words[1:])))

    def _read_event(self, number: int, name: str, word: str) -> None:
        for event in self._find(name):
            self._once(event.name, number)
            self.handlers[event.name] = parse_handler(word, event, self.user_handlers)

    def _read_probe(self, number: int, name: str, word: str) -> None:
        if any(event.is_probe for event in self.events.get(name, [])):
            self._read_event(number, name, word)
        else:
            # The probe may be added again later.
            self._once(name, number)
            self.absent.append((name, word))

    def _read_old(self, number: int, name: str, handler: int) -> None:
        if handler not in _OLD_HANDLERS:
            raise Usage(f"{name}: unknown handler {handler:#04x}: use 0x00 (off) or 0x01 (record)")
        if handler == 0 and name not in self.events:
            return  # It was off, and that it is.
        for event in self._find(name):
            self._once(event.name, number)
            self.handlers[event.name] = _OLD_HANDLERS[handler]

    def _find(self, name: str) -> Iterable[Event]:
        if name not in self.events:
            raise Usage(f"no event is called {name!r}{nearest(name, self.events)}")
        return self.events[name]
