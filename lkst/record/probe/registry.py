# SPDX-License-Identifier: GPL-2.0-or-later
"""
Probes
------

Events that a user adds to the recorder that runs. A probe has a place in the
catalogue, so that a dump explains it, and is recorded in each maskset that does not
say otherwise. One that is removed keeps its place, so that its records can still be
read, until another one needs it.
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
from lkst.record.maskset.loaded import clean_up, loaded_masksets, mark_closer, set_handler
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
    "forget_unkept",
    "list_probes",
    "register_probes",
    "remove_probe",
    "said_by",
)

_NO_SUBJECT = 0xFF


@dataclass(frozen=True)
class ProbeStatus:
    """A probe of the recorder that runs."""

    event: Event
    #: ``fentry``, ``fexit``, ``kprobe``, ``kretprobe``, ``tracepoint``
    mechanism: str
    #: One of ``lkst.abi.layout.STATES``.
    state: str
    #: What the user has said of it; None: its file is gone.
    probe: Probe | None
    records: int
    #: Records that the limit held back.
    held: int
    #: Calls whose beginning or end is not known.
    unpaired: int
    #: Times that it was skipped because it was running already.
    suppressed: int
    #: How long one hit takes in its programs, in ns, as far as statistics were kept; None: they
    #: were not.
    cost: float | None


#: What a maskset says of a probe, by their names; None: nothing.
Said = Callable[[str, str], Handler | None]


def add_probe(
    recorder: Recorder, probe: Probe, said: Said, *, folder: Path | None = FOLDER
) -> Attached:
    """
    Add a probe; it records from now on.

    :param said: what the masksets that are loaded say of it
    :param folder: where it is kept; None: it is kept already
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
        # Checked before anything is loaded.
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
        set_handler(recorder, index, event, said(name, probe.name))
    mark_closer(control, recorder.catalogue)
    return attached


def said_by(store: MasksetStore) -> Said:
    """Give a function that tells what masksets say of a probe."""

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
        # What else it may be depends on the fields: it is checked when the maskset is used.
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
    Find a place in the catalogue.

    :return: its id, and the probe that was there
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
        # The one of which records are least likely to be left.
        id_ = min(removed, key=lambda id_: removed[id_].until)
        return id_, removed[id_]
    raise LkstError(f"there are {header.nr_probes} probes, the maximum: remove one first")


def _same(old: Event, new: Event) -> bool:
    """Whether records of the one are records of the other."""
    return (old.name, old.fields, old.hook.partition("/")[2], old.description[:63]) == (
        new.name,
        new.fields,
        new.hook[: 39 - len(old.hook.partition("/")[0]) - 1],
        new.description[:63],
    )


def _rename_removed(recorder: Recorder, name: str, but: int) -> None:
    """Give probes that were removed other names than one that comes."""
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
    Remove a probe; its records stay in the rings.

    :raises NotFound: if there is none of this name
    :raises LkstError: if a trigger waits for it
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
    """Whether a trigger's condition is about an event."""
    control = recorder.live
    return bool(control.rules[control.active_rules % 2].nr[event_id])


def forget_unkept(recorder: Recorder, folder: Path = FOLDER) -> None:
    """Remove what is left of a probe whose adding was broken off."""
    events = {event.name for event in recorder.catalogue.events.values()}
    probes = {event.name for event in recorder.catalogue.events.values() if event.is_probe}
    kept = {name for name, _ in kept_probes(folder)}
    # Attached, and not yet in the catalogue.
    for name in kept - events:
        _unlink(recorder, name)
    for name in probes - kept:
        if not table_has(recorder, _id(recorder, name)):
            remove_probe(recorder, name, folder=folder)


def register_probes(recorder: Recorder, folder: Path = FOLDER) -> dict[str, LkstError]:
    """
    Add the probes that are kept to a recorder that starts.

    :return: those that do not fit this kernel, by name
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
    Attach those probes that are wanted and are not attached.

    :return: those that could not be, by name
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
    """Tell what probes there are."""
    control = recorder.look()
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
    """Add up how long a hit takes in the programs that it runs."""
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
