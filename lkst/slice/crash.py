# SPDX-License-Identifier: GPL-2.0-or-later
"""
Memory for crash(8)
-------------------

crash reads much of a kernel before it shows its prompt, and gives up if some of it is
missing. Read here what a slice would lack otherwise; determined with crash 8.0.2 on
x86-64.
"""

import re

from drgn import Program, sizeof
from drgn.helpers.linux.cpumask import for_each_possible_cpu
from drgn.helpers.linux.device import dev_name
from drgn.helpers.linux.percpu import per_cpu

from drgn_plugins.lkst_btf import find_kallsyms
from lkst.locate.pages import read_pages
from lkst.slice.reading import attempt, distinct, touch

__all__ = ("read_for_crash",)

#: Variables, and functions by whose code it knows how the kernel was built.
_SYMBOLS = (
    "page_offset_base vmalloc_base vmemmap_base high_memory xen_start_info"
    " pv_info pv_ops idt_table lookup_num_blocks mem_section node_data nr_swapfiles memory_subsys"
    " memory_block_size_probed kmem_cache jiffies_64 arch_task_struct_size taint_flags"
    " __cpu_active_mask __x64_sys_open __x64_sys_fork __x64_sys_read do_futex vfs_read"
    " sysrq_pressed"
).split()
#: Pointers in variables whose types BTF leaves out, by their offsets: a text, a structure.
_POINTERS = {"pv_info": 8, "kmem_cache": 0}
#: Functions that it disassembles, along with whatever comes next.
_CODE = ("common_interrupt", "__schedule")
_CODE_SIZE = 3 * 4096
_MAX_SYMBOL = 1 << 17
_MAX_TEXT = 1500
_MAX_ROOTS = 1 << 18
_MAX_LOG_BITS = 25
_EXCEPTION_STACK = 8192
_TABLE_SPAN = 1 << 21  # of virtual memory for a page of page table entries


def read_for_crash(prog: Program) -> None:
    """Read what crash asks for when it starts."""
    for reader in (
        _read_symbols,
        _read_offsets,
        _read_cpu_numbers,
        _read_sections,
        _read_nodes,
        _read_memory_blocks,
        _read_flags,
        _read_log,
        _read_module_tables,
        _read_exception_stacks,
    ):
        with attempt(reader.__name__):
            reader(prog)


def _read_symbols(prog: Program) -> None:
    for name in _SYMBOLS:
        for symbol in find_kallsyms(prog, name, None, True):
            read_pages(prog, symbol.address, min(max(symbol.size, 8), _MAX_SYMBOL))
    for name in _CODE:
        for symbol in find_kallsyms(prog, name, None, True):
            read_pages(prog, symbol.address - 64, _CODE_SIZE)
    for name, offset in _POINTERS.items():
        for symbol in find_kallsyms(prog, name, None, True):
            read_pages(prog, prog.read_u64(symbol.address + offset), _MAX_TEXT)


def _read_offsets(prog: Program) -> None:
    """Read the offsets of all CPUs that the kernel was built for."""
    offsets = prog["__per_cpu_offset"]
    cpus = 8 * sizeof(prog.type("struct cpumask"))
    prog.read(offsets.address_of_().value_(), cpus * sizeof(offsets.type_.type))


def _read_cpu_numbers(prog: Program) -> None:
    """Read what crash counts CPUs by; from Linux 6.2 to 6.14 it lies beside current_task."""
    for cpu in for_each_possible_cpu(prog):
        per_cpu(prog["cpu_number"], cpu).read_()


def _read_sections(prog: Program) -> None:
    """Read the table of memory sections (include/linux/mmzone.h)."""
    vmcoreinfo = prog["VMCOREINFO"].string_()
    length = re.search(rb"^LENGTH\(mem_section\)=(\d+)$", vmcoreinfo, re.MULTILINE)
    roots = prog["mem_section"]
    count = min(int(length[1]), _MAX_ROOTS) if length else 0
    table = prog.read(roots.value_(), count * 8)
    for root in memoryview(table).cast("Q"):
        if root:
            read_pages(prog, root, 4096)


def _read_nodes(prog: Program) -> None:
    for node in prog["node_data"]:
        touch(node)
        if node:
            for zone in node.node_zones:
                read_pages(prog, zone.name.value_(), _MAX_TEXT)


def _read_memory_blocks(prog: Program) -> None:
    from drgn.helpers.linux.mm import for_each_memory_block  # since drgn 0.0.33

    for block in distinct(for_each_memory_block(prog)):
        touch(block)
        dev_name(block.dev.address_of_())


def _read_flags(prog: Program) -> None:
    for flag in prog["pageflag_names"]:
        if not flag.name:
            break
        read_pages(prog, flag.name.value_(), _MAX_TEXT)


def _read_log(prog: Program) -> None:
    """Read all of the log's rings (kernel/printk/printk_ringbuffer.h), empty or not."""
    ring = prog["prb"].desc_ring
    count = 1 << min(ring.count_bits.value_(), _MAX_LOG_BITS)
    for array in (ring.descs, ring.infos):
        read_pages(prog, array.value_(), count * sizeof(array.type_.type))
    text = prog["prb"].text_data_ring
    read_pages(prog, text.data.value_(), 1 << min(text.size_bits.value_(), _MAX_LOG_BITS))


def _read_module_tables(prog: Program) -> None:
    """Read the page tables of modules, whose memory crash asks for and does without."""
    seen = set()
    for module in prog.modules():
        for start, end in module.address_ranges or ():
            for address in range(start & -_TABLE_SPAN, end, _TABLE_SPAN):
                if address not in seen:
                    seen.add(address)
                    read_pages(prog, max(address, start), 1)


def _read_exception_stacks(prog: Program) -> None:
    """Read the stacks of exceptions on which a CPU may have stopped (x86)."""
    for cpu in for_each_possible_cpu(prog):
        for top in per_cpu(prog["cpu_tss_rw"], cpu).x86_tss.ist:
            if top:
                read_pages(prog, top.value_() - _EXCEPTION_STACK, _EXCEPTION_STACK)
