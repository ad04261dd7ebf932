# SPDX-License-Identifier: GPL-2.0-or-later
"""Events that a measure needs and lacks, and masksets that record them."""

from lkst.abi import layout
from lkst.abi.control import name_of
from lkst.decode.catalogue import Event
from lkst.measure.find import Measure
from lkst.measure.result import Missing
from lkst.trace.event_table import RECORDING, ends_are_recorded
from lkst.trace.trace import Trace

__all__ = ("find_missing",)


def find_missing(trace: Trace, measure: Measure) -> list[Missing]:
    """Find the events that a measure needs and that were not recorded."""
    return [
        Missing(names, _maskset(trace, names))
        for names in measure.events
        if not any(ends_are_recorded(trace, name) for name in _events(trace, names))
    ]


def _events(trace: Trace, names: tuple[str, ...]) -> list[str]:
    # Events of these names and categories.
    known = trace.catalogue.events.values()
    return [event.name for event in known if event.name in names or event.category in names]


def _maskset(trace: Trace, names: tuple[str, ...]) -> str:
    # A maskset that records one of some events.
    known = [event for event in trace.catalogue.events.values() if event.name in names]
    if not known:
        return ""
    if any(event.by_default for event in known):
        return "default"
    return _loaded(trace, known) or "all"


def _loaded(trace: Trace, events: list[Event]) -> str:
    control = trace.control
    if control is None:
        return ""
    for index in range(layout.MAX_MASKSETS):
        name = name_of(control.maskset_name[index].text)
        handlers = control.handler[index]
        if name and any(handlers[e.id] & layout.HANDLER_MASK in RECORDING for e in events):
            return name
    return ""
