# SPDX-License-Identifier: GPL-2.0-or-later
"""
Contents of a slice
-------------------

The readers whose memory goes into a slice: the slice holds what they read, and no address or
offset is kept here. Each skips what it cannot read, since the original lacks it too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
import contextlib
import importlib
import io
from itertools import chain
import logging

from drgn import Module, Program, sizeof
from drgn.helpers.linux.bpf import bpf_link_for_each, bpf_map_for_each, bpf_prog_for_each
from drgn.helpers.linux.cpumask import for_each_possible_cpu, for_each_present_cpu
from drgn.helpers.linux.module import for_each_module
from drgn.helpers.linux.percpu import per_cpu, per_cpu_ptr
from drgn.helpers.linux.pid import find_task, for_each_task
from drgn.helpers.linux.printk import get_printk_records
from drgn.helpers.linux.sched import cpu_curr, idle_task, task_state_to_char

from drgn_plugins.lkst_btf import attach_btf, find_kallsyms, place_modules
from lkst.locate.carve import carve_recorders
from lkst.locate.facts import read_facts
from lkst.locate.maps import find_recorders
from lkst.locate.merge import is_whole
from lkst.locate.pages import read_pages
from lkst.locate.ranges import memory_size
from lkst.locate.stacks import Stacks
from lkst.slice.crash import read_for_crash
from lkst.slice.reading import attempt, distinct, touch

__all__ = ("read_crash_notes", "read_kernel", "read_recorders", "read_stacks")

#: drgn's commands for manual analysis, as far as this version has them.
_COMMANDS = ("crash sys", "crash ps", "crash runq", "crash mod", "crash bpf")

#: Variables that other programs read: numbers and texts, and pointers to texts.
_VARIABLES = ("crashing_cpu", "linux_banner", "panic_cpu", "tainted_mask")
_TEXTS = ("saved_command_line",)

#: Bounds of the first task's stack, which is as large as any: since Linux 6.11, and before.
_STACK_BOUNDS = (
    ("__start_init_stack", "__end_init_stack"),
    ("__start_init_task", "__end_init_task"),
)
_STACK_SIZE = 1 << 14  # without these symbols
_MAX_STACK = 1 << 18
_MAX_TEXT = 1 << 16
_MAX_TABLE = 1 << 25
_ORC_ENTRY = 6  # struct orc_entry
_MAX_CALL = 16  # bytes of an instruction, and more
_NOTE_HEADER = 24  # Elf64_Nhdr and "VMCOREINFO", padded


def read_recorders(
    prog: Program,
    view: Program,
    source: Program,
    ranges: Callable[[], Sequence[tuple[int, int]]],
) -> None:
    """
    Read all recorders, as a replay finds them.

    :param view: the same memory for carving
    :param source: and for being looked through, which is not watched
    :param ranges: what physical memory there is: first and last addresses
    """
    whole = False
    with attempt("the recorder's maps"):
        attach_btf(prog)
        faults: list[str] = []
        images = list(find_recorders(prog, memory_size(ranges()), faults))
        whole = bool(images) and not faults and all(map(is_whole, images))
    if not whole:
        for _ in carve_recorders(view, ranges(), source):
            pass


def read_kernel(prog: Program, pids: Iterable[int]) -> None:
    """
    Read what a replay, and manual analysis of the dump, need of the kernel.

    :param pids: of the tasks whose names a replay asks for
    """
    readers: dict[str, Callable[[], object]] = {
        # All of them, since a replay may ask for any.
        "symbols": lambda: find_kallsyms(prog, None, None, False),
        "names": lambda: _read_names(prog, pids),
        "the log": lambda: list(get_printk_records(prog)),
        "tasks": lambda: _read_tasks(prog),
        "CPUs": lambda: _read_cpus(prog),
        "notes": lambda: list(read_crash_notes(prog)),
        "BPF": lambda: _read_bpf(prog),
        "modules": lambda: _read_modules(prog),
        "VMCOREINFO": lambda: _read_vmcoreinfo(prog),
        "variables": lambda: _read_variables(prog),
        "commands": lambda: _run_commands(prog),
        "for crash": lambda: read_for_crash(prog),
    }
    with _quiet():
        for what, reader in readers.items():
            with attempt(what):
                reader()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence drgn's warnings about missing memory: the original's replay showed them."""
    logger = logging.getLogger("drgn")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _read_names(prog: Program, pids: Iterable[int]) -> None:
    facts = read_facts(prog, find_kallsyms)
    for pid in pids:
        facts.task_name(pid)


def _read_tasks(prog: Program) -> None:
    stack_size = _stack_size(prog)
    # for_each_task() knows the idle tasks of CPUs that are online; at the end few are.
    idle = (idle_task(prog, cpu) for cpu in for_each_possible_cpu(prog))
    for task in distinct(chain(for_each_task(prog), idle)):
        with attempt("a task"):
            touch(task)
            find_task(prog, task.pid)
            for relative in (task.parent, task.real_parent, task.group_leader):
                relative.comm.read_()
            for part in (task.signal, task.cred, task.real_cred, task.mm, task.active_mm):
                touch(part)
            if task_state_to_char(task) == "D" or not task.pid:
                read_pages(prog, task.stack.value_(), stack_size)


