# SPDX-License-Identifier: GPL-2.0-or-later
"""
Handler words
-------------

The words for what happens when an event fires: ``record``, ``off``, ``stack``,
``count``, ``hist(bytes)``, or the name of a user's handler.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
import re

from lkst.decode.catalogue import Catalogue, Event, Field
from lkst.errors import Usage
from lkst.record.names import HANDLERS, find_events
from lkst.util.nearest import nearest

__all__ = ("Handler", "format_handler", "parse_assignments", "parse_handler")

_WORD = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(?:\(([^()]*)\))?")


@dataclass(frozen=True)
class Handler:
    """What happens when an event fires."""

    #: ``off``, ``record``, ``stack``, ``count``, ``hist``, or a user's handler.
    kind: str
    #: For ``hist``: the field whose values are counted; otherwise "".
    argument: str = ""
    #: For "off": whether a maskset turns a probe off, which is on by default.
    explicit: bool = False


OFF = Handler("off")
OFF_PROBE = Handler("off", explicit=True)
RECORD = Handler("record")


def format_handler(handler: Handler) -> str:
    """Format a handler as :func:`parse_handler` reads it."""
    return f"{handler.kind}({handler.argument})" if handler.argument else handler.kind


def parse_handler(word: str, event: Event, user_handlers: Collection[str]) -> Handler:
    """
    Parse a handler's word.

    :param event: the event it is for
    :param user_handlers: names of the user's handlers
    :raises Usage: if there is no such handler, or it does not suit the event
    """
    match = _WORD.fullmatch(word)
    kind, argument = (match[1], match[2]) if match else (word, None)
    if kind == "hist":
        return Handler(kind, _histogram_field(event, argument))
    if not match or (kind not in HANDLERS and kind not in user_handlers):
        raise Usage(f"no handler is called {kind!r}{nearest(kind, [*HANDLERS, *user_handlers])}")
    if argument is not None:
        raise Usage(f"{word!r}: only hist takes a field")
    return OFF_PROBE if event.is_probe and kind == "off" else Handler(kind)


def _histogram_field(event: Event, name: str | None) -> str:
    numbers = [field for field in event.fields if field.is_number and field.type != "text"]
    if not numbers:
        raise Usage(f"{event.name} has no numeric field for a histogram")
    choice = f"use hist(FIELD) with one of {', '.join(field.name for field in numbers)}"
    if name is None:
        likely = _likely_fields(event, numbers)
        if len(likely) != 1:
            raise Usage(f"hist of {event.name}: several fields are possible: {choice}")
        return likely[0].name
    found = event.field(name)
    if found is None:
        raise Usage(f"{event.name} has no field {name!r}: {choice}")
    if found not in numbers:
        raise Usage(f"{event.name}.{name} is not a number: {choice}")
    return name


def _likely_fields(event: Event, numbers: list[Field]) -> list[Field]:
    if event.category == "delay":
        return [field for field in numbers if field.name == "delay"]
    return [field for field in numbers if field.unit]


def parse_assignments(
    words: Iterable[str], catalogue: Catalogue, user_handlers: Collection[str]
) -> dict[str, Handler]:
    """
    Parse ``EVENT=HANDLER`` words; the last one for an event counts.

    :param words: EVENT may be a name, a category, LKST's old name, or a shell pattern
    :return: handlers by event name, including those that are off
    :raises Usage: one line for each invalid word
    """
    handlers: dict[str, Handler] = {}
    errors = []
    for word in words:
        pattern, equals, handler = word.partition("=")
        try:
            if not equals:
                raise Usage("expected EVENT=HANDLER, such as sched_switch=record")
            handlers |= _assign(handler, find_events(catalogue, pattern), user_handlers)
        except Usage as error:
            errors.append(f"{word}: {error}")
    if errors:
        raise Usage("\n".join(errors))
    return handlers


def _assign(word: str, events: list[Event], user_handlers: Collection[str]) -> dict[str, Handler]:
    handlers = {}
    refused = []
    for event in events:
        try:
            handlers[event.name] = parse_handler(word, event, user_handlers)
        except Usage as error:
            refused.append(str(error))
    if refused:
        others = len(refused) - 1
        raise Usage(refused[0] + (f" (and {others} more events)" if others else ""))
    return handlers
