# SPDX-License-Identifier: GPL-2.0-or-later
"""
Masksets in the kernel
----------------------

At most ``layout.MAX_MASKSETS`` masksets are loaded: the active one, those that
triggers switch to, and those that a user keeps loaded. A loaded maskset is never
changed: a new one is written to a free entry and then replaces it with one store.
"""

from collections.abc import Iterable
from pathlib import Path

from lkst.abi import layout
from lkst.abi.control import Control, Filter
from lkst.abi.kernel_constants import SIGNED
from lkst.bpf.maps import look_up, map_keys, update_map
from lkst.decode.catalogue import Catalogue, Event
from lkst.errors import LkstError, Usage
from lkst.live.recorder import Recorder
from lkst.record.maskset.filters import comm_bytes
from lkst.record.maskset.text import Filter as FilterText
from lkst.record.maskset.text import Handler, Maskset

__all__ = (
    "clean_up",
    "find_loaded",
    "follow",
    "keep_loaded",
    "load_maskset",
    "loaded_masksets",
    "replace_maskset",
    "set_evaluate_flags",
    "set_handler",
    "unload",
)

_CGROUPS = Path("/sys/fs/cgroup")

#: Event 0 does not exist: its byte is set if a user wants the maskset to stay loaded.
_KEPT = 0


def loaded_masksets(control: Control) -> dict[str, int]:
    """Return the loaded masksets: name -> number."""
    return {
        name.text.decode(): index for index, name in enumerate(control.maskset_name) if name.text
    }


def find_loaded(control: Control, name: str) -> int | None:
    """Return the number of a loaded maskset; None: it is not loaded."""
    return loaded_masksets(control).get(name)


def load_maskset(recorder: Recorder, maskset: Maskset) -> int:
    """
    Write a maskset to a free entry.

    :return: its number; it has no effect until it is activated
    :raises LkstError: if no entry is free
    """
    control = recorder.live
    index = next((i for i, name in enumerate(control.maskset_name) if not name.text), None)
    if index is None:
        raise LkstError(f"{layout.MAX_MASKSETS} masksets are loaded, the maximum: unload one first")
    where = recorder.catalogue
    row, arguments = bytearray(layout.MAX_EVENTS), bytearray(layout.MAX_EVENTS)
    for event in where.events.values():
        handler = _handler(event, maskset.handlers.get(event.name))
        row[event.id] = _handler_id(control, handler)
        if handler.kind == "hist":
            arguments[event.id] = _hist(recorder, event, handler.argument)
    for event_id in range(layout.MAX_EVENTS):
        control.handler[index][event_id] = row[event_id]
        control.handler_argument[index][event_id] = arguments[event_id]
    _set_filter(recorder, index, maskset.filter)
    control.maskset_name[index].text = maskset.name.encode()
    set_evaluate_flags(control, where)
    return index


def _handler(event: Event, said: Handler | None) -> Handler:
    """Return an event's handler; the default of a probe is record, of other events off."""
    if said is None and event.is_probe:
        return Handler("stack" if event.with_stack else "record")
    return said or Handler("off")


def set_handler(recorder: Recorder, index: int, event: Event, said: Handler | None) -> None:
    """Set the handler of a new event in a loaded maskset."""
    control = recorder.live
    handler = _handler(event, said)
    if handler.kind == "hist":
        control.handler_argument[index][event.id] = _hist(recorder, event, handler.argument)
    control.handler[index][event.id] = _handler_id(control, handler)


def _handler_id(control: Control, handler: Handler) -> int:
    if handler.kind in layout.HANDLERS:
        return layout.HANDLERS.index(handler.kind)
    users = [name.text.decode() for name in control.user_handler]
    if handler.kind not in users:
        raise Usage(f"the handler {handler.kind!r} is not loaded: lkst handler load")
    return layout.HANDLER_USER + users.index(handler.kind)


def _hist(recorder: Recorder, event: Event, field_name: str) -> int:
    """Find the histogram of a field, or create one."""
    control = recorder.live
    field = event.field(field_name)
    assert field is not None
    wanted = (event.id, field.offset)
    for index, hist in enumerate(control.hist):
        if (hist.event, hist.offset) == wanted:
            return index
    used = _hists_used(control)
    for index, hist in enumerate(control.hist):
        if index in used or hist.event:
            continue
        recorder.clear_hist(index)
        hist.offset, hist.size, hist.is_signed = field.offset, field.size, field.type in SIGNED
        hist.event = event.id
        return index
    raise LkstError(f"there are {layout.MAX_HISTS} histograms, the maximum: turn one off first")


def _hists_used(control: Control) -> set[int]:
    hist = layout.HANDLERS.index("hist")
    return {
        control.handler_argument[index][event]
        for index in loaded_masksets(control).values()
        for event in range(layout.MAX_EVENTS)
        if control.handler[index][event] & layout.HANDLER_MASK == hist
    }


