# SPDX-License-Identifier: GPL-2.0-or-later
"""
BTF
---

``drgn_plugins.lkst_btf`` lets drgn read a Linux kernel without debug info. A
kernel with ``CONFIG_DEBUG_INFO_BTF`` and ``CONFIG_KALLSYMS`` carries its types
and its symbol table in its own memory, so a dump of it explains itself:

* symbols are found in kallsyms (which needs Linux 6.0 or later),
* types, functions, per-CPU variables and enumerators in BTF (see
  :linux:`Documentation/bpf/btf.rst`, :linux:`include/uapi/linux/btf.h`),
* other global variables, whose types BTF leaves out, in a table below.

It also tells drgn where the kernel's code lies, without which drgn cannot unwind
stacks by the ORC tables of the dump.

Debug info comes first wherever there is any. Nothing is read before the first
lookup that debug info did not answer.

This file is complete in itself. Use it as an installed drgn plugin, as
``DRGN_PLUGINS=lkst_btf=/path/to/lkst_btf.py``, or as a library::

    >>> from drgn_plugins.lkst_btf import attach_btf
    >>> attach_btf(prog)
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
import contextlib
import functools
import logging
from pathlib import Path
import re
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

from drgn import (
    FaultError,
    FindObjectFlags,
    MainModule,
    Module,
    ModuleFileStatus,
    Object,
    PlatformFlags,
    Program,
    ProgramFlags,
    Qualifiers,
    Symbol,
    SymbolBinding,
    SymbolIndex,
    SymbolKind,
    Type,
    TypeEnumerator,
    TypeKind,
    TypeKindSet,
    TypeMember,
    TypeParameter,
    sizeof,
)
from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms, module_kallsyms
from drgn.helpers.linux.module import for_each_module, module_address_regions

try:
    import numpy as np
except ImportError:
    # It takes more time then.
    np = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = (
    "BTF",
    "BTFError",
    "attach_btf",
    "drgn_prog_set",
    "find_kallsyms",
    "place_modules",
)

logger = logging.getLogger("drgn.lkst_btf")

# Finds symbols by name, address and how many, as a SymbolIndex does.
_Symbols = Callable[[Program, str | None, int | None, bool], list[Symbol]]

# Types of the global variables that drgn's helpers and LKST ask for, as C
# declarations. A name may be declared again: the first type that the kernel
# knows and has room for is taken. An array without a length gets all the room
# up to the next symbol, padding included.
_GLOBALS = """
/* tasks and namespaces */
struct task_struct init_task;
struct mm_struct init_mm;
struct fs_struct init_fs;
struct cred init_cred;
struct nsproxy init_nsproxy;
struct pid_namespace init_pid_ns;
struct uts_namespace init_uts_ns;
struct ipc_namespace init_ipc_ns;
struct user_namespace init_user_ns;
struct time_namespace init_time_ns;
struct cgroup_namespace init_cgroup_ns;
struct net init_net;
struct list_head net_namespace_list;
struct kmem_cache *task_struct_cachep, *thread_stack_cache;
const char *const task_state_array[9];
int pid_max, nr_threads;

/* CPUs and scheduling */
unsigned long __per_cpu_offset[];
unsigned int nr_cpu_ids;
struct cpumask __cpu_possible_mask, __cpu_online_mask;
struct cpumask __cpu_present_mask, __cpu_active_mask;
struct task_group root_task_group;
unsigned long avenrun[];
struct list_head workqueues;
struct cgroup_root cgrp_dfl_root;
struct css_set init_css_set;
struct list_head cgroup_roots;

/* panic and log */
atomic_t panic_cpu;
int crashing_cpu, oops_in_progress, panic_on_oops;
unsigned long tainted_mask;
const struct taint_flag taint_flags[];
struct printk_ringbuffer *prb;
struct latched_seq clear_seq;
char *log_buf;
u32 log_buf_len;
struct kimage *kexec_crash_image;
note_buf_t *crash_notes;
char *saved_command_line;
const char linux_banner[], linux_proc_banner[], vermagic[];

/* time */
u64 jiffies_64;
struct tk_data timekeeper_data[TIMEKEEPERS_MAX];
struct tk_data tk_core;
struct timezone sys_tz;
unsigned int tsc_khz, cpu_khz;
u64 __sched_clock_offset;
struct clocksource *curr_clocksource;

/* interrupts and system calls */
const char *const softirq_to_name[NR_SOFTIRQS];
struct softirq_action softirq_vec[NR_SOFTIRQS];
struct maple_tree sparse_irqs;
struct xarray irq_desc_tree;
unsigned int total_nr_irqs;
int nr_irqs;
gate_desc idt_table[];
const sys_call_ptr_t sys_call_table[];
const struct trace_print_flags gfpflag_names[], pageflag_names[], vmaflag_names[];

/* BPF, tracing and modules */
struct idr map_idr, prog_idr, btf_idr, link_idr;
struct list_head modules, ftrace_events, ftrace_trace_arrays;
struct trace_array global_trace;
struct hlist_head event_hash[];
struct mod_tree_root mod_tree;

/* memory */
unsigned long page_offset_base, vmalloc_base, vmemmap_base;
unsigned long max_mapnr, min_low_pfn, max_low_pfn, max_pfn;
void *high_memory;
struct page *mem_map;
struct mem_section **mem_section;
unsigned long __highest_present_section_nr;
unsigned int nr_node_ids;
nodemask_t node_states[NR_NODE_STATES];
pg_data_t *node_data[];
pg_data_t contig_page_data;
struct memblock memblock;
struct vmap_node *vmap_nodes;
unsigned int nr_vmap_nodes, vmap_zone_size;
struct rb_root vmap_area_root;
struct list_head vmap_area_list, slab_caches;
struct kset *slab_kset;
atomic_long_t _totalram_pages, nr_swap_pages;
long total_swap_pages;
atomic_long_t vm_node_stat[NR_VM_NODE_STAT_ITEMS];
atomic_long_t vm_zone_stat[NR_VM_ZONE_STAT_ITEMS];
atomic_long_t vm_numa_event[NR_VM_NUMA_EVENT_ITEMS];
struct percpu_counter vm_committed_as;
int sysctl_overcommit_memory, sysctl_overcommit_ratio;
unsigned long sysctl_overcommit_kbytes;
struct swap_info_struct *swap_info[];
unsigned int nr_swapfiles;
struct hstate hstates[];
int hugetlb_max_hstate;

