# SPDX-License-Identifier: GPL-2.0-or-later
"""
Probes
------

Events that a user adds to the running recorder. A probe has an entry in the catalogue,
so that a dump explains it, and is recorded in each maskset that does not turn it off.
A removed probe keeps its entry, so that its records can be read, until the entry is
needed for another probe.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
import time

from lkst.abi import layout
from lkst.abi.control import event_state
from lkst.bpf.libbpf import BPFError
from lkst.bpf.programs import linked_programs, run_statistics
from lkst.decode.catalogue import Event
from lkst.errors import LkstError, NotFound, Usage
from lkst.live.recorder import Recorder
from lkst.record.maskset.handlers import OFF_PROBE, Handler
from lkst.record.maskset.loaded import clean_up, loaded_masksets, set_evaluate_flags, set_handler
from lkst.record.maskset.store import MasksetStore
from lkst.record.probe.definition import (
    FOLDER,
    Probe,
    check_probe,
    delete_probe,
    kept_probes,
    save_probe,
)
from lkst.record.probe.program import Attached, attach_probe, compile_probe, links_of, pack_entry
from lkst.record.probe.target import open_target, parse_target
from lkst.util.nearest import nearest

__all__ = (
    "ProbeStatus",
    "add_probe",
    "attach_probes",
    "clean_up_probes",
    "handler_lookup",
    "list_probes",
    "register_probes",
    "remove_probe",
)

_NO_SUBJECT = 0xFF


@dataclass(frozen=True)
class ProbeStatus:
    """A probe of the running recorder."""

    event: Event
    #: ``fentry``, ``fexit``, ``kprobe``, ``kretprobe``, ``tracepoint``
    mechanism: str
    #: One of ``lkst.abi.layout.STATES``.
    state: str
    #: Its definition; None: its file is missing.
    probe: Probe | None
    records: int
    #: Records that the limit suppressed.
    held: int
    #: Calls whose entry or return was not seen.
    unpaired: int
    #: How often it was skipped because it was already running.
    suppressed: int
    #: Run time of its programs per hit, in ns; None: there are no statistics.
    cost: float | None


#: Maps the names of a maskset and a probe to the handler that is set; None: none is.
HandlerLookup = Callable[[str, str], Handler | None]


def add_probe(
    recorder: Recorder, probe: Probe, lookup: HandlerLookup, *, folder: Path | None = FOLDER
) -> Attached:
    """
    Add a probe and start to record it.

    param said: what the masksets that are loaded say of it
    :param folder: where it is saved; None: it is already saved
    :raises LkstError: if it cannot be added; then nothing has changed
    """
    probe = check_probe(probe)
    _check_name(recorder, probe.name)
    with open_target(parse_target(probe.target)) as target:
        compiled = compile_probe(probe, target, recorder.catalogue)
        event = replace(compiled.event, since=time.monotonic_ns())
        event_id, before = _find_place(recorder, event)
        if before and before.until and _same(before, event):
            event = replace(event, since=before.since)
        event = replace(event, id=event_id)
        _rename_removed(recorder, probe.name, event_id)
        recorder.clear_counts(event_id)
        control = recorder.live
        control.subject_offset[event_id] = _NO_SUBJECT
        place = event_id - recorder.header.nr_events - 1
        # Check the entry before anything is loaded.
        pack_entry(event, recorder.header.tag)
        try:
            attached = attach_probe(recorder.pins, compiled, event_id, place)
            event = replace(event, hook=f"{attached.mechanism}/{probe.target}")
            if folder:
                save_probe(probe, folder)
        except BaseException:
            _unlink(recorder, probe.name)
            raise
        recorder.write_entry(event_id, pack_entry(event, recorder.header.tag))
    _note(recorder, event_id, attached)
    for name, index in loaded_masksets(control).items():
        set_handler(recorder, index, event, lookup(name, probe.name))
    set_evaluate_flags(control, recorder.catalogue)
    return attached


def handler_lookup(store: MasksetStore) -> HandlerLookup:
    """Return a function that looks up a probe's handler in a maskset."""

    def said(maskset: str, probe: str) -> Handler | None:
        if maskset == "none":
            return OFF_PROBE
        try:
            text = store.load(maskset)
        except LkstError:
            return None
        if probe in text.handlers:
            return text.handlers[probe]
        word = dict(text.absent).get(probe)
        # Other handlers depend on the fields: they are checked when the maskset is used.
        return Handler(word) if word in ("off", "record", "stack", "count") else None

    return said


