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

from lkst.abi import layout
from lkst.abi.control import Control
from lkst.bpf.libbpf import BPFError, ForbiddenError
from lkst.bpf.object import Object, hooks_present
from lkst.bpf.refusals import no_functions, read_policy
from lkst.bpf.tracepoints import is_unsafe
from lkst.decode.catalogue import Catalogue, Event
from lkst.errors import LkstError

__all__ = ("Wired", "load", "object_path", "pin_name", "wanted_events", "wire")

#: Programs that the control side runs itself.
RUN = ("lkst_start", "lkst_mark", "lkst_use", "lkst_tick")

#: Those of them that a recorder can do without: PREEMPT_RT kernels have no BPF timers.
OPTIONAL = {"lkst_tick"}
#: The map that only that one uses.
MAP_OF_TICK = "lkst_timers"

#: Behind a probe's name in that of the program and link that see how a call begins.
PROBE_ENTER = "__enter"

#: What programs that follow tasks are called; no event has this name.
_FOLLOW = "follow"

#: In front of the name of a tracepoint's program, in that of the one that may stand in for it.
_INSTEAD = "instead__"

#: What programs that see steps of the wall clock are called; they are always attached.
_WATCH = "watch"

#: Without one of these, steps can happen unseen.
_WATCHERS = ("watch__timerfd_clock_was_set", "watch__suspend_resume")

_PINNED_ASIDE = {".data.catalogue": "catalogue", ".data.lkst": "control"}

#: Maps of the programs of delays. They are not pinned, so that programs that are attached again
#: do not end what began when they were there before.
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


def _open_programs() -> Object:
    """
    Open the compiled programs, with those that suit the running kernel under their names.

    A program called ``instead__NAME`` stands in for the program of the tracepoint NAME on
    kernels where that tracepoint must not be enabled.
    """
    bpf = Object(object_path())
    for other in [name for name in bpf.programs() if name.startswith(_INSTEAD)]:
        program = other.removeprefix(_INSTEAD)
        if is_unsafe(program):
            bpf.stand_in(program, other)
    return bpf


def pin_name(map_: str) -> str | None:
    """Name the pin of a map; None: it is not pinned."""
    if map_ in _PINNED_ASIDE:
        return _PINNED_ASIDE[map_]
    if map_ in _OF_DELAYS:
        return None
    return map_.removeprefix("lkst_") if map_.startswith("lkst_") else None


def programs_of(event: Event, programs: Iterable[str]) -> list[str]:
    """Name the programs that feed an event, the one that writes its records last."""
    if event.is_probe:
        pair = event.hook.startswith(("fexit/", "kretprobe/"))
        return [f"{event.name}{PROBE_ENTER}", event.name] if pair else [event.name]
    own = sorted(name for name in programs if name.partition("__")[0] == event.name)
    if own:
        return [name for name in own if name != f"{event.name}__{event.hook}"] + [
            name for name in own if name == f"{event.name}__{event.hook}"
        ]
    return [event.hook] if event.hook else []


def wanted_events(control: Control, catalogue: Catalogue) -> set[int]:
    """Tell which events some loaded maskset or trigger wants."""
    rows = [control.handler[index] for index, name in enumerate(control.maskset_name) if name.text]
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
    followed = any(filter_.flags & layout.BY_PID for filter_ in control.filter)
    wanted |= {program: [] for program in _standing(programs, follow=followed)}
    return wanted


def _standing(programs: Iterable[str], *, follow: bool) -> set[str]:
    """
    Name the programs that are attached whatever events are wanted.

    :param follow: whether those that follow tasks are wanted
    """
    kinds = {_WATCH, _FOLLOW} if follow else {_WATCH}
    return {program for program in programs if program.partition("__")[0] in kinds}


def programs_for(events: Iterable[Event], *, follow: bool = False) -> set[str]:
    """
    Name the programs that this kernel has a hook for, of those that feed some events.

    :param follow: whether those that follow tasks are wanted as well
    """
    with _open_programs() as bpf:
        hooks = sections(bpf)
    wanted = {program for event in events for program in programs_of(event, hooks)}
    wanted |= _standing(hooks, follow=follow)
    return hooks_present({program: hooks[program] for program in wanted})


def load(
    pins: Path,
    programs: set[str],
    refused: dict[str, str],
    prepare: Callable[[Object], None] = lambda _: None,
) -> Object:
    """
    Load programs. A kernel that refuses one costs the program, not the others.

    :param pins: maps that are pinned there are used, others are made and pinned
    :param refused: gets those that the kernel refuses, with its reason
    :param prepare: called before it is loaded
    :raises BPFError: if it cannot be done
    """
    while True:
        bpf = _open_programs()
        try:
            prepare(bpf)
            loaded = programs - refused.keys()
            for program in list(bpf.programs()):
                bpf.set_autoload(program, program in loaded)
            new = _take_maps(bpf, pins, loaded)
            bpf.load("the kernel refused the recorder")
            for map_ in new:
                bpf.pin_map(map_, pins / str(pin_name(map_)))
            return bpf
        except ForbiddenError:
            bpf.close()
            raise
        except BPFError:
            program, reason = bpf.refused()
            hooks = sections(bpf)
            bpf.close()
            if program not in programs - refused.keys() or program in set(RUN) - OPTIONAL:
                raise
            same = {program}
            if not reason and program in (functions := _of_functions(hooks)):
                # It lets no function be hooked: to try each would take as many loads.
                same = functions & programs
                why = no_functions(read_policy())
            else:
                why = f"the kernel refused it: {reason or 'the verifier does not say why'}"
            for name in same:
                refused[name] = why
        except BaseException:
            bpf.close()
            raise


