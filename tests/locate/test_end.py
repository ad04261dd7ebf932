# SPDX-License-Identifier: GPL-2.0-or-later
"""What dumps of real kernels say of their end, without debug info and with it."""

import itertools
from typing import Any

from drgn import FaultError, Program, RelocatableModule, StackFrame
from drgn.helpers.linux.mm import follow_phys
from drgn.helpers.linux.module import for_each_module
from drgn.helpers.linux.pid import for_each_task
from dumps import KERNELS, Dump, Lab
import pytest

from drgn_plugins.lkst_btf import attach_btf, find_kallsyms, place_modules
from lkst.locate.end import read_end
from lkst.locate.stacks import Stacks
from lkst.trace.facts import End


def end_of(dump: Dump) -> tuple[Program, End]:
    prog = Program()
    prog.set_core_dump(dump.vmcore)
    attach_btf(prog)
    end = read_end(prog, find_kallsyms)
    assert end
    return prog, end


def functions(stack: tuple[str, ...]) -> list[str]:
    return [frame.split("+")[0] for frame in stack]


def _name(frame: StackFrame) -> str:
    try:
        return str(frame.symbol().name)
    except LookupError:
        return ""


def test_every_cpu_has_a_task_and_a_stack(story: Dump) -> None:
    _, end = end_of(story)
    assert sorted(end.current) == [0, 1]
    assert end.panic_cpu is not None
    assert end.current[end.panic_cpu].comm == "sh"
    panicked = functions(end.cpu_stack(end.panic_cpu))
    # From what the panic calls out to the system call that asked for it.
    path = ["panic", "sysrq_handle_crash", "write_sysrq_trigger", "vfs_write", "ksys_write"]
    assert [name for name in panicked if name in path] == path
    (other,) = set(end.current) - {end.panic_cpu}
    assert functions(end.cpu_stack(other))


def test_the_task_that_panicked_could_run_and_has_a_priority(story: Dump) -> None:
    _, end = end_of(story)
    assert end.panic_cpu is not None
    assert end.runnable
    (own,) = (t for t in end.runnable if t.pid == end.current[end.panic_cpu].pid)
    assert (own.comm, own.prio, own.throttled) == ("sh", 120, False)


def test_tasks_that_sleep_have_stacks_that_end_where_they_entered(story: Dump) -> None:
    prog, end = end_of(story)
    stacks = {
        task.pid.value_(): functions(end.task_stack(task.pid.value_()))
        for task in for_each_task(prog)
        if task.pid.value_() not in {t.pid for t in end.current.values()}
    }
    asleep = [stack for stack in stacks.values() if stack]
    assert len(asleep) > 20
    for stack in asleep:
        assert stack[0] == "__schedule"
        assert stack[-1].startswith(("ret_from_fork", "entry_SYSCALL_64", "asm_")), stack


def test_the_stacks_are_those_that_debug_info_gives(story_6_1: Dump) -> None:
    _, end = end_of(story_6_1)
    prog = Program()
    prog.set_core_dump(story_6_1.vmcore)
    prog.load_debug_info([story_6_1.vmlinux])
    compared = 0
    for task in for_each_task(prog):
        pid = task.pid.value_()
        if pid in {t.pid for t in end.current.values()}:
            continue
        frames = [f for f in prog.stack_trace(task) if not f.is_inline and f.pc >> 63]
        named = [_name(frame) for frame in frames]
        # drgn goes on beyond the end of some stacks, into what is no code.
        code = list(itertools.takewhile(bool, named))
        # The entry has two names, one inside of the other.
        mine = [name.removesuffix("_after_hwframe") for name in functions(end.task_stack(pid))]
        assert mine == [name.removesuffix("_after_hwframe") for name in code]
        assert not any(named[len(code) :])
        compared += 1
    assert compared > 20


def test_a_task_that_is_not_there(story_6_1: Dump) -> None:
    _, end = end_of(story_6_1)
    assert end.task_stack(4_000_000) == ()
    assert end.cpu_stack(99) == ()


@pytest.fixture(scope="module", params=KERNELS)
def kdump(request: pytest.FixtureRequest, lab: Lab) -> Dump:
    """Give a dump that each kernel has taken of itself."""
    if request.param == "6.1":
        dump: Dump = request.getfixturevalue("kdump_6_1")
        return dump
    return lab(
        request.param, "--scenario", "story", "--capture", "kdump", "--dump-format", "flattened"
    )


def test_the_panicked_cpu_of_a_kdump_goes_on_to_panic_and_its_callers(kdump: Dump) -> None:
    _, end = end_of(kdump)
    assert end.panic_cpu is not None
    stack = functions(end.cpu_stack(end.panic_cpu))
    assert stack[0] == "__crash_kexec"
    path = ["panic", "sysrq_handle_crash", "write_sysrq_trigger", "vfs_write", "ksys_write"]
    assert [name for name in stack if name in path] == path
    assert stack[-1].startswith("entry_SYSCALL_64")


def test_a_cpu_has_a_stack_although_its_task_cannot_be_read(kdump: Dump) -> None:
    prog, end = end_of(kdump)
    for cpu in end.current:
        # A CPU that was in user space has none.
        expected = end.cpu_stack(cpu)
        assert not expected or Stacks(prog, find_kallsyms).of_cpu(cpu, None) == expected


def test_modules_are_placed_although_their_sections_cannot_be_read(story: Dump) -> None:
    whole = Program()
    whole.set_core_dump(story.vmcore)
    attach_btf(whole)
    hidden = {
        follow_phys(whole["init_mm"].address_of_(), module.sect_attrs.value_()).value_() >> 12
        for module in for_each_module(whole)
    }
    assert hidden

    def read(address: int, count: int, offset: int, physical: bool) -> bytes:
        if hidden & set(range(address >> 12, (address + count - 1 >> 12) + 1)):
            raise FaultError("left out", address)
        data: bytes = whole.read(address, count, True)
        return data

    damaged = Program(whole.platform)
    damaged.add_memory_segment(0, 1 << 46, read, True)
    damaged.set_linux_kernel_custom(whole["VMCOREINFO"].string_(), False)
    attach_btf(damaged)
    damaged.create_loaded_modules()
    assert places(damaged) == {}
    place_modules(whole)
    place_modules(damaged)
    assert places(damaged) == places(whole) != {}


def places(prog: Program) -> dict[str, tuple[Any, ...]]:
    """Give where the modules and their unwind tables lie."""
    return {
        module.name: (
            sorted(module.address_ranges or ()),
            *(module.section_addresses[name] for name in (".orc_unwind", ".orc_unwind_ip")),
        )
        for module in prog.modules()
        if isinstance(module, RelocatableModule)
    }
