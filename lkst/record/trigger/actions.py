# SPDX-License-Identifier: GPL-2.0-or-later
"""
Actions
-------

The actions of a trigger, separated by commas: ``notify``, ``stack``, ``mask=NAME``,
``mask=NAME for 5s``, ``freeze``, ``freeze after 2000``, ``switch``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
import re

from lkst.errors import Usage
from lkst.record.names import check_name
from lkst.util.lists import split_list
from lkst.util.nearest import nearest
from lkst.util.units import format_duration, parse_duration

__all__ = ("MIN_DURATION", "Actions", "format_actions", "parse_actions")

#: Shortest time for which a maskset can be active, in ns.
MIN_DURATION = 1_000_000

_ACTION = re.compile(r"(\w+)\s*(.*)", re.DOTALL)
_MASK = re.compile(r"=\s*(\S+)(?:\s+for\s+(.+))?")
_AFTER = re.compile(r"after\s+([0-9]{1,10})")
#: The number of slots has 32 bits.
_MAX_SLOTS = (1 << 32) - 1


@dataclass(frozen=True)
class Actions:
    """What to do."""

    #: Send a notice to ``lkst watch``.
    notify: bool = False
    #: Record the stack as well.
    stack: bool = False
    #: Switch to a spare buffer, and keep the current one.
    switch: bool = False
    #: Stop recording after this many more slots; None: do not stop.
    freeze: int | None = None
    #: Maskset to activate, or "".
    maskset: str = ""
    #: Duration of that, in ns; 0: no limit.
    duration: int = 0


def parse_actions(text: str) -> Actions:
    """
    Parse actions separated by commas.

    :raises Usage: if an action is unknown, is given twice, or excludes another
    """
    if not text.strip():
        raise Usage(f"no action is given: use one or several of {', '.join(_PARSERS)}")
    actions = Actions()
    seen = set()
    for part in split_list(text, "word"):
        match = _ACTION.fullmatch(part)
        name, rest = (match[1], match[2]) if match else (part, "")
        if name not in _PARSERS:
            raise Usage(
                f"no action is called {name!r}: use {', '.join(_PARSERS)}{nearest(name, _PARSERS)}"
            )
        if name in seen:
            raise Usage(f"{name} is given twice in {text!r}")
        seen.add(name)
        actions = _PARSERS[name](actions, rest)
    if actions.switch and actions.freeze is not None:
        raise Usage(
            "freeze and switch exclude each other: freeze stops the buffer, switch leaves it"
        )
    return actions


def format_actions(actions: Actions) -> str:
    """Format actions as :func:`parse_actions` reads them; "" if there is none."""
    parts = [name for name in ("notify", "stack", "switch") if getattr(actions, name)]
    if actions.freeze is not None:
        parts.append(f"freeze after {actions.freeze}" if actions.freeze else "freeze")
    if actions.maskset:
        for_ = f" for {format_duration(actions.duration)}" if actions.duration else ""
        parts.append(f"mask={actions.maskset}{for_}")
    return ", ".join(parts)


def _notify(actions: Actions, rest: str) -> Actions:
    return replace(actions, notify=_alone("notify", rest))


def _stack(actions: Actions, rest: str) -> Actions:
    return replace(actions, stack=_alone("stack", rest))


def _switch(actions: Actions, rest: str) -> Actions:
    return replace(actions, switch=_alone("switch", rest))


def _alone(name: str, rest: str) -> bool:
    if rest:
        raise Usage(f"unexpected {rest!r} after {name}")
    return True


def _freeze(actions: Actions, rest: str) -> Actions:
    if not rest:
        return replace(actions, freeze=0)
    match = _AFTER.fullmatch(rest)
    if not match or int(match[1]) > _MAX_SLOTS:
        raise Usage(f"'freeze {rest}': use 'freeze', or 'freeze after 2000' for 2000 more slots")
    return replace(actions, freeze=int(match[1]))


def _mask(actions: Actions, rest: str) -> Actions:
    match = _MASK.fullmatch(rest)
    if not match:
        raise Usage(f"'mask{rest}': use 'mask=NAME' or 'mask=NAME for 5s'")
    duration = parse_duration(match[2], MIN_DURATION) if match[2] else 0
    return replace(actions, maskset=check_name("maskset", match[1]), duration=duration)


_PARSERS: dict[str, Callable[[Actions, str], Actions]] = {
    "notify": _notify,
    "stack": _stack,
    "switch": _switch,
    "freeze": _freeze,
    "mask": _mask,
}
