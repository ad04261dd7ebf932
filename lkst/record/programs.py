# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs
--------

Which BPF programs feed which events, and having just those attached that some
maskset or trigger wants.
"""

from collections.abc import Callable, Iterable, Mapping
import contextlib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from lkst import layout
from lkst.control import Control
from lkst.decode.catalogue import Catalogue, Event
from lkst.errors import LkstError
from lkst.record import libbpf

__all__ = ("Wired", "load", "object_path", "pin_name", "wanted_events", "wire")

#: Programs that the control side runs itself.
RUN = ("lkst_start", "lkst_mark", "lkst_use", "lkst_tick")

#: What programs that follow tasks are called; no event has this name.
_FOLLOW = "follow"

_PINNED_ASIDE = {".rodata.lkst": "catalogue", ".data.lkst": "control"}

#: Maps that only the programs of delays use.
_OF_DELAYS = {"lkst_tasks", "lkst_requests", "lkst_cpu_times"}


@dataclass
class Wired:
    """What became of the programs that are wanted."""

    #: Programs that are attached now and were not before.
    attached: list[str] = field(default_factory=list)
    detached: list[str] = field(default_factory=list)
    #: Hooks that this kernel cannot give: program -> reason.
    missing: dict[str, str] = field(default_factory=dict)


def object_path() -> Path:
    """
    Find the compiled programs.

    :raises LkstError: if this installation has none
    """
    path = Path(str(resources.files("lkst.record") / "lkst.bpf.o"))
    if not path.exists():
        raise LkstError(
            "this installation has no BPF programs: install clang and libbpf-dev, then install"
            " lkst again"
        )
    return path


def pin_name(map_: str) -> str | None:
    """Name the pin of a map; None: it is not pinned."""
    if map_ in _PINNED_ASIDE:
        return _PINNED_ASIDE[map_]
    return map_.removeprefix("lkst_") if map_.startswith("lkst_") else None


def programs_of(event: Event, programs: Iterable[str]) -> list[str]:
    """Name the programs that feed an event, the one that writes its records last."""
    own = sorted(name for name in programs if name.partition("__")[0] == event.name)
    if own:
        return [name for name in own if name != f"{event.name}__{event.hook}"] + [
            name for name in own if name == f"{event.name}__{event.hook}"
        ]
    return [event.hook] if event.hook else []


def wanted_events(control: Control, catalogue: Catalogue) -> set[int]:
    """Tell which events some loaded maskset or trigger wants."""
    rows = [
        control.handler[index] for index, name in enumerate(control.maskset) if name.text
    ]
    return {id_ for id_ in catalogue.events if any(row[id_] for row in rows)}


def _wanted(
    control: Control, catalogue: Catalogue, programs: Iterable[str]
) -> dict[str, list[int]]:
    """Give the programs that are wanted, each with the events for which it counts."""
    programs = list(programs)
    wanted: dict[str, list[int]] = {}
    for id_ in sorted(wanted_events(control, catalogue)):
        for program in programs_of(catalogue.events[id_], programs):
            wanted.setdefault(program, []).append(id_)
    if any(filter_.flags & layout.BY_PID for filter_ in control.filter):
        for program in programs:
            if program.partition("__")[0] == _FOLLOW:
                wanted[program] = []
    return wanted


def programs_for(events: Iterable[Event]) -> set[str]:
    """Name the programs that this kernel has a hook for, of those that feed some events."""
    with libbpf.Object(object_path()) as bpf:
        hooks = sections(bpf)
    wanted = {program for event in events for program in programs_of(event, hooks)}
    return libbpf.hooks_present({program: hooks[program] for program in wanted})


def load(
    pins: Path,
    programs: set[str],
    refused: dict[str, str],
    prepare: Callable[[libbpf.Object], None],
) -> libbpf.Object:
    """
    Load programs. A kernel that refuses one costs the program, not the others.

    :param pins: maps that are pinned there are used, others are made and pinned
    :param refused: gets those that the kernel refuses, with its reason
    :param prepare: called before it is loaded
    :raises BPFError: if it cannot be done
    """
    while True:
        bpf = libbpf.Object(object_path())
        try:
            prepare(bpf)
            loaded = programs - refused.keys()
            for program in list(bpf.programs()):
                bpf.set_autoload(program, program in loaded)
            new = _take_maps(bpf, pins, loaded)
            bpf.load()
            for map_ in new:
                bpf.pin_map(map_, pins / str(pin_name(map_)))
            return bpf
        except libbpf.BPFError:
            program, reason = bpf.refused()
            bpf.close()
            if program not in programs - refused.keys() or program in RUN:
                raise
            refused[program] = reason
        except BaseException:
            bpf.close()
            raise


def _take_maps(bpf: libbpf.Object, pins: Path, programs: set[str]) -> list[str]:
    """Use the maps that are pinned; give those that will have to be."""
    new = []
    for map_ in list(bpf.maps()):
        name = pin_name(map_)
        if name is None:
            continue
        if (pins / name).exists():
            bpf.reuse_map(map_, pins / name)
        elif map_ in _OF_DELAYS and not any("__" in program for program in programs):
            bpf.leave_out_map(map_)
        else:
            new.append(map_)
    return new


def sections(bpf: libbpf.Object) -> dict[str, str]:
    """Give the ELF section of every program that hooks something."""
    found = {program: bpf.section(program) for program in bpf.programs()}
    return {program: section for program, section in found.items() if "/" in section}


def wire(
    pins: Path,
    control: Control,
    catalogue: Catalogue,
    bpf: libbpf.Object | None = None,
    refused: Mapping[str, str] | None = None,
    *,
    detach: bool = True,
) -> Wired:
    """
    Attach all programs that are wanted, detach all others.

    :param control: of the recorder, in the kernel's memory
    :param bpf: programs that are loaded and not yet attached
    :param refused: those that the kernel has refused
    :param detach: False: not yet
    """
    wired = Wired(missing=dict(refused or {}))
    links = pins / "links"
    links.mkdir(mode=0o700, exist_ok=True)
    there = {path.name for path in links.iterdir()}
    with contextlib.ExitStack() as stack:
        if bpf is None:
            bpf = stack.enter_context(libbpf.Object(object_path()))
            hooks = sections(bpf)
            wanted = _wanted(control, catalogue, hooks)
            new = wanted.keys() - there
            if new:
                present = libbpf.hooks_present({name: hooks[name] for name in new})
                bpf = stack.enter_context(
                    load(pins, present, wired.missing, lambda _: None)
                )
        else:
            hooks = sections(bpf)
            wanted = _wanted(control, catalogue, hooks)
            new = wanted.keys() - there
            present = libbpf.hooks_present({name: hooks[name] for name in new}) if new else set()
        states: dict[int, tuple[str, int]] = {}
        for program, events in wanted.items():
            state, prog_id = "attached", 0
            if program in there:
                continue
            if program not in present:
                state = "absent"
                wired.missing[program] = f"this kernel has no {hooks[program].partition('/')[2]}"
            elif program in wired.missing:
                state = "unattached"
            else:
                try:
                    bpf.attach(program, links / program)
                    prog_id = bpf.prog_id(program)
                    wired.attached.append(program)
                except libbpf.BPFError as error:
                    state = "unattached"
                    wired.missing[program] = str(error)
            for event in events:
                # One program that lacks is enough for an event not to be.
                if states.get(event, ("attached", 0))[0] == "attached":
                    states[event] = state, prog_id
        for event, (state, prog_id) in states.items():
            control.prog_id[event] = prog_id
            control.state[event] = layout.STATES.index(state)
    if detach:
        _detach(links, there - wanted.keys(), wired)
        fed = {event for events in wanted.values() for event in events}
        for event_id, event in catalogue.events.items():
            if event_id not in fed and event.hook:
                control.state[event_id] = layout.STATES.index("unused")
                control.prog_id[event_id] = 0
    return wired


def _detach(links: Path, programs: set[str], wired: Wired) -> None:
    for program in programs:
        # What replaces a function of a program goes with the program.
        if "-" in program and program.partition("-")[0] not in programs:
            continue
        (links / program).unlink(missing_ok=True)
        if "-" not in program:
            wired.detached.append(program)