/* files and devices */
struct list_head super_blocks;
struct super_block *blockdev_superblock;
struct kernfs_node *sysfs_root_kn;
struct char_device_struct *chrdevs[255];
struct kobj_map *cdev_map;
struct blk_major_name *major_names[255];
const struct class block_class;
struct kset *bus_kset, *class_kset;
const struct bus_type pci_bus_type, memory_subsys;
struct list_head pci_root_buses;
struct resource iomem_resource, ioport_resource;
struct neigh_table arp_tbl;
struct inet_hashinfo tcp_hashinfo;
struct hlist_head uidhash_table[];
"""

# Those of a type without a tag, which is known by the names of its members.
_UNTAGGED = {
    "tk_core": ("seq", "timekeeper"),
}

_NAME = "lkst_btf"

# BTF_KIND_*
(
    _VOID,
    _INT,
    _PTR,
    _ARRAY,
    _STRUCT,
    _UNION,
    _ENUM,
    _FWD,
    _TYPEDEF,
    _VOLATILE,
    _CONST,
    _RESTRICT,
    _FUNC,
    _FUNC_PROTO,
    _VAR,
    _DATASEC,
    _FLOAT,
    _DECL_TAG,
    _TYPE_TAG,
    _ENUM64,
) = range(20)

# Number of 32-bit words that a type takes: always, and for each of its vlen
# members, enumerators, parameters or variables.
_TYPE_WORDS = {
    _INT: (4, 0),
    _PTR: (3, 0),
    _ARRAY: (6, 0),
    _STRUCT: (3, 3),
    _UNION: (3, 3),
    _ENUM: (3, 2),
    _FWD: (3, 0),
    _TYPEDEF: (3, 0),
    _VOLATILE: (3, 0),
    _CONST: (3, 0),
    _RESTRICT: (3, 0),
    _FUNC: (3, 0),
    _FUNC_PROTO: (3, 2),
    _VAR: (4, 0),
    _DATASEC: (3, 3),
    _FLOAT: (3, 0),
    _DECL_TAG: (4, 0),
    _TYPE_TAG: (3, 0),
    _ENUM64: (3, 3),
}

_INT_SIGNED = 1
_INT_BOOL = 4

_QUALIFIERS = {
    _CONST: Qualifiers.CONST,
    _VOLATILE: Qualifiers.VOLATILE,
    _RESTRICT: Qualifiers.RESTRICT,
}

_FOUND_AS = {
    TypeKind.INT: (_INT,),
    TypeKind.BOOL: (_INT,),
    TypeKind.FLOAT: (_FLOAT,),
    TypeKind.STRUCT: (_STRUCT,),
    TypeKind.UNION: (_UNION,),
    TypeKind.ENUM: (_ENUM, _ENUM64),
    TypeKind.TYPEDEF: (_TYPEDEF,),
}

# Integer types of enums, by size and signedness.
_ENUM_INTEGERS = {
    (1, False): "unsigned char",
    (1, True): "signed char",
    (2, False): "unsigned short",
    (2, True): "short",
    (4, False): "unsigned int",
    (4, True): "int",
    (8, False): "unsigned long",
    (8, True): "long",
}

# Several times as much as Linux 6.1 to 7.3 need.
_MAX_NESTING = 128
_MAX_WEIGHT = 1 << 16
_MAX_SIZE = 1 << 28

# Of symbols in kallsyms, as drgn has it: more is a gap behind it.
_MAX_SYMBOL = 1 << 16
_MAX_MODULES = 1 << 14
# Of so many names in kallsyms one is marked.
_MARKED = 256


class BTFError(ValueError):
    """BTF is missing, damaged or of an unknown version."""


class Member(NamedTuple):
    """Member of a structure or union."""

    name: str
    """Name, empty if it has none."""

    type_id: int

    bit_offset: int

    bit_size: int
    """Size in bits if it is a bit field, otherwise 0."""


class BTF:
    """
    BTF type information.

    Types are numbered from 1; number 0 is ``void``. Making this object only
    indexes them by number and by name. What a type says is checked when it is
    asked for.
    """

    def __init__(self, data: bytes) -> None:
        """
        :param data: Contents of a ``.BTF`` section.
        :raises BTFError: if *data* is not valid
        """
        self._words, self._strings = _sections(data)
        self._offsets, self._by_name, self._enums = _index(self._words)
        self._weights: dict[tuple[int, bool], int] = {}

    def __len__(self) -> int:
        """Return one more than the number of the last type."""
        return len(self._offsets)

    def kind(self, type_id: int) -> int:
        """Return the ``BTF_KIND_*`` of a type."""
        return self._info(type_id) >> 24 & 31

    def flag(self, type_id: int) -> bool:
        """Return the ``kind_flag`` of a type."""
        return bool(self._info(type_id) >> 31)

    def name(self, type_id: int) -> str:
        """Return the name of a type, or an empty string if it has none."""
        return self._string(self._words[self._offset(type_id)])

    def size(self, type_id: int) -> int:
        """Return the size in bytes of an integer, float, compound or enum."""
        return self._words[self._offset(type_id) + 2]

    def target(self, type_id: int) -> int:
        """
        Return the type that a pointer, qualifier, typedef, tag, function or
        variable refers to, or that a function prototype returns.
        """
        return self._words[self._offset(type_id) + 2]

    def encoding(self, type_id: int) -> int:
        """Return the encoding of an integer type."""
        return self._words[self._offset(type_id) + 3] >> 24 & 15

    def array(self, type_id: int) -> tuple[int, int]:
        """Return the element type and the length of an array type."""
        offset = self._offset(type_id)
        return self._words[offset + 3], self._words[offset + 5]

    def members(self, type_id: int) -> Iterator[Member]:
        """Iterate over the members of a structure or union type."""
        bit_fields = self.flag(type_id)
        for name, member_type, offset in self._records(type_id, 3):
            bit_size = 0
            if bit_fields:
                bit_size = offset >> 24
                offset &= 0xFFFFFF
            yield Member(self._string(name), member_type, offset, bit_size)

    def enumerators(self, type_id: int) -> Iterator[tuple[str, int]]:
        """Iterate over the names and values of an enumerated type."""
        for name, value in self._enumerators(type_id):
            yield self._string(name), value

    def parameters(self, type_id: int) -> Iterator[tuple[str, int]]:
        """
        Iterate over the names and types of a function prototype's parameters.

        A variadic function has a last parameter without name and type.
        """
        for name, parameter_type in self._records(type_id, 2):
            yield self._string(name), parameter_type

    def find(self, name: str, *kinds: int) -> int | None:
        """
        Find a type by name.

        :param kinds: ``BTF_KIND_*`` to look for, in this order.
        """
        for name_offset in self._string_offsets(name):
            for kind in kinds:
                type_id = self._by_name.get(name_offset << 5 | kind)
                if type_id is not None:
                    return type_id
        return None

    def find_untagged(self, *members: str) -> int | None:
        """Find a structure without a tag by the names of its members."""
        sought = [next(self._string_offsets(name), 0) for name in members]
        header = array("I", (0, _STRUCT << 24 | len(sought)))
        for type_id, offset in enumerate(self._offsets):
            if self._words[offset : offset + 2] == header and type_id:
                records = self._records(type_id, 3)
                if sought == [name for name, _, _ in records]:
                    return type_id
        return None

    def find_enumerator(self, name: str) -> tuple[int, int] | None:
        """Find an enumerator by name and return its enum type and its value."""
        for name_offset in self._string_offsets(name):
            found = self._by_enumerator.get(name_offset)
            if found is not None:
                return found
        return None

    def definition(self, type_id: int) -> int:
        """
        Return the structure or union that a forward declaration stands for, or
        ``void`` if it is not defined.
        """
        kind = _UNION if self.flag(type_id) else _STRUCT
        return self.find(self.name(type_id), kind) or _VOID

    def check(self, type_id: int) -> None:
        """
        Check that everything that a type is made of can be walked.

        In C, a type can lead back to itself only through a pointer to a
        structure or union that has a name. Types that break this rule would
        send whoever walks them around forever.

        :raises BTFError: if not
        """
        self._weigh(type_id, False, 0)

    def _offset(self, type_id: int) -> int:
        if 0 < type_id < len(self._offsets):
            return self._offsets[type_id]
        raise BTFError(f"BTF has no type {type_id}")

    def _info(self, type_id: int) -> int:
        return self._words[self._offset(type_id) + 1]

    def _string(self, offset: int) -> str:
        if not offset:
            return ""
        end = self._strings.find(b"\0", offset)
        if end < 0:
            raise BTFError(f"BTF has no string at {offset}")
        string = self._strings[offset:end].decode("ascii", "replace")
        # Names end up on terminals.
        if not string.isprintable() or "\ufffd" in string:
            raise BTFError(f"BTF string at {offset} is not a name")
        return string

    def _string_offsets(self, name: str) -> Iterator[int]:
        # The encoder stores each string once, but nothing relies on it.
        needle = b"\0" + name.encode() + b"\0"
        offset = self._strings.find(needle)
        while offset >= 0:
            yield offset + 1
            offset = self._strings.find(needle, offset + 1)

    def _records(self, type_id: int, words: int) -> Iterator[tuple[int, ...]]:
        start = self._offset(type_id) + 3
        vlen = self._info(type_id) & 0xFFFF
        record = iter(self._words[start : start + words * vlen])
        return zip(*(record,) * words, strict=True)

    def _enumerators(self, type_id: int) -> Iterator[tuple[int, int]]:
        # Yields offsets of names.
        signed = self.flag(type_id)
        if self.kind(type_id) == _ENUM64:
            for name, low, high in self._records(type_id, 3):
                yield name, _integer(high << 32 | low, 64, signed)
        else:
            for name, value in self._records(type_id, 2):
                yield name, _integer(value, 32, signed)

    @functools.cached_property
    def _by_enumerator(self) -> dict[int, tuple[int, int]]:
        return {
            name: (type_id, value)
            for type_id in reversed(self._enums)
            for name, value in self._enumerators(type_id)
        }

    def _weigh(self, type_id: int, pointed_to: bool, depth: int) -> int:
        # Count the types that a type is made of. Counting repetitions catches
        # a type that doubles at each of a few levels.
        if not type_id:
            return 1
        kind = self.kind(type_id)
        if pointed_to and kind in (_STRUCT, _UNION) and self.name(type_id):
            return 1
        weight = self._weights.get((type_id, pointed_to))
        if weight is None:
            weight = 1
            if depth < _MAX_NESTING:
                for part, behind in self._parts(type_id, kind, pointed_to):
                    weight += self._weigh(part, behind, depth + 1)
            if depth >= _MAX_NESTING or weight > _MAX_WEIGHT:
                raise BTFError(f"BTF type {type_id} contains itself or too much")
            self._weights[type_id, pointed_to] = weight
        return weight

    def _parts(self, type_id: int, kind: int, pointed_to: bool) -> Iterator[tuple[int, bool]]:
        if kind in (_STRUCT, _UNION):
            for _, member_type, _ in self._records(type_id, 3):
                yield member_type, False
        elif kind == _ARRAY:
            yield self.array(type_id)[0], pointed_to
        elif kind == _PTR:
            yield self.target(type_id), True
        elif kind == _FUNC_PROTO:
            yield self.target(type_id), True
            for _, parameter_type in self._records(type_id, 2):
                yield parameter_type, True
        elif kind in (_TYPEDEF, _CONST, _VOLATILE, _RESTRICT, _TYPE_TAG):
            yield self.target(type_id), pointed_to
        elif kind == _FWD and not pointed_to:
            yield self.definition(type_id), False


def _sections(data: bytes) -> tuple["array[int]", bytes]:
    # Return the types, in host byte order, and the strings.
    byte_order = {b"\x9f\xeb": "<", b"\xeb\x9f": ">"}.get(data[:2])
    if byte_order is None:
        raise BTFError("BTF has no magic number")
    try:
        (
            _,
            version,
            _,
            header_size,
            types_offset,
            types_size,
            strings_offset,
            strings_size,
        ) = struct.unpack_from(f"{byte_order}HBBIIIII", data)
    except struct.error:
        raise BTFError("BTF header is cut off") from None
    if version != 1:
        raise BTFError(f"BTF version {version} is unknown")
    types_offset += header_size
    strings_offset += header_size
    if (
        types_size % 4
        or types_offset + types_size > len(data)
        or strings_offset + strings_size > len(data)
    ):
        raise BTFError("BTF header is damaged")

    words = array("I", data[types_offset : types_offset + types_size])
    if byte_order != ("<" if sys.byteorder == "little" else ">"):
        words.byteswap()
    strings = data[strings_offset : strings_offset + strings_size]
    if not strings.startswith(b"\0"):
        raise BTFError("BTF strings are damaged")
    return words, strings


def _index(
    words: "array[int]",
) -> tuple["Sequence[int] | array[int]", "dict[int, int] | _ByName", list[int]]:
    # Return where each type starts, the types by offset of name and kind, and
    # the enums. This loop sees a hundred thousand types, so it only does what
    # cannot wait.
    fixed = [0] * 32
    variable = [0] * 32
    for kind, words_of_kind in _TYPE_WORDS.items():
        fixed[kind], variable[kind] = words_of_kind
    index = None if np is None else _index_at_once(words, fixed, variable)
    if index is not None:
        return index
    offsets = [0]
    by_name: dict[int, int] = {}
    enums = []
    enum_kinds = (_ENUM, _ENUM64)
    end = len(words)
    offset = 0
    type_id = 1
    try:
        while offset < end:
            offsets.append(offset)
            info = words[offset + 1]
            kind = info >> 24 & 31
            name = words[offset]
            if name:
                by_name.setdefault(name << 5 | kind, type_id)
            if kind in enum_kinds:
                enums.append(type_id)
            size = fixed[kind] + (info & 0xFFFF) * variable[kind]
            if not size:
                raise BTFError(f"BTF type {type_id} is of unknown kind {kind}")
            offset += size
            type_id += 1
    except IndexError:
        offset = -1
    if offset != end:
        raise BTFError(f"BTF type {type_id - 1} is cut off")
    return offsets, by_name, enums


class _ByName:
    # Types by offset of name and kind, as a dictionary.

    def __init__(self, keys: "NDArray[np.int64]") -> None:
        # Of several with the same key the first comes first.
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def get(self, key: int) -> int | None:
        place = int(np.searchsorted(self._keys, key))
        if place < len(self._keys) and self._keys[place] == key:
            return int(self._order[place]) + 1
        return None


def _index_at_once(
    words: "array[int]", fixed: list[int], variable: list[int]
) -> tuple["array[int]", _ByName, list[int]] | None:
    # The same, but for a loop that does no more than go from one type to the
    # next; None if it does not come to the end.
    at = np.frombuffer(words, np.uint32)
    kinds = at >> 24 & 31
    steps = np.array(fixed, np.uint32).take(kinds)
    steps += (at & 0xFFFF) * np.array(variable, np.uint32).take(kinds)
    end = len(words)
    # From the second word of a type to the next one's; of an unknown kind nowhere.
    following = np.arange(end, dtype=np.uint32) + steps
    following[steps == 0] = end + 2
    follow = array("I", following.tobytes())
    seconds = array("I")
    append = seconds.append
    second = 1
    while second < end:
        append(second)
        second = follow[second]
    if second != end + 1:
        return None
    where = np.frombuffer(seconds, np.uint32).astype(np.int64)
    kinds = kinds.take(where)
    keys = at.take(where - 1).astype(np.int64) << 5 | kinds
    enums = np.flatnonzero((kinds == _ENUM) | (kinds == _ENUM64)) + 1
    offsets = array("I", [0])
    offsets.frombytes((where - 1).astype(np.uint32).tobytes())
    return offsets, _ByName(keys), enums.tolist()


def _integer(value: int, bits: int, signed: bool) -> int:
    return value - (1 << bits) if signed and value >> (bits - 1) else value


class _Types:
    # drgn types made out of BTF, when they are asked for.

    def __init__(self, prog: Program, btf: BTF) -> None:
        self._prog = prog
        self.btf = btf
        self._types: dict[int, Type] = {0: prog.void_type()}
        self._found: dict[tuple[TypeKind, str], Type | None] = {}
        self._create = {
            _INT: self._create_int,
            _PTR: self._create_pointer,
            _ARRAY: self._create_array,
            _STRUCT: self._create_compound,
            _UNION: self._create_compound,
            _ENUM: self._create_enum,
            _FWD: self._create_forward,
            _TYPEDEF: self._create_typedef,
            _VOLATILE: self._create_qualified,
            _CONST: self._create_qualified,
            _RESTRICT: self._create_qualified,
            _FUNC_PROTO: self._create_function,
            _FLOAT: self._create_float,
            _TYPE_TAG: self._create_tagged,
            _ENUM64: self._create_enum,
        }

    def find(self, name: str, kinds: TypeKindSet) -> Type | None:
        for kind in _FOUND_AS:
            if kind in kinds:
                type_ = self._find(name, kind)
                if type_ is not None:
                    return type_
        return None

    def _find(self, name: str, kind: TypeKind) -> Type | None:
        try:
            return self._found[kind, name]
        except KeyError:
            pass
        type_id = self.btf.find(name, *_FOUND_AS[kind])
        type_ = None if type_id is None else self.type(type_id)
        # Integers and booleans are of the same BTF kind, and so are enums and
        # forward declarations of enums.
        if type_ is not None and (
            type_.kind != kind or (kind == TypeKind.ENUM and not type_.is_complete())
        ):
            type_ = None
        self._found[kind, name] = type_
        return type_

    def type(self, type_id: int) -> Type:
        type_ = self._types.get(type_id)
        if type_ is None:
            self.btf.check(type_id)
            type_ = self._type(type_id)
        return type_

    def sized_type(self, type_id: int) -> Type:
        type_ = self.type(type_id)
        try:
            sizeof(type_)
        except (TypeError, OverflowError) as e:
            raise BTFError(f"BTF type {type_id} cannot be that of an object: {e}") from e
        return type_

    def _type(self, type_id: int) -> Type:
        # Recurses no deeper than the checked nesting.
        type_ = self._types.get(type_id)
        if type_ is None:
            try:
                type_ = self._create[self.btf.kind(type_id)](type_id)
            except BTFError:
                raise
            except (KeyError, TypeError, ValueError, OverflowError) as e:
                raise BTFError(f"BTF type {type_id} is damaged: {e}") from e
            self._types[type_id] = type_
        return type_

    def _type_but(self, type_id: int, *kinds: TypeKind) -> Type:
        type_ = self._type(type_id)
        if type_.unaliased_kind() in kinds:
            raise BTFError(f"BTF type {type_id} is where C allows none of its kind")
        return type_

    def _create_int(self, type_id: int) -> Type:
        name = self.btf.name(type_id)
        size = self.btf.size(type_id)
        if size not in (1, 2, 4, 8, 16):
            raise BTFError(f"BTF type {type_id} is an integer of {size} bytes")
        encoding = self.btf.encoding(type_id)
        if encoding & _INT_BOOL:
            return self._prog.bool_type(name, size)
        return self._prog.int_type(name, size, bool(encoding & _INT_SIGNED))

    def _create_float(self, type_id: int) -> Type:
        size = self.btf.size(type_id)
        if size not in (2, 4, 8, 12, 16):
            raise BTFError(f"BTF type {type_id} is a number of {size} bytes")
        return self._prog.float_type(self.btf.name(type_id), size)

    def _create_pointer(self, type_id: int) -> Type:
        return self._prog.pointer_type(self._type(self.btf.target(type_id)))

    def _create_array(self, type_id: int) -> Type:
        element, length = self.btf.array(type_id)
        type_ = self._type_but(element, TypeKind.VOID, TypeKind.FUNCTION)
        return self._prog.array_type(type_, length)

    def _create_typedef(self, type_id: int) -> Type:
        target = self._type(self.btf.target(type_id))
        return self._prog.typedef_type(self.btf.name(type_id), target)

    def _create_qualified(self, type_id: int) -> Type:
        target = self._type(self.btf.target(type_id))
        qualifier = _QUALIFIERS[self.btf.kind(type_id)]
        return target.qualified(target.qualifiers | qualifier)

    def _create_tagged(self, type_id: int) -> Type:
        return self._type(self.btf.target(type_id))

    def _create_function(self, type_id: int) -> Type:
        parameters = list(self.btf.parameters(type_id))
        is_variadic = bool(parameters) and parameters[-1] == ("", _VOID)
        if is_variadic:
            parameters.pop()
        return self._prog.function_type(
            self._type_but(self.btf.target(type_id), TypeKind.FUNCTION),
            [
                TypeParameter(self._type_but(t, TypeKind.VOID, TypeKind.FUNCTION), name or None)
                for name, t in parameters
            ],
            is_variadic,
        )

    def _create_enum(self, type_id: int) -> Type:
        name = self.btf.name(type_id) or None
        enumerators = [TypeEnumerator(*e) for e in self.btf.enumerators(type_id)]
        if not enumerators and name:
            return self._prog.enum_type(name)
        signed = self.btf.flag(type_id)
        integer = self._prog.type(_ENUM_INTEGERS[self.btf.size(type_id), signed])
        return self._prog.enum_type(name, integer, enumerators)

    def _create_forward(self, type_id: int) -> Type:
        definition = self.btf.definition(type_id)
        if definition:
            return self._type(definition)
        name = self.btf.name(type_id)
        if not name:
            raise BTFError(f"BTF type {type_id} declares nothing")
        if self.btf.flag(type_id):
            return self._prog.union_type(name)
        return self._prog.struct_type(name)

    def _create_compound(self, type_id: int) -> Type:
        self.btf.check(type_id)
        size = self.btf.size(type_id)
        members = list(self.btf.members(type_id))
        for member in members:
            if member.bit_offset + member.bit_size > size * 8:
                raise BTFError(f"BTF type {type_id} has a member outside of it")
        create = (
            self._prog.union_type if self.btf.kind(type_id) == _UNION else self._prog.struct_type
        )
        return create(
            self.btf.name(type_id) or None,
            size,
            [
                TypeMember(
                    functools.partial(self._member, member, number == len(members) > 1),
                    member.name or None,
                    member.bit_offset,
                )
                for number, member in enumerate(members, 1)
            ],
        )

    def _member(self, member: Member, last: bool) -> Object | Type:
        type_ = self.sized_type(member.type_id)
        if not member.name and type_.unaliased_kind() not in (TypeKind.STRUCT, TypeKind.UNION):
            raise BTFError(f"BTF type {member.type_id} is that of a member without a name")
        if member.bit_size:
            try:
                return Object(self._prog, type_, bit_field_size=member.bit_size)
            except (TypeError, ValueError, OverflowError) as e:
                raise BTFError(f"BTF bit field {member.name!r} is damaged") from e
        if last and type_.kind == TypeKind.ARRAY and not type_.length:
            # BTF does not tell a flexible array member from one of length 0.
            return self._prog.array_type(type_.type)
        return type_


class _Kernel:
    # The finders of one program, with the arguments that drgn gives to finders,
    # and what they have read so far.

    def __init__(self) -> None:
        self.force = False
        self.error: BTFError | None = None
        self._loading = False
        self._deferred = False
        self._types: _Types | None = None
        self._symbols: _Symbols | None = None
        self._module_symbols: SymbolIndex | None = None
        self._objects: dict[tuple[str, FindObjectFlags], Object | None] = {}

    def find_type(
        self, prog: Program, kinds: TypeKindSet, name: str, filename: str | None
    ) -> Type | None:
        if filename is not None or (name == "module" and self._defer(prog)):
            return None
        types = self.load(prog, name == "char")
        return None if types is None else types.find(name, kinds)

    def find_object(
        self, prog: Program, name: str, flags: FindObjectFlags, filename: str | None
    ) -> Object | None:
        types = None if filename is not None else self.load(prog)
        if types is None or self._symbols is None:
            return None
        try:
            return self._objects[name, flags]
        except KeyError:
            pass
        found = None
        if flags & FindObjectFlags.VARIABLE:
            found = _find_variable(prog, types, self._symbols, name)
        if found is None and flags & FindObjectFlags.FUNCTION:
            found = _find_function(prog, types, self._symbols, name)
        if found is None and flags & FindObjectFlags.CONSTANT:
            found = _find_constant(prog, types, name)
        self._objects[name, flags] = found
        return found

    def find_symbols(
        self, prog: Program, name: str | None, address: int | None, one: bool
    ) -> Sequence[Symbol]:
        types = self.load(prog)
        if self._loading:
            return []
        # Debug info has the symbols of the kernel, and not always of modules.
        has_debug_info = types is None and self.error is None
        vmlinux = None if has_debug_info else self._symbols
        return self._find_symbols(prog, vmlinux, name, address, one)

    def find_kallsyms(
        self, prog: Program, name: str | None, address: int | None, one: bool
    ) -> Sequence[Symbol]:
        self.load(prog)
        if self._symbols is None:
            try:
                self._symbols = _load_symbols(prog)
            except BTFError as e:
                logger.debug("%s", e)
                self._symbols = SymbolIndex(())
        return self._find_symbols(prog, self._symbols, name, address, one)

    def _find_symbols(
        self,
        prog: Program,
        vmlinux: _Symbols | None,
        name: str | None,
        address: int | None,
        one: bool,
    ) -> list[Symbol]:
        symbols: list[Symbol] = []
        if vmlinux is not None:
            symbols = vmlinux(prog, name, address, one)
        if not symbols or (not one and address is None):
            if self._module_symbols is None:
                self._module_symbols = SymbolIndex(())  # In case it is asked for.
                self._module_symbols = _load_module_symbols(prog)
            symbols = symbols + self._module_symbols(prog, name, address, one)
        return symbols

    def load(self, prog: Program, for_char: bool = False) -> _Types | None:
        """
        Read symbols and types, unless that has been done or is not needed.

        :param for_char: Whether drgn is looking for the kernel's char.
        :return: ``None`` if there are none; then ``error`` tells why, unless
            debug info takes their place or they are being read.
        """
        if self._types is not None or self.error is not None or self._loading:
            return self._types
        if not self.force and _has_debug_info(prog):
            return None
        if not for_char:
            # Reading VMCOREINFO takes a char. drgn makes one up, since BTF has
            # yet to be read, and keeps it. When all this happens while it looks
            # for a char, then it keeps what it finds in the end, which is right.
            with contextlib.suppress(BTFError):
                prog.type("char")
            if self._types is not None or self.error is not None:
                return self._types

        self._loading = True
        try:
            if self._symbols is None:
                self._symbols = _load_symbols(prog)
            self._types = _Types(prog, BTF(_read_btf(prog, self._symbols)))
        except BTFError as e:
            logger.debug("%s", e)
            self.error = e
        finally:
            self._loading = False
        return self._types

    def _defer(self, prog: Program) -> bool:
        # drgn looks up struct module before it loads debug info, and loads it
        # first if there is none. Answering would anticipate that.
        try:
            wanted = prog.main_module().wants_debug_file()
        except LookupError:
            wanted = False
        first = wanted and not self._deferred
        self._deferred = True
        return first


def _has_debug_info(prog: Program) -> bool:
    try:
        return bool(prog.main_module().debug_file_status == ModuleFileStatus.HAVE)
    except LookupError:
        return False


def _load_symbols(prog: Program) -> "_Symbols":
    live = ProgramFlags.IS_LIVE | ProgramFlags.IS_LOCAL
    if np is not None and prog.flags & live != live:
        try:
            return _Kallsyms(prog)
        except Exception as e:
            # Unusual, or damaged; drgn says what is wrong.
            logger.debug("cannot read kallsyms at once: %s", e)
    try:
        symbols: _Symbols = load_vmlinux_kallsyms(_with_buffered_kallsyms(prog))
        return symbols
    except Exception as e:
        raise BTFError(f"cannot read the kernel's symbols: {e}") from e


def _with_buffered_kallsyms(prog: Program) -> Program:
    # drgn reads kallsyms_names byte by byte, each through the kernel's page
    # tables. Read it at once, into another program, which takes a fourth of the
    # time.
    vmcoreinfo = prog["VMCOREINFO"].string_()
    try:
        symbols = _vmcoreinfo_symbols(prog)
        start = symbols["kallsyms_names"]
        size = symbols["kallsyms_token_table"] - start
        if not 0 < size < _MAX_SIZE:
            return prog
        names: bytes = prog.read(start, size)
        buffered = Program(prog.platform)
        buffered.cache[_NAME] = _Kernel()  # This one is not for finding things in.
        buffered.set_linux_kernel_custom(vmcoreinfo, False)
    except (AttributeError, FaultError, KeyError, ValueError):
        # Old versions of drgn cannot, old kernels do not say.
        return prog

    def read(address: int, count: int, offset: int, physical: bool) -> bytes:
        data: bytes = prog.read(address, count)
        return data

    def read_names(address: int, count: int, offset: int, physical: bool) -> bytes:
        return names[offset : offset + count]

    buffered.add_memory_segment(0, (1 << 64) - 1, read)
    buffered.add_memory_segment(start, size, read_names)
    return buffered


def _vmcoreinfo_symbols(prog: Program) -> dict[str, int]:
    found = re.findall(rb"^SYMBOL\((\w+)\)=(\w+)$", prog["VMCOREINFO"].string_(), re.MULTILINE)
    return {name.decode(): int(value, 16) for name, value in found}


class _Kallsyms:
    # The kernel's symbols, of which a name is only spelt out when it is asked for.
    # drgn spells out all of them, and makes an index, which takes most of the time
    # that it takes to open a dump.
    #
    # See kernel/kallsyms.c: a name is a number of tokens, the first of which begins
    # with the letter of its type, after one or two bytes with that number;
    # kallsyms_markers says where each 256th name begins.

    def __init__(self, prog: Program) -> None:
        # Raises whatever happens if a table is not as it is expected to be.
        flags = PlatformFlags.IS_64_BIT | PlatformFlags.IS_LITTLE_ENDIAN
        if not prog.platform or prog.platform.flags & flags != flags:
            raise ValueError("not a 64-bit little-endian kernel")
        at = _vmcoreinfo_symbols(prog)
        (self._count,) = struct.unpack("<I", prog.read(at["kallsyms_num_syms"], 4))
        table = at["kallsyms_token_table"]
        if not 0 < 2 * self._count < table - at["kallsyms_names"]:
            raise ValueError(f"there cannot be {self._count} symbols")
        index = struct.unpack("<256H", prog.read(at["kallsyms_token_index"], 512))
        spelt = _read_between(prog, table, at["kallsyms_token_index"])
        self._tokens = [spelt[start : spelt.index(b"\0", start)] for start in index]
        self._names = _read_between(prog, at["kallsyms_names"], table)
        bytes_ = np.frombuffer(self._names, np.uint8)
        starts = self._starts(bytes_)
        # A byte that is not the first of a number of two has no upper bit.
        first = starts + np.where(bytes_[starts] & 0x80, 2, 1) if self._long else starts + 1
        ends = first + self._lengths(bytes_, starts)
        if not (first < ends).all():
            raise ValueError("a name without tokens")
        self._first, self._end = first, ends
        sizes = np.array([len(token) for token in self._tokens], np.uint32)
        # To find a name: how long each is, with its type, and the symbols by their last
        # token, and where each one's begin.
        spelt_to = np.cumsum(sizes.take(bytes_), dtype=np.uint32)
        self._size_of_name = spelt_to[ends - 1] - spelt_to[first - 1]
        if (self._size_of_name < 2).any():
            raise ValueError("a symbol without a name")
        last = bytes_[ends - 1]
        self._by_last = np.argsort(last, kind="stable")
        self._bounds = np.searchsorted(last[self._by_last], np.arange(257)).tolist()
        self._first_token = bytes_[first]
        self._addresses = self._read_addresses(prog, at)
        if (self._addresses[1:] < self._addresses[:-1]).any():
            raise ValueError("addresses are not in order")

    def _starts(self, names: "NDArray[np.uint8]") -> "NDArray[np.int64]":
        count = -(-self._count // _MARKED)
        for self._long in (True, False):
            begin = self._names.find(struct.pack("<III", 0, *self._first_markers()))
            end = begin + 4 * count
            if begin < 0 or end > len(names):
                continue
            # All runs of names at once. What is beyond the end is never used.
            places = np.empty((_MARKED + 1, count), np.int64)
            places[0] = markers = names[begin:end].view("<u4")
            if not (markers < begin).all():
                continue
            for step in range(_MARKED):
                here = np.minimum(places[step], begin - 2)
                places[step + 1] = here + self._step(names, here)
            starts: NDArray[np.int64] = places[:-1].T.reshape(-1)[: self._count]
            # Each run ends where the next one begins, and the last before the markers.
            if (places[-1, :-1] == markers[1:]).all() and starts[-1] < begin - 2:
                return starts
        raise ValueError("it does not say where names begin")

    def _first_markers(self) -> list[int]:
        place, markers = 0, []
        for number in range(1, 2 * _MARKED + 1):
            length = self._names[place]
            if length & 0x80 and self._long:
                length = length & 0x7F | self._names[place + 1] << 7
                place += 1
            place += length + 1
            if number % _MARKED == 0:
                markers.append(place)
        return markers

    def _lengths(
        self, names: "NDArray[np.uint8]", starts: "NDArray[np.int64]"
    ) -> "NDArray[np.int64]":
        short = names[starts].astype(np.int64)
        if not self._long:
            return short
        # Since Linux 6.1 (73bbb94466fd3).
        return np.where(short & 0x80, short & 0x7F | names[starts + 1].astype(np.int64) << 7, short)

    def _step(self, names: "NDArray[np.uint8]", starts: "NDArray[np.int64]") -> "NDArray[np.int64]":
        lengths = self._lengths(names, starts) + 1
        return lengths + (names[starts] >> 7) if self._long else lengths

    def _read_addresses(self, prog: Program, at: dict[str, int]) -> "NDArray[np.uint64]":
        table = at["kallsyms_offsets"]
        offsets = np.frombuffer(prog.read(table, 4 * self._count), "<u4").astype(np.uint64)
        signed = offsets.astype(np.uint32).view(np.int32).astype(np.int64)
        number = self._find("_stext")[0]
        encodings = []
        if "kallsyms_relative_base" in at:
            base = np.uint64(prog.read_u64(at["kallsyms_relative_base"]))
            encodings = [
                base + offsets,
                np.where(signed >= 0, offsets, base - np.uint64(1) - signed.view(np.uint64)),
            ]
        else:
            # Since Linux 7.0 (a081b5789255d) relative to where they are.
            places = np.arange(self._count, dtype=np.uint64) * np.uint64(4)
            encodings = [np.uint64(table) + places + signed.view(np.uint64)]
        for addresses in encodings:
            if int(addresses[number]) == at["_stext"]:
                return addresses
        raise ValueError("addresses are encoded in a way that is not known")

    def _spell(self, number: int) -> bytes:
        tokens = self._names[self._first[number] : self._end[number]]
        return b"".join([self._tokens[token] for token in tokens])

    def _find(self, name: str) -> list[int]:
        wanted = name.encode()
        begins = np.array([wanted.startswith(token[1:]) for token in self._tokens])
        found = []
        for token, text in enumerate(self._tokens):
            if text and wanted.endswith(text[-len(wanted) :]):
                own = self._by_last[self._bounds[token] : self._bounds[token + 1]]
                own = own[self._size_of_name[own] == len(wanted) + 1]
                own = own[begins[self._first_token[own]]]
                found += [number for number in own.tolist() if self._spell(number)[1:] == wanted]
        return sorted(found)

    def _symbol(self, number: int) -> Symbol:
        spelt = self._spell(number)
        return Symbol(
            spelt[1:].decode("utf-8", "replace"),
            int(self._addresses[number]),
            self._size(number),
            *_binding_and_kind(chr(spelt[0])),
        )

    def _size(self, number: int) -> int:
        if number + 1 == self._count:
            return 0
        size = int(self._addresses[number + 1]) - int(self._addresses[number])
        return size if size < _MAX_SYMBOL else 0

    def __call__(
        self, prog: Program, name: str | None, address: int | None, one: bool
    ) -> list[Symbol]:
        if address is not None:
            number = int(np.searchsorted(self._addresses, np.uint64(address), side="right")) - 1
            if number < 0 or address >= int(self._addresses[number]) + self._size(number):
                return []
            symbol = self._symbol(number)
            return [symbol] if name in (None, symbol.name) else []
        if name is None:
            numbers: Sequence[int] = range(self._count)
        else:
            numbers = self._find(name)
        return [self._symbol(number) for number in (numbers[:1] if one else numbers)]


def _binding_and_kind(letter: str) -> tuple[SymbolBinding, SymbolKind]:
    # As nm(1) has them; that a small letter means a local symbol is not certain.
    small = letter.lower()
    if letter == "u":
        binding = SymbolBinding.UNIQUE
    elif small in "vw":
        binding = SymbolBinding.WEAK
    else:
        binding = SymbolBinding.GLOBAL if letter.isupper() else SymbolBinding.UNKNOWN
    if small in "bcdgrv":
        return binding, SymbolKind.OBJECT
    return binding, SymbolKind.FUNC if small == "t" else SymbolKind.UNKNOWN


def _read_between(prog: Program, start: int, end: int) -> bytes:
    if not 0 < end - start < _MAX_SIZE:
        raise ValueError("a table of a size that makes no sense")
    data: bytes = prog.read(start, end - start)
    return data


def _load_module_symbols(prog: Program) -> SymbolIndex:
    symbols: list[Symbol] = []
    seen = set()
    try:
        for module in for_each_module(prog):
            if module.value_() in seen:
                break
            seen.add(module.value_())
            try:
                symbols.extend(module_kallsyms(module))
            except Exception as e:
                logger.debug("cannot read the symbols of a module: %s", e)
    except Exception as e:
        logger.debug("cannot read the list of modules: %s", e)
    return SymbolIndex(symbols)


def _read_btf(prog: Program, symbols: _Symbols) -> bytes:
    bounds = [
        symbol.address
        for name in ("__start_BTF", "__stop_BTF")
        for symbol in symbols(prog, name, None, True)
    ]
    if len(bounds) != 2:
        raise BTFError("the kernel has no BTF (CONFIG_DEBUG_INFO_BTF)")
    start, stop = bounds
    if not 0 < stop - start < _MAX_SIZE:
        raise BTFError(f"the kernel's BTF has a size of {stop - start} bytes")
    live = ProgramFlags.IS_LIVE | ProgramFlags.IS_LOCAL
    try:
        try:
            data: bytes = prog.read(start, stop - start)
        except FaultError:
            if prog.flags & live != live:
                raise
            data = Path("/sys/kernel/btf/vmlinux").read_bytes()
    except (FaultError, OSError) as e:
        raise BTFError(f"cannot read the kernel's BTF: {e}") from e
    return data


def _find_variable(prog: Program, types: _Types, symbols: _Symbols, name: str) -> Object | None:
    symbol = _find_symbol(prog, symbols, name)
    if symbol is None:
        return None
    type_id = types.btf.find(name, _VAR)
    if type_id is None and name in _UNTAGGED:
        type_id = types.btf.find_untagged(*_UNTAGGED[name])
    if type_id is not None:
        if types.btf.kind(type_id) == _VAR:
            type_id = types.btf.target(type_id)
        return Object(prog, types.sized_type(type_id), address=symbol.address)
    for declaration in _declarations().get(name, ()):
        try:
            type_ = prog.type(declaration.type_name)
            if declaration.length is not None:
                room = symbol.size // max(sizeof(type_), 1)
                length = _array_length(prog, declaration.length) or room or None
                type_ = prog.array_type(type_, length)
        except LookupError:
            continue
        # Aliases of the next symbol, and symbols of 64 KiB or more, have size 0.
        if not symbol.size or not type_.is_complete() or sizeof(type_) <= symbol.size:
            return Object(prog, type_, address=symbol.address)
    return None


def _array_length(prog: Program, length: str) -> int:
    if length and not length.isdecimal():
        return int(prog.constant(length))
    return int(length or 0)


def _find_function(prog: Program, types: _Types, symbols: _Symbols, name: str) -> Object | None:
    type_id = types.btf.find(name, _FUNC)
    symbol = None if type_id is None else _find_symbol(prog, symbols, name)
    if type_id is None or symbol is None:
        return None
    return Object(prog, types.type(types.btf.target(type_id)), address=symbol.address)


def _find_constant(prog: Program, types: _Types, name: str) -> Object | None:
    found = types.btf.find_enumerator(name)
    if found is None:
        return None
    type_id, value = found
    return Object(prog, types.type(type_id), value)


def _find_symbol(prog: Program, symbols: _Symbols, name: str) -> Symbol | None:
    # Static symbols may share a name. Then nothing tells them apart.
    found = symbols(prog, name, None, False)
    if len(found) > 1:
        found = [s for s in found if s.binding == SymbolBinding.GLOBAL]
    return found[0] if len(found) == 1 else None


class _Declaration(NamedTuple):
    type_name: str  # Of its elements, if it is an array.
    length: str | None  # Of an array: empty, a number or an enumerator.


@functools.cache
def _declarations() -> dict[str, list[_Declaration]]:
    declarations: dict[str, list[_Declaration]] = {}
    for declaration in re.sub(r"/\*.*?\*/", "", _GLOBALS).split(";")[:-1]:
        # The specifiers apply to every declarator.
        specifiers = ""
        for declarator in declaration.strip().split(", "):
            match = re.fullmatch(r"([^*]* )?([*]*(?:const )?)(\w+)(?:\[(\w*)\])?", declarator)
            assert match, declarator
            specifiers = match[1] or specifiers
            declarations.setdefault(match[3], []).append(
                _Declaration(specifiers + match[2], match[4])
            )
    return declarations


def attach_btf(prog: Program, *, force: bool = False) -> None:
    """
    Find types, objects and symbols of a Linux kernel in its BTF and kallsyms.

    Debug info of the kernel, loaded before or later, takes precedence. Doing
    this again does nothing.

    :param force: Prefer BTF to debug info.
    :raises BTFError: if the kernel has neither debug info nor BTF that can be
        read
    """
    kernel = _register(prog)
    if force and not kernel.force:
        kernel.force = True
        prog.set_enabled_type_finders(_first(prog.enabled_type_finders()))
        prog.set_enabled_object_finders(_first(prog.enabled_object_finders()))
    if kernel.load(prog) is None and kernel.error is not None:
        raise BTFError(str(kernel.error)) from kernel.error


def find_kallsyms(
    prog: Program, name: str | None, address: int | None, one: bool
) -> Sequence[Symbol]:
    """
    Look symbols up in kallsyms, whether there is debug info or not.

    Symbols of the same address have other names in a vmlinux: whoever wants the
    same answer with and without one asks here.

    :param name: Name to find, or ``None``.
    :param address: Address to find, or ``None``.
    :param one: Whether to give one at most.
    """
    return _register(prog).find_kallsyms(prog, name, address, one)


def place_modules(prog: Program) -> None:
    """
    Find the kernel's modules, and tell drgn where they and the kernel lie.

    Without it drgn does not find the tables by which it unwinds stacks. drgn's
    command line does the same when it looks for debug info. A damaged list of
    modules costs the modules that come behind the damage.
    """
    try:
        prog.create_loaded_modules()
    except Exception as e:
        logger.debug("cannot find the modules: %s", e)
    with contextlib.suppress(LookupError, ValueError):
        _place_kernel([prog.main_module()])
    try:
        for number, module in enumerate(for_each_module(prog)):
            if number >= _MAX_MODULES:
                break
            _place_module(prog, module)
    except Exception as e:
        logger.debug("cannot read the list of modules: %s", e)


def _place_module(prog: Program, module: Object) -> None:
    """Create a module that drgn ignored, as it does where dumps lack its sections' names."""
    try:
        with contextlib.suppress(LookupError):
            prog.linux_kernel_loadable_module(module)
            return
        regions = [(start, start + size) for start, size in module_address_regions(module) if size]
        name = module.name.string_().decode("utf-8", "replace")
        created = prog.relocatable_module(name, regions[0][0], create=True)
        created.object = module
        created.address_ranges = regions
        # CONFIG_UNWINDER_ORC
        for section in ("orc_unwind", "orc_unwind_ip"):
            created.section_addresses[f".{section}"] = module.arch.member_(section).value_()
        # It says how to read the others, and is the same in all modules.
        for symbol in find_kallsyms(prog, "__start_orc_header", None, True):
            created.section_addresses[".orc_header"] = symbol.address
    except Exception as e:
        logger.debug("cannot tell where a module lies: %s", e)


