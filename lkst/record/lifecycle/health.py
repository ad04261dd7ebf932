# SPDX-License-Identifier: GPL-2.0-or-later
"""
Health
------

Checks of this machine's recorder.
"""

import stat
import time

import lkst
from lkst.abi import layout
from lkst.abi.control import Control, event_state, name_of
from lkst.bpf.object import Object
from lkst.errors import LkstError
from lkst.live.recorder import Recorder
from lkst.record.lifecycle.config import CONFIG, load_config
from lkst.record.programs.attach import (
    OPTIONAL,
    RUN,
    TIMER_MAP,
    object_path,
    pin_name,
    programs_of,
    sections,
)
from lkst.record.programs.refused import read_reasons
from lkst.record.trigger.timers import has_timers

__all__ = ("find_faults",)

#: Age at which a heartbeat is reported missing, in ns, unless a trigger sets it.
_OVERDUE = 60_000_000_000

#: The event whose triggers set that age.
_AGE = "heartbeat_age"


def find_faults(recorder: Recorder) -> list[str]:
    """
    Return the faults of the recorder, one line each.

    An event that this kernel does not have is not a fault.
    """
    control = recorder.read_control()
    return [
        *_pins(recorder, control),
        *_version(recorder),
        *_events(recorder, control),
        *_maskset(control),
        *_buffers(recorder, control),
        *_heartbeat(recorder, control),
    ]


def _is_own(recorder: Recorder) -> bool:
    return recorder.header.version == lkst.__version__


def _pins(recorder: Recorder, control: Control) -> list[str]:
    faults = []
    mode = stat.S_IMODE(recorder.pins.stat().st_mode)
    if mode & 0o077:
        faults.append(f"{recorder.pins} is accessible to other users: its mode is {mode:04o}")
    pins = [f"run/{program}" for program in RUN if program not in OPTIONAL]
    pins += [f"rings/{number}" for number, buffer in enumerate(control.buffer) if buffer.state]
    if _is_own(recorder):
        pins += _map_pins(has_timers(recorder))
    missing = [pin for pin in pins if not (recorder.pins / pin).exists()]
    if missing:
        faults.append(f"no longer pinned: {', '.join(missing)}")
    return faults


def _map_pins(timers: bool) -> list[str]:
    with Object(object_path()) as bpf:
        maps = [map_ for map_ in bpf.maps() if timers or map_ != TIMER_MAP]
    return [name for name in map(pin_name, maps) if name]


def _version(recorder: Recorder) -> list[str]:
    if _is_own(recorder):
        return []
    return [f"the recorder is from lkst {recorder.header.version}, this is {lkst.__version__}"]


def _events(recorder: Recorder, control: Control) -> list[str]:
    events = recorder.catalogue.events.values()
    states = {event.name: event_state(control, event.id) for event in events}
    faults = []
    reasons = read_reasons(recorder.header)
    refused: dict[str, list[str]] = {}
    for event in events:
        if states[event.name] == "unattached":
            why = reasons.get(event.name) or reasons.get(event.hook) or "reason not known"
            refused.setdefault(why, []).append(event.name)
    faults += [f"{', '.join(names)}: not attached: {why}" for why, names in refused.items()]
    # The programs of another version are not known.
    if not _is_own(recorder):
        return faults
    with Object(object_path()) as bpf:
        known = list(sections(bpf))
    unlinked = [
        event.name
        for event in events
        if states[event.name] == "attached"
        and not all((recorder.pins / "links" / name).exists() for name in programs_of(event, known))
    ]
    if unlinked:
        faults.append(f"no longer attached: {', '.join(unlinked)}")
    return faults


def _maskset(control: Control) -> list[str]:
    if not CONFIG.exists():
        return []
    try:
        wanted = load_config().maskset
    except LkstError as error:
        return str(error).splitlines()
    # A maskset that a trigger activated for a limited time is fine.
    index = control.base_maskset if control.active_until else control.active_maskset
    name = name_of(control.maskset_name[index % layout.MAX_MASKSETS].text)
    if name == wanted:
        return []
    return [f"the maskset {name!r} is active, not {wanted!r} as set in {CONFIG}"]


def _buffers(recorder: Recorder, control: Control) -> list[str]:
    into = control.current_buffer % layout.MAX_BUFFERS
    places = recorder.places(into)
    frozen = [cpu for cpu, place in enumerate(places) if place.head >= place.limit]
    if not frozen:
        return []
    name = name_of(control.buffer[into].name)
    return [f"the buffer {name!r} is frozen on {len(frozen)} of {len(places)} CPUs"]


def _heartbeat(recorder: Recorder, control: Control) -> list[str]:
    age = time.monotonic_ns() - control.last_heartbeat
    if not control.last_heartbeat or age <= _limit(recorder, control):
        return []
    return [f"no heartbeat for {age / 1e9:.0f} s"]


def _limit(recorder: Recorder, control: Control) -> int:
    """Return the maximum age of a heartbeat, in ns: the smallest one of all triggers."""
    events = recorder.catalogue.events.values()
    age = next((event.id for event in events if event.name == _AGE), 0)
    table = control.rules[control.active_rules % 2]
    clauses = [table.clause[table.first[age] + place] for place in range(table.nr[age])]
    above = layout.OPS.index(">"), layout.OPS.index(">=")
    limits = [
        term.value[0]
        for clause in clauses
        for term in clause.term[: clause.nr_terms]
        if term.op in above
    ]
    return min(limits, default=_OVERDUE)
