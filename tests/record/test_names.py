# SPDX-License-Identifier: GPL-2.0-or-later
"""What users call events, and the names that they may give."""

from dataclasses import replace

import pytest

from lkst.decode.catalogue import Catalogue
from lkst.errors import Usage
from lkst.record.names import check_name, find_events
from lkst.util.nearest import nearest


def found(catalogue: Catalogue, pattern: str) -> list[str]:
    return [event.name for event in find_events(catalogue, pattern)]


def test_events_by_name_category_pattern_and_old_name(catalogue: Catalogue) -> None:
    assert found(catalogue, "sched_wakeup") == ["sched_wakeup"]
    assert found(catalogue, "sched_wakeup*") == ["sched_wakeup", "sched_wakeup_new"]
    assert found(catalogue, "power")[0] == "cpu_idle"
    assert found(catalogue, "PROCESS_CONTEXTSWITCH") == ["sched_switch"]
    # In the catalogue's order, each once.
    assert found(catalogue, "module, SYSCALL_*,module_load") == [
        "sys_enter",
        "sys_exit",
        "module_load",
        "module_free",
    ]


def test_case_matters(catalogue: Catalogue) -> None:
    with pytest.raises(Usage, match=r"'process_fork': did you mean PROCESS_FORK"):
        find_events(catalogue, "process_fork")


def test_several_old_names_of_one_event(catalogue: Catalogue) -> None:
    event = replace(find_events(catalogue, "sched_switch")[0], old_name="OLD_ONE OLD_TWO")
    renamed = replace(catalogue, events={event.id: event})
    assert found(renamed, "OLD_TWO") == ["sched_switch"]
    assert found(renamed, "OLD_ONE") == ["sched_switch"]
    with pytest.raises(Usage, match="did you mean OLD_"):
        find_events(renamed, "OLD_ONE OLD_TWO")


@pytest.mark.parametrize("pattern", ["", "sched,", ",", "sched,,irq"])
def test_a_part_of_a_list_is_missing(catalogue: Catalogue, pattern: str) -> None:
    with pytest.raises(Usage, match="a name is missing"):
        find_events(catalogue, pattern)


def test_nearest() -> None:
    words = ["sched_switch", "sched_waking", "irq"]
    assert nearest("sched_swich", words) == ": did you mean sched_switch, sched_waking?"
    assert nearest("IRG", words) == ": did you mean irq?"
    assert nearest("%%%", words) == ""
    assert nearest("", words) == ""


def test_nearest_of_very_many() -> None:
    words = [f"filler_{index}" for index in range(10000)] + ["schedule_timeout"]
    assert nearest("schedul_timeout", words) == ": did you mean schedule_timeout?"


@pytest.mark.parametrize("name", ["a", "A-b_9", "x" * 30])
def test_names_that_can_be_given(name: str) -> None:
    assert check_name("maskset", name) == name


@pytest.mark.parametrize("name", ["", "9a", "-a", "a b", "x" * 31, "ä", "a\n", "a/b", "a.b"])
def test_names_that_cannot_be_given(name: str) -> None:
    with pytest.raises(Usage, match="is not a valid name for a trigger"):
        check_name("trigger", name)


def test_a_handler_is_not_called_as_one_that_is_built_in() -> None:
    with pytest.raises(Usage, match="built-in"):
        check_name("handler", "record")
    assert check_name("maskset", "record") == "record"