def _read_cpus(prog: Program) -> None:
    stack_size = _stack_size(prog)
    for cpu in for_each_possible_cpu(prog):
        with attempt(f"the stack of CPU {cpu}"):
            read_pages(prog, cpu_curr(prog, cpu).stack.value_(), stack_size)
        with attempt(f"the interrupts' stack of CPU {cpu}"):
            top = _irq_stack(prog, cpu)
            read_pages(prog, (top - 1) // stack_size * stack_size, stack_size)
    prog.crashed_thread()


def _stack_size(prog: Program) -> int:
    """Find THREAD_SIZE."""
    for names in _STACK_BOUNDS:
        found = [find_kallsyms(prog, name, None, True) for name in names]
        if all(found):
            size: int = found[1][0].address - found[0][0].address
            if 0 < size <= _MAX_STACK:
                return size
    return _STACK_SIZE


def _irq_stack(prog: Program, cpu: int) -> int:
    """Find the top of the stack on which a CPU handles interrupts (x86)."""
    try:
        stack = per_cpu(prog["hardirq_stack_ptr"], cpu)
    except LookupError:
        # From d7b6d709a76a ("x86/percpu: Move irq_stack variables next to current_task",
        # Linux 6.2) to c8f1ac2bd707 ("x86/irq: Move irq stacks to percpu hot section", 6.15).
        stack = per_cpu(prog["pcpu_hot"], cpu).hardirq_stack_ptr
    top: int = stack.value_()
    return top


def _read_bpf(prog: Program) -> None:
    for map_ in distinct(bpf_map_for_each(prog)):
        touch(map_)
    for program in distinct(bpf_prog_for_each(prog)):
        touch(program)
        touch(program.aux)
    for link in distinct(bpf_link_for_each(prog)):
        touch(link)


def _read_modules(prog: Program) -> None:
    for module in distinct(for_each_module(prog)):
        touch(module)
    # What drgn needs to find their debug info, and to unwind stacks.
    place_modules(prog)
    with attempt("the kernel's unwind tables"):
        for name in ("orc_unwind_ip", "orc_unwind", "orc_header"):
            start, stop = (
                find_kallsyms(prog, f"__{end}_{name}", None, True)[0].address
                for end in ("start", "stop")
            )
            read_pages(prog, start, min(stop - start, _MAX_TABLE))
    for module in prog.modules():
        with attempt("a module's unwind tables"):
            _read_module_tables(module)


def _read_module_tables(module: Module) -> None:
    """Read a module's ORC tables (struct mod_arch_specific of arch/x86/include/asm/module.h)."""
    sections = getattr(module, "section_addresses", {})
    if ".orc_unwind" not in sections:
        return
    count = module.object.arch.num_orcs.value_()
    for name, size in ((".orc_unwind_ip", 4), (".orc_unwind", _ORC_ENTRY)):
        read_pages(module.prog, sections[name], min(count * size, _MAX_TABLE))


def _read_vmcoreinfo(prog: Program) -> None:
    # For crash(8) extensions: the note, and the text from which it is made.
    note, text, size = (
        prog.read_u64(find_kallsyms(prog, name, None, True)[0].address)
        for name in ("vmcoreinfo_note", "vmcoreinfo_data", "vmcoreinfo_size")
    )
    read_pages(prog, note, _NOTE_HEADER + min(size, _MAX_TEXT))
    read_pages(prog, text, min(size, _MAX_TEXT))


def _read_variables(prog: Program) -> None:
    for name in (*_VARIABLES, *_TEXTS):
        with attempt(name):
            address = find_kallsyms(prog, name, None, True)[0].address
            if name in _TEXTS:
                address = prog.read_u64(address)
            prog.read_c_string(address, max_size=_MAX_TEXT)


def _run_commands(prog: Program) -> None:
    from drgn.commands import run_command  # since drgn 0.0.33

    try:
        # Private to drgn; it registers them.
        importlib.import_module("drgn.commands._crash")
    except ImportError:
        return
    for command in _COMMANDS:
        nowhere = io.StringIO()
        with (
            attempt(command),
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            run_command(prog, command)


def read_crash_notes(prog: Program) -> Iterator[bytes]:
    """Read the notes that the kernel itself has saved of each CPU (kernel/crash_core.c)."""
    for cpu in for_each_present_cpu(prog):
        note = per_cpu_ptr(prog["crash_notes"], cpu)
        yield prog.read(note.value_(), sizeof(note.type_.type))


def read_stacks(source: Program, prog: Program) -> None:
    """
    Read the stacks that the CPUs were on when they stopped.

    :param source: the original, which knows their registers
    :param prog: where to read
    """
    with attempt("CPUs"):
        stack_size = _stack_size(prog)
        stacks = Stacks(source, find_kallsyms)
        for cpu in for_each_possible_cpu(prog):
            with attempt(f"the calls on CPU {cpu}"):
                for place in stacks.frames_of_cpu(cpu, cpu_curr(source, cpu)):
                    read_pages(prog, place.pc - _MAX_CALL, _MAX_CALL)
            with attempt(f"where CPU {cpu} was"):
                for frame in source.stack_trace(cpu_curr(source, cpu)):
                    read_pages(prog, frame.sp, stack_size - frame.sp % stack_size)
