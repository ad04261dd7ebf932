# SPDX-License-Identifier: GPL-2.0-or-later
"""
Triggers in the kernel
----------------------

A trigger is an entry of a table, and the clauses of its condition in another one.
Of that there are two: one counts, the other is written and takes its place by one
store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import time

from lkst.abi import layout
from lkst.abi.control import Clause as RawClause
from lkst.abi.control import Control, Rules, Trigger
from lkst.bpf.programs import run_pinned
from lkst.errors import LkstError, NotFound, Usage
from lkst.live import machine
from lkst.live.recorder import Recorder
from lkst.record.buffers import make_spare
from lkst.record.lifecycle.steering import rewire
from lkst.record.maskset.loaded import find_loaded, load_maskset, unload
from lkst.record.maskset.text import Maskset
from lkst.record.names import check_name
from lkst.record.trigger.actions import Actions, format_actions
from lkst.record.trigger.compile import Clause, Term
from lkst.util.nearest import nearest

__all__ = (
    "TriggerStatus",
    "add_trigger",
    "check_timers",
    "has_timers",
    "keep_time",
    "list_triggers",
    "remove_trigger",
)

#: How often the kernel side looks at the clock, in ns.
_PERIOD = 50_000_000

_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class TriggerStatus:
    """A trigger, and what it has done."""

    name: str
    when: str
    action: str
    #: The shortest time between two firings, in ns.
    interval: int
    #: Firings, and times that the interval forbade one.
    fired: int
    held: int
    #: CLOCK_MONOTONIC of the last firing, in ns; 0: none.
    last: int


def list_triggers(control: Control) -> list[TriggerStatus]:
    """Tell what triggers there are."""
    return [
        TriggerStatus(
            trigger.name.decode(),
            trigger.when.decode(),
            trigger.action.decode(),
            trigger.interval,
            trigger.fired,
            trigger.held,
            trigger.last,
        )
        for trigger in control.trigger
        if trigger.used == layout.TRIGGER_ON
    ]


def _find(control: Control, name: str) -> int | None:
    for number, trigger in enumerate(control.trigger):
        if trigger.used and trigger.name == name.encode():
            return number
    return None


def add_trigger(
    recorder: Recorder,
    name: str,
    when: str,
    clauses: Sequence[Clause],
    actions: Actions,
    maskset: Maskset | None,
    interval: int,
) -> list[str]:
    """
    Add a trigger; it is there at once or not at all.

    :param when: the condition as the user wrote it
    :param clauses: the same, compiled
    :param maskset: the one that the actions name
    :param interval: shortest time between two firings, in ns
    :return: what else had to be done, and what is lacking, in lines
    :raises LkstError: if it cannot be added; then nothing has changed
    """
    check_name("trigger", name)
    control = recorder.live
    if _find(control, name) is not None:
        raise Usage(f"there is a trigger {name!r} already: 'lkst trigger remove {name}' first")
    number = next((n for n, trigger in enumerate(control.trigger) if not trigger.used), None)
    if number is None:
        raise LkstError(f"there are {layout.MAX_TRIGGERS} triggers: no more fit")
    nr_slots = control.buffer[control.into].nr_slots
    if actions.freeze is not None and actions.freeze >= nr_slots:
        raise Usage(
            f"freeze after {actions.freeze}: a ring has {nr_slots} slots, so nothing would be left"
            " of what led there"
        )
    table = _table([*_clauses(control), *(_raw_clause(clause, number) for clause in clauses)])
    told = []
    if actions.switch and (made := make_spare(recorder)):
        told.append(f"made the buffer {made!r} to switch to")

    trigger = Trigger(name=name.encode(), interval=interval, freeze=actions.freeze or 0)
    trigger.when, trigger.action = _fit(when, 192), _fit(format_actions(actions), 96)
    trigger.actions, trigger.duration = _action_bits(actions), actions.duration
    loaded = None
    if maskset is not None:
        index = find_loaded(control, maskset.name)
        if index is None:
            index = loaded = load_maskset(recorder, maskset)
        trigger.maskset = index
    control.trigger[number] = trigger
    try:
        control.trigger[number].used = layout.TRIGGER_COMING
        _set_table(control, table)
        wired = rewire(recorder)
        # From this store on it fires.
        control.trigger[number].used = layout.TRIGGER_ON
        keep_time(recorder)
    except BaseException:
        _drop(control, number)
        if loaded is not None:
            unload(recorder, loaded)
        raise
    told += [f"not on this kernel: {program}: {why}" for program, why in wired.missing.items()]
    return told


def _fit(text: str, size: int) -> bytes:
    raw = text.encode()
    if len(raw) >= size:
        raise Usage(f"{text!r} is longer than {size - 1} bytes")
    return raw


def _action_bits(actions: Actions) -> int:
    return (
        layout.DO_NOTIFY * actions.notify
        | layout.DO_MASK * bool(actions.maskset)
        | layout.DO_FREEZE * (actions.freeze is not None)
        | layout.DO_SWITCH * actions.switch
        | layout.DO_STACK * actions.stack
    )


def _raw_clause(clause: Clause, number: int) -> RawClause:
    raw = RawClause(event=clause.event.id, trigger=number, nr_terms=len(clause.terms))
    for place, term in enumerate(clause.terms):
        _fill_term(raw, place, term)
    return raw


def _fill_term(raw: RawClause, place: int, term: Term) -> None:
    own = raw.term[place]
    own.offset, own.size = term.field.offset, term.field.size
    own.op, own.is_signed = layout.OPS.index(term.op), term.signed
    if isinstance(term.value, bytes):
        padded = term.value.ljust(16, b"\0")
        own.value[0] = int.from_bytes(padded[:8], "little")
        own.value[1] = int.from_bytes(padded[8:], "little")
    else:
        own.value[0] = term.value & (1 << 64) - 1


def _clauses(control: Control) -> list[RawClause]:
    table = control.table[control.rules % 2]
    clauses = [
        table.clause[table.first[event] + place]
        for event in range(layout.MAX_EVENTS)
        for place in range(table.nr[event])
    ]
    return [clause for clause in clauses if control.trigger[clause.trigger].used]


def _table(clauses: Sequence[RawClause]) -> Rules:
    if len(clauses) > layout.MAX_CLAUSES:
        raise LkstError(
            f"all triggers together have {len(clauses)} conditions: {layout.MAX_CLAUSES} at most"
        )
    table = Rules()
    for place, clause in enumerate(sorted(clauses, key=lambda c: int(c.event))):
        if not table.nr[clause.event]:
            table.first[clause.event] = place
        table.nr[clause.event] += 1
        table.clause[place] = clause
    return table


def _set_table(control: Control, table: Rules) -> None:
    """Let a table of clauses take the place of the one that counts."""
    other = (control.rules + 1) % 2
    control.table[other] = table
    control.rules = other


def _drop(control: Control, number: int) -> None:
    control.trigger[number].used = 0
    _set_table(control, _table(_clauses(control)))


def remove_trigger(recorder: Recorder, name: str) -> None:
    """
    Remove a trigger.

    :raises NotFound: if there is none of this name
    """
    control = recorder.live
    number = _find(control, name)
    if number is None:
        names = [trigger.name for trigger in list_triggers(control)]
        raise NotFound(f"there is no trigger {name!r}{nearest(name, names)}")
    _drop(control, number)
    rewire(recorder)
    keep_time(recorder)


def keep_time(recorder: Recorder) -> None:
    """Have timers run on all CPUs just as long as something waits for a time to come."""
    control = recorder.live
    timed = any(trigger.used and trigger.duration for trigger in control.trigger)
    wanted = _PERIOD if timed or control.beat or control.until else 0
    if control.period == wanted:
        return
    if wanted:
        check_timers(recorder)
    control.period = wanted
    if wanted:
        machine.on_each_cpu(lambda: run_pinned(recorder.pins / "run" / "lkst_tick"))


def has_timers(recorder: Recorder) -> bool:
    """Whether the kernel can do something at a time, and not only when an event fires."""
    return (recorder.pins / "run" / "lkst_tick").exists()


def check_timers(recorder: Recorder) -> None:
    """
    Refuse what needs a timer where there is none.

    :raises LkstError: on such a kernel
    """
    if not has_timers(recorder):
        raise LkstError(
            "this kernel has no BPF timers (CONFIG_PREEMPT_RT): a maskset cannot be active for a"
            " time, and a missing heartbeat cannot be noticed"
        )


def beat(control: Control, beating: bool = True) -> None:
    """Tell the kernel side that the heart beats, or that none is to be expected."""
    control.beat = time.monotonic_ns() if beating else 0
