# SPDX-License-Identifier: GPL-2.0-or-later
"""
Health
------

Whether the recorder of this machine is what it should be.
"""

import stat
import time

import lkst
from lkst import layout
from lkst.control import name_of
from lkst.errors import LkstError
from lkst.record.config import CONFIG, load_config
from lkst.record.pins import Recorder
from lkst.record.programs import pin_name

__all__ = ("find_faults",)

#: What must be pinned beside the maps that a Recorder opens.
_PINS = ("lkst_buffers", "lkst_notices", "lkst_followed")

#: A heart that has not beaten for so long is told of, in ns, if no trigger says when.
_OVERDUE = 60_000_000_000


def find_faults(recorder: Recorder) -> list[str]:
    """
    Say what is not as it should be, a line each.

    An event that this kernel does not have is no fault.
    """
    return [
        *_pins(recorder),
        *_version(recorder),
        *_events(recorder),
        *_maskset(recorder),
        *_buffers(recorder),
        *_heart(recorder),
    ]


def _pins(recorder: Recorder) -> list[str]:
    faults = []
    mode = stat.S_IMODE(recorder.pins.stat().st_mode)
    if mode & 0o077:
        faults.append(f"{recorder.pins} is open to others: its mode is {mode:04o}")
    for name in _PINS:
        if not (recorder.pins / str(pin_name(name))).exists():
            faults.append(f"the pin of {name} is missing")
    return faults


def _version(recorder: Recorder) -> list[str]:
    if recorder.header.version == lkst.__version__:
        return []
    return [f"the recorder is of lkst {recorder.header.version}, this is {lkst.__version__}"]


def _events(recorder: Recorder) -> list[str]:
    control = recorder.look()
    refused, unlinked = [], []
    links = {path.name.partition("-")[0] for path in (recorder.pins / "links").iterdir()}
    for event in recorder.catalogue.events.values():
        state = layout.STATES[control.state[event.id] % len(layout.STATES)]
        if state == "unattached":
            refused.append(event.name)
        # A delay's programs are named after it.
        fed = any(link == event.hook or link.startswith(f"{event.name}__") for link in links)
        if state == "attached" and event.hook and not fed:
            unlinked.append(event.name)
    faults = []
    if refused:
        faults.append(f"the kernel refused {', '.join(refused)}")
    if unlinked:
        faults.append(f"no longer attached: {', '.join(unlinked)}")
    return faults


def _maskset(recorder: Recorder) -> list[str]:
    if not CONFIG.exists():
        return []
    try:
        wanted = load_config().maskset
    except LkstError as error:
        return [str(error)]
    control = recorder.look()
    # What a trigger has switched to for a while is as it should be.
    index = control.base if control.until else control.active
    name = name_of(control.maskset[index % layout.MAX_MASKSETS].text)
    if name == wanted:
        return []
    return [f"the maskset {name!r} is active, not {wanted!r} as {CONFIG} says"]


def _buffers(recorder: Recorder) -> list[str]:
    control = recorder.look()
    places = recorder.places(control.into % layout.MAX_BUFFERS)
    frozen = [cpu for cpu, place in enumerate(places) if place.head >= place.limit]
    if not frozen:
        return []
    name = name_of(control.buffer[control.into % layout.MAX_BUFFERS].name)
    return [f"the buffer {name!r} is frozen on {len(frozen)} of {len(places)} CPUs"]


def _heart(recorder: Recorder) -> list[str]:
    beat = recorder.look().beat
    age = time.monotonic_ns() - beat
    return [f"no heartbeat for {age / 1e9:.0f} s"] if beat and age > _OVERDUE else []
