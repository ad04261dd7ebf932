# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs
--------

Maps events to the BPF programs that record them, and attaches exactly those programs
that a maskset or trigger needs.
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

__all__ = ("Attachments", "attach_wanted", "load", "object_path", "pin_name", "wanted_events")

#: Programs that user space runs with BPF_PROG_TEST_RUN.
RUN = ("lkst_start", "lkst_mark", "lkst_use", "lkst_tick")

#: Those that are optional: PREEMPT_RT kernels have no BPF timers.
OPTIONAL = {"lkst_tick"}
#: The map that only lkst_tick uses.
TIMER_MAP = "lkst_timers"

#: Suffix of the program and link of a probe that run at function entry.
PROBE_ENTER = "__enter"

#: Name prefix of the programs that follow tasks; no event has this name.
_FOLLOW = "follow"

#: Name prefix of a program that can replace a tracepoint's program.
_INSTEAD = "instead__"

#: Name prefix of the programs that see steps of the wall clock; they are always attached.
_WATCH = "watch"

#: Without one of these, a step can be missed.
_WATCHERS = ("watch__timerfd_clock_was_set", "watch__suspend_resume")

_PIN_NAMES = {".data.catalogue": "catalogue", ".data.lkst": "control"}

#: Maps of the programs that measure delays. They are not pinned, so that a program that is
#: attached again does not end a delay that began before.
_DELAY_MAPS = {"lkst_tasks", "lkst_requests", "lkst_cpu_times"}


@dataclass
class Attachments:
    """Result of attaching programs."""

    #: Programs that were newly attached.
    attached: list[str] = field(default_factory=list)
    detached: list[str] = field(default_factory=list)
    #: Programs that could not be attached: program -> reason.
    missing: dict[str, str] = field(default_factory=dict)


def object_path() -> Path:
    """
    Find the compiled programs.

    :raises LkstError: if they are missing
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
    Open the compiled programs, in the variant for the running kernel.

    The program ``instead__NAME`` replaces the program of the tracepoint NAME on kernels where
    that tracepoint must not be enabled.
    """
    bpf = Object(object_path())
    for other in [name for name in bpf.programs() if name.startswith(_INSTEAD)]:
        program = other.removeprefix(_INSTEAD)
        if is_unsafe(program):
            bpf.stand_in(program, other)
    return bpf


def pin_name(map_: str) -> str | None:
    """Return the name of a map's pin; None: the map is not pinned."""
    if map_ in _PIN_NAMES:
        return _PIN_NAMES[map_]
    if map_ in _DELAY_MAPS:
        return None
    return map_.removeprefix("lkst_") if map_.startswith("lkst_") else None


def programs_of(event: Event, programs: Iterable[str]) -> list[str]:
    """Return the programs of an event; the one that writes its records comes last."""
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
    """Return the ids of the events that a loaded maskset or trigger needs."""
    rows = [control.handler[index] for index, name in enumerate(control.maskset_name) if name.text]
    return {id_ for id_ in catalogue.events if any(row[id_] for row in rows)}


def _wanted(
    control: Control, catalogue: Catalogue, programs: Iterable[str]
) -> dict[str, list[int]]:
    """Return the wanted programs, each with its events."""
    programs = list(programs)
    wanted: dict[str, list[int]] = {}
    for id_ in sorted(wanted_events(control, catalogue)):
        for program in programs_of(catalogue.events[id_], programs):
            wanted.setdefault(program, []).append(id_)
    followed = any(filter_.flags & layout.BY_PID for filter_ in control.filter)
    wanted |= {program: [] for program in _always_attached(programs, follow=followed)}
    return wanted


def _always_attached(programs: Iterable[str], *, follow: bool) -> set[str]:
    """
    Return the programs that are attached regardless of events.

    :param follow: whether to include those that follow tasks
    """
    kinds = {_WATCH, _FOLLOW} if follow else {_WATCH}
    return {program for program in programs if program.partition("__")[0] in kinds}


def programs_for(events: Iterable[Event], *, follow: bool = False) -> set[str]:
    """
    Return those programs of some events for which this kernel has a hook.

    :param follow: whether to include those that follow tasks
    """
    with _open_programs() as bpf:
        hooks = sections(bpf)
    wanted = {program for event in events for program in programs_of(event, hooks)}
    wanted |= _always_attached(hooks, follow=follow)
    return hooks_present({program: hooks[program] for program in wanted})


def load(
    pins: Path,
    programs: set[str],
    refused: dict[str, str],
    prepare: Callable[[Object], None] = lambda _: None,
) -> Object:
    """
    Load programs. If the kernel refuses one, load the others without it.

    :param pins: folder of pins; maps pinned there are reused, others are created and pinned
    :param refused: filled with the refused programs: program -> reason
    :param prepare: called before the object is loaded
    :raises BPFError: if loading fails for another reason
    """
    while True:
        bpf = _open_programs()
        try:
            prepare(bpf)
            loaded = programs - refused.keys()
            for program in list(bpf.programs()):
                bpf.set_autoload(program, program in loaded)
            new = _reuse_maps(bpf, pins, loaded)
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
            if not reason and program in (functions := _function_programs(hooks)):
                # No program can attach to functions: trying each would take one load per program.
                same = functions & programs
                why = no_functions(read_policy())
            else:
                why = f"the kernel refused it: {reason or 'the verifier does not say why'}"
            for name in same:
                refused[name] = why
        except BaseException:
            bpf.close()
            raise