def _set_filter(recorder: Recorder, index: int, wanted: FilterText) -> None:
    filter_ = Filter()
    if wanted.cpus:
        filter_.flags |= layout.BY_CPU
        for cpu in wanted.cpus:
            filter_.cpus[cpu // 64] |= 1 << cpu % 64
    for place, pattern in enumerate(wanted.comms):
        filter_.flags |= layout.BY_COMM
        name = comm_bytes(pattern)
        filter_.comm[place].comm[: len(name)] = name
        filter_.comm[place].size = len(name)
    for place, path in enumerate(wanted.cgroups):
        filter_.flags |= layout.BY_CGROUP
        id_, level = _find_cgroup(path)
        filter_.cgroup[place].id, filter_.cgroup[place].level = id_, level
        filter_.cgroup[place].used = 1
    if wanted.pids:
        filter_.flags |= layout.BY_PID
    control = recorder.live
    bit = 1 << index
    control.follow_children = (
        control.follow_children | bit if wanted.children else control.follow_children & ~bit
    )
    control.filter[index] = filter_


def _find_cgroup(path: str) -> tuple[int, int]:
    """Return a cgroup's id, which is its inode number, and its depth (cgroup_id(), kernfs)."""
    folder = _CGROUPS / path.strip("/")
    if not (_CGROUPS / "cgroup.procs").exists():
        raise LkstError(f"no cgroup2 file system is mounted at {_CGROUPS}")
    try:
        return folder.stat().st_ino, len(folder.relative_to(_CGROUPS).parts)
    except OSError:
        raise LkstError(f"there is no cgroup {path}") from None


def follow(recorder: Recorder, index: int, pids: Iterable[int]) -> None:
    """
    Start to follow processes, with all their threads.

    Call this when the programs that follow child processes are attached.

    :param index: of the maskset whose filter wants them
    :raises LkstError: if a process does not exist
    """
    pin = recorder.pins / "followed"
    for pid in pids:
        seen: set[int] = set()
        while True:
            try:
                threads = {int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()} - seen
            except FileNotFoundError:
                raise LkstError(f"there is no process {pid}") from None
            if not threads:
                break
            for thread in threads:
                update_map(pin, thread, (look_up(pin, thread) or 0) | 1 << index)
            seen |= threads


def _unfollow(recorder: Recorder, index: int) -> None:
    pin = recorder.pins / "followed"
    for thread in map_keys(pin):
        masksets = (look_up(pin, thread) or 0) & ~(1 << index)
        update_map(pin, thread, masksets or None)


def set_evaluate_flags(control: Control, catalogue: Catalogue) -> None:
    """Set LKST_EVALUATE for exactly those events that a filter or a trigger needs."""
    table = control.rules[control.active_rules % 2]
    judged = {event for event in range(layout.MAX_EVENTS) if table.nr[event]}
    for index, name in enumerate(control.maskset_name):
        if not name.text:
            continue
        row = control.handler[index]
        filtered = bool(control.filter[index].flags)
        for event in catalogue.events:
            handler = row[event] & layout.HANDLER_MASK
            closer = event in judged or (filtered and handler)
            value = handler | (layout.EVALUATE if closer else 0)
            if row[event] != value:
                row[event] = value


def replace_maskset(control: Control, old: int, new: int) -> None:
    """Make triggers and the fallback refer to another loaded maskset."""
    for trigger in control.trigger:
        if trigger.used and trigger.maskset == old:
            trigger.maskset = new
    if control.base_maskset == old:
        control.base_maskset = new
    if control.active_maskset == old:
        control.active_maskset = new
    control.handler[new][_KEPT] = control.handler[old][_KEPT]
    control.handler[old][_KEPT] = 0


def keep_loaded(control: Control, index: int, keep: bool = True) -> None:
    """Keep a maskset loaded, for handlers that switch to it."""
    control.handler[index][_KEPT] = keep


def unload(recorder: Recorder, index: int) -> None:
    """Unload a maskset that nothing refers to."""
    control = recorder.live
    control.maskset_name[index].text = b""
    control.handler[index][_KEPT] = 0
    if control.filter[index].flags & layout.BY_PID:
        _unfollow(recorder, index)
    control.filter[index] = Filter()


def clean_up(recorder: Recorder) -> None:
    """Unload masksets that nothing refers to, and delete unused histograms."""
    control = recorder.live
    wanted = {
        control.active_maskset % layout.MAX_MASKSETS,
        control.base_maskset % layout.MAX_MASKSETS,
    }
    wanted |= {t.maskset for t in control.trigger if t.used and t.actions & layout.DO_MASK}
    for index, name in enumerate(control.maskset_name):
        if name.text and index not in wanted and not control.handler[index][_KEPT]:
            unload(recorder, index)
    used = _hists_used(control)
    for index, hist in enumerate(control.hist):
        if index not in used:
            hist.event = 0