def _check_name(recorder: Recorder, name: str) -> None:
    for event in recorder.catalogue.events.values():
        if event.name == name:
            what = "a probe" if event.is_probe else "an event"
            hint = "remove it first" if event.is_probe else "give another NAME before the target"
            raise Usage(f"{name} is already {what}: {hint}")
        if name in (event.category, *event.old_name.split()):
            raise Usage(f"{name} already names events: give another NAME before the target")


def _find_place(recorder: Recorder, event: Event) -> tuple[int, Event | None]:
    """
    Find an entry of the catalogue for a probe.

    :return: its id, and the removed probe that has it
    """
    header, removed = recorder.header, recorder.removed
    for id_, other in removed.items():
        if _same(other, event):
            return id_, other
    used = removed.keys() | recorder.catalogue.events.keys()
    for id_ in range(header.nr_events + 1, header.nr_entries + 1):
        if id_ not in used:
            return id_, None
    if removed:
        # Reuse the entry that was removed first: its records are likely overwritten.
        id_ = min(removed, key=lambda id_: removed[id_].until)
        return id_, removed[id_]
    raise LkstError(f"there are {header.nr_probes} probes, the maximum: remove one first")


def _same(old: Event, new: Event) -> bool:
    """Return whether records of both have the same layout and meaning."""
    return (old.name, old.fields, old.hook.partition("/")[2], old.description[:63]) == (
        new.name,
        new.fields,
        new.hook[: 39 - len(old.hook.partition("/")[0]) - 1],
        new.description[:63],
    )


def _rename_removed(recorder: Recorder, name: str, but: int) -> None:
    """Rename removed probes that have the name of a new one."""
    for id_, event in list(recorder.removed.items()):
        if event.name == name and id_ != but:
            other = replace(event, name=f"{name[:25]}_{id_}")
            recorder.write_entry(id_, pack_entry(other, recorder.header.tag))


def _note(recorder: Recorder, event_id: int, attached: Attached) -> None:
    control = recorder.live
    control.prog_id[event_id] = attached.prog_id
    control.event_state[event_id] = layout.STATES.index("attached")


def _unlink(recorder: Recorder, name: str) -> None:
    links = recorder.pins / "links"
    for link in (*links.glob(f"{name}-user*"), *(links / one for one in links_of(name))):
        link.unlink(missing_ok=True)


def remove_probe(recorder: Recorder, name: str, *, folder: Path = FOLDER) -> None:
    """
    Remove a probe. Its records stay in the rings.

    :raises NotFound: if there is none of this name
    :raises LkstError: if a trigger uses it
    """
    control = recorder.live
    probes = {event.name: event for event in recorder.catalogue.events.values() if event.is_probe}
    if name not in probes:
        kept = [kept for kept, _ in kept_probes(folder)]
        if name in kept:
            delete_probe(name, folder)
            return
        raise NotFound(f"no probe is called {name!r}{nearest(name, {*probes, *kept})}")
    event = probes[name]
    if table_has(recorder, event.id):
        raise LkstError(f"a trigger uses {name}: remove the trigger first, see 'lkst trigger list'")
    for index in range(layout.MAX_MASKSETS):
        control.handler[index][event.id] = 0
    _unlink(recorder, name)
    recorder.end_entry(event.id, time.monotonic_ns())
    control.event_state[event.id] = layout.STATES.index("unused")
    control.prog_id[event.id] = 0
    clean_up(recorder)
    if any(kept == name for kept, _ in kept_probes(folder)):
        delete_probe(name, folder)