def _function_programs(hooks: Mapping[str, str]) -> set[str]:
    """Return the programs that attach to functions."""
    return {name for name, hook in hooks.items() if hook.partition("/")[0] in ("fentry", "fexit")}


def _reuse_maps(bpf: Object, pins: Path, programs: set[str]) -> list[str]:
    """Reuse pinned maps; return the maps that are to be pinned."""
    new = []
    for map_ in list(bpf.maps()):
        name = pin_name(map_)
        if map_ in _DELAY_MAPS and not any("__" in program for program in programs):
            bpf.leave_out_map(map_)
        if name is None:
            continue
        if (pins / name).exists():
            bpf.reuse_map(map_, pins / name)
        elif map_ == TIMER_MAP and "lkst_tick" not in programs:
            bpf.leave_out_map(map_)
        else:
            new.append(map_)
    return new


def sections(bpf: Object) -> dict[str, str]:
    """Return the ELF section of every program that attaches to a hook."""
    found = {program: bpf.section(program) for program in bpf.programs()}
    return {program: section for program, section in found.items() if "/" in section}


def attach_wanted(
    pins: Path,
    control: Control,
    catalogue: Catalogue,
    commit: Callable[[], None] = lambda: None,
    *,
    bpf: Object | None = None,
    refused: Mapping[str, str] | None = None,
) -> Attachments:
    """
    Attach all wanted programs, then detach all others.

    :param control: the recorder's control map, in kernel memory
    :param commit: called after attaching and before detaching
    :param bpf: loaded programs that are not attached yet
    :param refused: programs that the kernel refused: program -> reason
    :raises LkstError: if it fails, or commit raises it; then nothing is detached
    """
    attachments = Attachments(missing=dict(refused or {}))
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
            if name in hooks
            and not (links / name).exists()
            and not _known_unavailable(control, events)
        }
        if new:
            present = hooks_present({name: hooks[name] for name in new})
            if loaded is None and present:
                loaded = stack.enter_context(load(pins, present, attachments.missing))
            attached = {
                program: _attach(loaded, program, hooks[program], present, links, attachments)
                for program in _attach_order(new, wanted, catalogue)
            }
            _write_states(control, wanted, attached)
        commit()
        wanted = _wanted(control, catalogue, hooks)
    control.clock.watched = all((links / name).exists() for name in _WATCHERS)
    _detach(links, wanted, attachments)
    fed = {event for events in wanted.values() for event in events}
    for event in catalogue.events.values():
        if event.id not in fed and event.hook:
            control.event_state[event.id] = layout.STATES.index("unused")
            control.prog_id[event.id] = 0
    return attachments


def _attach_order(
    programs: Iterable[str], wanted: Mapping[str, list[int]], catalogue: Catalogue
) -> list[str]:
    """Attach programs that record task names first, so that later records have names."""

    def names(program: str) -> bool:
        return any(catalogue.events[event].names for event in wanted[program])

    return sorted(programs, key=lambda program: (not names(program), program))


def _known_unavailable(control: Control, events: list[int]) -> bool:
    """Return whether it is known that this kernel cannot record these events."""
    states = {layout.STATES[control.event_state[event]] for event in events}
    return bool(states) and states <= {"absent", "unattached"}


def _attach(
    bpf: Object | None,
    program: str,
    section: str,
    present: set[str],
    links: Path,
    attachments: Attachments,
) -> tuple[str, int]:
    """Attach a program; return its state and id."""
    if bpf is None or program not in present:
        attachments.missing[program] = f"this kernel has no {section.partition('/')[2]}"
        return "absent", 0
    if program in attachments.missing:
        return "unattached", 0
    try:
        bpf.attach(program, links / program)
    except BPFError as error:
        attachments.missing[program] = str(error)
        return "unattached", 0
    attachments.attached.append(program)
    return "attached", bpf.prog_id(program)


def _write_states(
    control: Control, wanted: Mapping[str, list[int]], attached: Mapping[str, tuple[str, int]]
) -> None:
    """Write the state of the events; an event is attached only if all its programs are."""
    states: dict[int, tuple[str, int]] = {}
    # In the order of wanted: the last program of an event writes its records.
    for program in (program for program in wanted if program in attached):
        for event in wanted[program]:
            if states.get(event, ("attached", 0))[0] == "attached":
                states[event] = attached[program]
    for event, (state, prog_id) in states.items():
        control.prog_id[event] = prog_id
        control.event_state[event] = layout.STATES.index(state)


def _detach(links: Path, wanted: Iterable[str], attachments: Attachments) -> None:
    keep = set(wanted)
    for path in links.iterdir():
        # "sys_enter-user0" replaces a function of sys_enter: detach both.
        program = path.name.partition("-")[0]
        if program not in keep:
            path.unlink()
            if path.name == program:
                attachments.detached.append(program)
