# SPDX-License-Identifier: GPL-2.0-or-later
"""
Global variables
----------------

Those whose types BTF does not tell: it has variables of the per-CPU section only.
"""

import functools
import re
from typing import NamedTuple

__all__ = ("UNTAGGED", "Declaration", "declarations")

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
UNTAGGED = {
    "tk_core": ("seq", "timekeeper"),
}


class Declaration(NamedTuple):
    type_name: str  # Of its elements, if it is an array.
    length: str | None  # Of an array: empty, a number or an enumerator.


@functools.cache
def declarations() -> dict[str, list[Declaration]]:
    declarations: dict[str, list[Declaration]] = {}
    for declaration in re.sub(r"/\*.*?\*/", "", _GLOBALS).split(";")[:-1]:
        # The specifiers apply to every declarator.
        specifiers = ""
        for declarator in declaration.strip().split(", "):
            match = re.fullmatch(r"([^*]* )?([*]*(?:const )?)(\w+)(?:\[(\w*)\])?", declarator)
            assert match, declarator
            specifiers = match[1] or specifiers
            declarations.setdefault(match[3], []).append(
                Declaration(specifiers + match[2], match[4])
            )
    return declarations