def _id(recorder: Recorder, name: str) -> int:
    return next(event.id for event in recorder.catalogue.events.values() if event.name == name)


def table_has(recorder: Recorder, event_id: int) -> bool:
    """Return whether a trigger's condition uses an event."""
    control = recorder.live
    return bool(control.rules[control.active_rules % 2].nr[event_id])


def clean_up_probes(recorder: Recorder, folder: Path = FOLDER) -> None:
    """Remove the remains of a probe that was not completely added."""
    events = {event.name for event in recorder.catalogue.events.values()}
    probes = {event.name for event in recorder.catalogue.events.values() if event.is_probe}
    kept = {name for name, _ in kept_probes(folder)}
    # Attached but not yet in the catalogue.
    for name in kept - events:
        _unlink(recorder, name)
    for name in probes - kept:
        if not table_has(recorder, _id(recorder, name)):
            remove_probe(recorder, name, folder=folder)


def register_probes(recorder: Recorder, folder: Path = FOLDER) -> dict[str, LkstError]:
    """
    Add the saved probes to a recorder that starts.

    :return: errors of those that cannot be added, by name
    """
    refused = {}
    for name, probe in kept_probes(folder):
        try:
            if isinstance(probe, LkstError):
                raise probe
            add_probe(recorder, probe, lambda maskset, name: None, folder=None)
        except LkstError as error:
            refused[name] = error
    return refused


def attach_probes(recorder: Recorder, folder: Path = FOLDER) -> dict[str, str]:
    """
    Attach the wanted probes that are not attached.

    :return: reasons of those that cannot be attached, by name
    """
    control, links = recorder.live, recorder.pins / "links"
    rows = [control.handler[index] for index in loaded_masksets(control).values()]
    wanted = [
        event
        for event in recorder.catalogue.events.values()
        if event.is_probe
        and any(row[event.id] for row in rows)
        and not (links / event.name).exists()
    ]
    if not wanted:
        return {}
    kept = dict(kept_probes(folder))
    missing = {}
    for event in wanted:
        try:
            probe = kept.get(event.name, NotFound(f"its file in {folder} is missing"))
            if isinstance(probe, LkstError):
                raise probe
            with open_target(parse_target(probe.target)) as target:
                compiled = compile_probe(probe, target, recorder.catalogue)
                if compiled.event.fields != event.fields:
                    raise LkstError(f"its file in {folder} was changed: remove it and add it again")
                place = event.id - recorder.header.nr_events - 1
                _note(recorder, event.id, attach_probe(recorder.pins, compiled, event.id, place))
        except LkstError as error:
            missing[event.name] = str(error)
            control.event_state[event.id] = layout.STATES.index("unattached")
    return missing


def list_probes(recorder: Recorder, folder: Path = FOLDER) -> list[ProbeStatus]:
    """Return the state of all probes."""
    control = recorder.read_control()
    kept = dict(kept_probes(folder))
    misses = recorder.misses()
    counts = recorder.record_counts()
    found = []
    for event in recorder.catalogue.events.values():
        if not event.is_probe:
            continue
        probe = kept.get(event.name)
        flows = recorder.flows(event.id)
        found.append(
            ProbeStatus(
                event=event,
                mechanism=event.hook.partition("/")[0],
                state=event_state(control, event.id),
                probe=probe if isinstance(probe, Probe) else None,
                records=counts[event.id],
                held=sum(flow.held for flow in flows),
                unpaired=sum(flow.unpaired for flow in flows),
                suppressed=misses.get(event.id, 0),
                cost=_cost(recorder, event),
            )
        )
    return found


def _cost(recorder: Recorder, event: Event) -> float | None:
    """Return the run time of all programs of a probe per hit, in ns."""
    programs = linked_programs(recorder.pins / "links", links_of(event.name))
    total, seen = 0.0, False
    for prog_id in programs.values():
        try:
            time_, runs, _ = run_statistics(prog_id)
        except BPFError:
            continue
        if runs:
            total, seen = total + time_ / runs, True
    return total if seen else None
