# SPDX-License-Identifier: GPL-2.0-or-later
"""Which programs are attached, and in which order."""

from lkst.bpf.object import Object
from lkst.record.programs.attach import _attach_order, object_path, programs_of, sections
from lkst.record.programs.catalogue import built_catalogue


def test_names_are_recorded_before_all_else() -> None:
    """A thread that runs once, when all is attached, is named by the switch away from it."""
    catalogue = built_catalogue()
    with Object(object_path()) as bpf:
        hooks = sections(bpf)
    wanted: dict[str, list[int]] = {}
    for event in catalogue.events.values():
        for program in programs_of(event, hooks):
            wanted.setdefault(program, []).append(event.id)
    order = _attach_order(set(wanted), wanted, catalogue)
    assert sorted(order) == sorted(wanted)
    assert order.index("sched_switch") < order.index("kernel_thread")
    named = [any(catalogue.events[id_].names for id_ in wanted[program]) for program in order]
    assert named == sorted(named, reverse=True)
    assert 0 < sum(named) < len(named)
