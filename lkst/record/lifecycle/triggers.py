# SPDX-License-Identifier: GPL-2.0-or-later
"""
Adding and removing triggers
-------------------------

A trigger needs an entry in the table, attached programs, and perhaps a maskset, a spare
buffer and timers. It gets all of them, or is not added.
"""

from collections.abc import Sequence

from lkst.abi import layout
from lkst.abi.control import Trigger
from lkst.errors import LkstError, NotFound, Usage
from lkst.live.recorder import Recorder
from lkst.record.buffers import make_spare
from lkst.record.lifecycle.changes import update_attachments
from lkst.record.maskset.loaded import find_loaded, load_maskset, unload
from lkst.record.maskset.text import Maskset
from lkst.record.names import check_name
from lkst.record.trigger.actions import Actions, format_actions
from lkst.record.trigger.compile import Clause
from lkst.record.trigger.table import (
    drop_trigger,
    find_trigger,
    list_triggers,
    make_table,
    raw_clause,
    set_table,
    used_clauses,
)
from lkst.record.trigger.timers import update_timers
from lkst.util.nearest import nearest

__all__ = ("add_trigger", "remove_trigger")


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
    Add a trigger, atomically.

    :param when: the condition as the user wrote it
    :param clauses: the same, compiled
    :param maskset: maskset of the action ``mask``
    :param interval: shortest time between two firings, in ns
    :return: messages about a new buffer and missing programs, in lines
    :raises LkstError: if it cannot be added; then nothing has changed
    """
    check_name("trigger", name)
    control = recorder.live
    if find_trigger(control, name) is not None:
        raise Usage(f"trigger {name!r} already exists: 'lkst trigger remove {name}' first")
    number = next((n for n, trigger in enumerate(control.trigger) if not trigger.used), None)
    if number is None:
        raise LkstError(f"there are {layout.MAX_TRIGGERS} triggers, the maximum: remove one first")
    nr_slots = control.buffer[control.current_buffer].nr_slots
    if actions.freeze is not None and actions.freeze >= nr_slots:
        raise Usage(
            f"freeze after {actions.freeze}: a ring has {nr_slots} slots, so nothing would be left"
            " of what led there"
        )
    table = make_table(
        [*used_clauses(control), *(raw_clause(clause, number) for clause in clauses)]
    )
    lines = []
    if actions.switch and (made := make_spare(recorder)):
        lines.append(f"created buffer {made!r} to switch to")

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
        set_table(control, table)
        missing = update_attachments(recorder).missing
        # This store enables the trigger.
        control.trigger[number].used = layout.TRIGGER_ON
        update_timers(recorder)
    except BaseException:
        drop_trigger(control, number)
        if loaded is not None:
            unload(recorder, loaded)
        raise
    lines += [f"not on this kernel: {program}: {why}" for program, why in missing.items()]
    return lines


def _fit(text: str, size: int) -> bytes:
    raw = text.encode()
    if len(raw) >= size:
        raise Usage(f"{text!r} is too long: at most {size - 1} bytes")
    return raw


def _action_bits(actions: Actions) -> int:
    return (
        layout.DO_NOTIFY * actions.notify
        | layout.DO_MASK * bool(actions.maskset)
        | layout.DO_FREEZE * (actions.freeze is not None)
        | layout.DO_SWITCH * actions.switch
        | layout.DO_STACK * actions.stack
    )


def remove_trigger(recorder: Recorder, name: str) -> None:
    """
    Remove a trigger.

    :raises NotFound: if there is none of this name
    """
    control = recorder.live
    number = find_trigger(control, name)
    if number is None:
        names = [trigger.name for trigger in list_triggers(control)]
        raise NotFound(f"there is no trigger {name!r}{nearest(name, names)}")
    drop_trigger(control, number)
    update_attachments(recorder)
    update_timers(recorder)