def _of_functions(hooks: Mapping[str, str]) -> set[str]:
    """Name the programs that hook functions."""
    return {name for name, hook in hooks.items() if hook.partition("/")[0] in ("fentry", "fexit")}


def _take_maps(bpf: Object, pins: Path, programs: set[str]) -> list[str]:
    """Use the maps that are pinned; give those that will have to be."""
    new = []
    for map_ in list(bpf.maps()):
        name = pin_name(map_)
        if map_ in _OF_DELAYS and not any("__" in program for program in programs):
            bpf.leave_out_map(map_)
        if name is None:
            continue
        if (pins / name).exists():
            bpf.reuse_map(map_, pins / name)
        elif map_ == MAP_OF_TICK and "lkst_tick" not in programs:
            bpf.leave_out_map(map_)
        else:
            new.append(map_)
    return new


def sections(bpf: Object) -> dict[str, str]:
    """Give the ELF section of every program that hooks something."""
    found = {program: bpf.section(program) for program in bpf.programs()}
    return {program: section for program, section in found.items() if "/" in section}


def wire(
    pins: Path,
    control: Control,
    catalogue: Catalogue,
    commit: Callable[[], None] = lambda: None,
    *,
    bpf: Object | None = None,
    refused: Mapping[str, str] | None = None,
) -> Wired:
    """
    Attach all programs that are wanted, then detach all others.

    :param control: of the recorder, in the kernel's memory
    :param commit: called in between: what is wanted no more is detached afterwards
    :param bpf: programs that are loaded and not yet attached
    :param refused: those that the kernel has refused
    :raises LkstError: if it cannot be done, or commit raises it; nothing is detached then
    """
    wired = Wired(missing=dict(refused or {}))
    links = pins / "links"
    links.mkdir(mode=0o700, exist_ok=True)
    with contextlib.ExitStack() as stack:
        loaded = bpf
        if bpf is None:
            bpf = stack.enter_context(_open_programs())
        hooks = sections(bpf)
        wanted = _wanted(control, catalogue, hooks)
        new = {
            name
            for name, events in wanted.items()
            if name in hooks and not (links / name).exists() and not _given_up(control, events)
        }
        if new:
            present = hooks_present({name: hooks[name] for name in new})
            if loaded is None and present:
                loaded = stack.enter_context(load(pins, present, wired.missing))
            attached = {
                program: _attach(loaded, program, hooks[program], present, links, wired)
                for program in _attach_order(new, wanted, catalogue)
            }
            _note_states(control, wanted, attached)
        commit()
        wanted = _wanted(control, catalogue, hooks)
    control.clock.watched = all((links / name).exists() for name in _WATCHERS)
    _detach(links, wanted, wired)
    fed = {event for events in wanted.values() for event in events}
    for event in catalogue.events.values():
        if event.id not in fed and event.hook:
            control.event_state[event.id] = layout.STATES.index("unused")
            control.prog_id[event.id] = 0
    return wired


def _attach_order(
    programs: Iterable[str], wanted: Mapping[str, list[int]], catalogue: Catalogue
) -> list[str]:
    """Put those first that record names, so that whoever is recorded afterwards is named."""

    def names(program: str) -> bool:
        return any(catalogue.events[event].names for event in wanted[program])

    return sorted(programs, key=lambda program: (not names(program), program))


def _given_up(control: Control, events: list[int]) -> bool:
    """Whether it is known that this kernel does not have what feeds these events."""
    states = {layout.STATES[control.event_state[event]] for event in events}
    return bool(states) and states <= {"absent", "unattached"}


def _attach(
    bpf: Object | None,
    program: str,
    section: str,
    present: set[str],
    links: Path,
    wired: Wired,
) -> tuple[str, int]:
    """Attach a program; give what became of it, and its id."""
    if bpf is None or program not in present:
        wired.missing[program] = f"this kernel has no {section.partition('/')[2]}"
        return "absent", 0
    if program in wired.missing:
        return "unattached", 0
    try:
        bpf.attach(program, links / program)
    except BPFError as error:
        wired.missing[program] = str(error)
        return "unattached", 0
    wired.attached.append(program)
    return "attached", bpf.prog_id(program)


def _note_states(
    control: Control, wanted: Mapping[str, list[int]], attached: Mapping[str, tuple[str, int]]
) -> None:
    """Write what became of the events; one program that lacks is enough for one not to be."""
    states: dict[int, tuple[str, int]] = {}
    # In the order of wanted: of an event's programs the last one writes its records.
    for program in (program for program in wanted if program in attached):
        for event in wanted[program]:
            if states.get(event, ("attached", 0))[0] == "attached":
                states[event] = attached[program]
    for event, (state, prog_id) in states.items():
        control.prog_id[event] = prog_id
        control.event_state[event] = layout.STATES.index(state)


def _detach(links: Path, wanted: Iterable[str], wired: Wired) -> None:
    keep = set(wanted)
    for path in links.iterdir():
        # "sys_enter-user0" replaces a function of sys_enter, and goes with it.
        program = path.name.partition("-")[0]
        if program not in keep:
            path.unlink()
            if path.name == program:
                wired.detached.append(program)