def _place_kernel(modules: Sequence[Module]) -> None:
    """Set the main module's address range, where debug info has not."""
    for module in modules:
        if not isinstance(module, MainModule) or module.address_ranges is not None:
            continue
        try:
            bounds = [
                symbol.address
                for name in ("_text", "_end")
                for symbol in find_kallsyms(module.prog, name, None, True)
            ]
            if len(bounds) == 2 and bounds[0] < bounds[1]:
                module.address_range = bounds[0], bounds[1]
        except Exception as e:
            logger.debug("cannot tell where the kernel lies: %s", e)


def drgn_prog_set(prog: Program) -> None:
    """Prepare a Linux kernel program for doing without debug info."""
    if prog.flags & ProgramFlags.IS_LINUX_KERNEL:
        _register(prog)


# Plugins that read the kernel come after this one.
drgn_prog_set.drgn_priority = 10  # type: ignore[attr-defined]


def _register(prog: Program) -> _Kernel:
    kernel: _Kernel | None = prog.cache.get(_NAME)
    if kernel is None:
        prog.cache[_NAME] = kernel = _Kernel()
        prog.register_type_finder(_NAME, kernel.find_type, enable_index=-1)
        prog.register_object_finder(_NAME, kernel.find_object, enable_index=-1)
        prog.register_symbol_finder(_NAME, kernel.find_symbols, enable_index=-1)
        prog.register_debug_info_finder(_NAME, _place_kernel, enable_index=-1)
    return kernel


def _first(names: list[str]) -> list[str]:
    return [_NAME, *(name for name in names if name != _NAME)]
