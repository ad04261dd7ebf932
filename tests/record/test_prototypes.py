# SPDX-License-Identifier: GPL-2.0-or-later
"""
The arguments of tracepoints and functions are those that the programs were written for.

A kernel may change them without notice, and a program that takes one for another
records nonsense. Look at the program, and then add the new prototype here.
"""

from importlib import resources
from pathlib import Path

from drgn import Program
from dumps import ABSENT, Dump
import pytest

from drgn_plugins.lkst_btf import attach_btf
from lkst.bpf.object import Object
from lkst.record.programs.catalogue import built_catalogue

OBJECT = Path(str(resources.files("lkst.record") / "lkst.bpf.o"))

KNOWN = """
void add_wait_queue(struct wait_queue_head *, struct wait_queue_entry *)
block_bio_complete(struct request_queue *, struct bio *)
block_bio_queue(struct bio *)
block_rq_complete(struct request *, blk_status_t, unsigned int)
block_rq_insert(struct request *)
block_rq_issue(struct request *)
block_rq_requeue(struct request *)
call_function_entry(int)
call_function_single_entry(int)
console(const char *, size_t)
consume_skb(struct sk_buff *)
consume_skb(struct sk_buff *, void *)
contention_begin(void *, unsigned int)
contention_end(void *, int)
cpu_idle(unsigned int, unsigned int)
cpuhp_enter(unsigned int, int, int, int (*)(unsigned int))
cpuhp_exit(unsigned int, int, int, int)
long do_msgrcv(int, void *, size_t, long, int, long (*)(void *, struct msg_msg *, size_t))
long do_msgsnd(int, long, void *, size_t, int)
long __do_semtimedop(int, struct sembuf *, unsigned int, const struct timespec64 *, struct ipc_namespace *)
long do_shmat(int, char *, int, ulong *, unsigned long)
void finish_wait(struct wait_queue_head *, struct wait_queue_entry *)
int force_sig_fault(int, int, void *)
vm_fault_t handle_mm_fault(struct vm_area_struct *, unsigned long, unsigned int, struct pt_regs *)
hrtimer_cancel(struct hrtimer *)
hrtimer_expire_entry(struct hrtimer *, ktime_t *)
hrtimer_expire_entry(struct hrtimer *, ktime_t)
hrtimer_expire_exit(struct hrtimer *)
hrtimer_start(struct hrtimer *, enum hrtimer_mode, bool)
inet_sock_set_state(const struct sock *, const int, const int)
void __init_waitqueue_head(struct wait_queue_head *, const char *, struct lock_class_key *)
void ipc_rmid(struct ipc_ids *, struct kern_ipc_perm *)
int ipcget(struct ipc_namespace *, struct ipc_ids *, const struct ipc_ops *, struct ipc_params *)
ipi_send_cpu(const unsigned int, unsigned long, void *)
irq_handler_entry(int, struct irqaction *)
irq_handler_exit(int, struct irqaction *, int)
pid_t kernel_thread(int (*)(void *), void *, const char *, unsigned long)
pid_t kernel_thread(int (*)(void *), void *, unsigned long)
kfree(unsigned long, const void *)
kfree_skb(struct sk_buff *, void *, enum skb_drop_reason, const struct sock *)
kfree_skb(struct sk_buff *, void *, enum skb_drop_reason)
kfree_skb(struct sk_buff *, void *, enum skb_drop_reason, struct sock *)
kmalloc(unsigned long, const void *, size_t, size_t, gfp_t, int)
kmem_cache_alloc(unsigned long, const void *, struct kmem_cache *, gfp_t, int)
kmem_cache_free(unsigned long, const void *, const struct kmem_cache *)
long ksys_shmdt(char *)
local_timer_entry(int)
mark_victim(struct task_struct *, uid_t)
mm_compaction_begin(struct compact_control *, unsigned long, unsigned long, bool)
mm_compaction_end(struct compact_control *, unsigned long, unsigned long, bool, int)
mm_page_alloc(struct page *, unsigned int, gfp_t, int)
mm_page_free(struct page *, unsigned int)
mm_vmscan_direct_reclaim_begin(int, gfp_t)
mm_vmscan_direct_reclaim_begin(gfp_t, int, struct mem_cgroup *)
mm_vmscan_direct_reclaim_end(unsigned long)
mm_vmscan_direct_reclaim_end(unsigned long, struct mem_cgroup *)
mm_vmscan_kswapd_sleep(int)
mm_vmscan_kswapd_wake(int, int, int)
mm_vmscan_throttled(int, int, int, int)
module_free(struct module *)
module_load(struct module *)
napi_poll(struct napi_struct *, int, int)
net_dev_xmit(struct sk_buff *, int, struct net_device *, unsigned int)
net_dev_xmit_timeout(struct net_device *, int)
netif_receive_skb(struct sk_buff *)
nmi_handler(void *, s64, int)
page_fault_kernel(unsigned long, struct pt_regs *, unsigned long)
page_fault_user(unsigned long, struct pt_regs *, unsigned long)
long prepare_to_wait_event(struct wait_queue_head *, struct wait_queue_entry *, int)
u16 printk_sprint(char *, u16, int, enum printk_info_flags *, const char *, struct __va_list_tag *)
rcu_stall_warning(const char *, const char *)
void remove_wait_queue(struct wait_queue_head *, struct wait_queue_entry *)
reschedule_entry(int)
sched_migrate_task(struct task_struct *, int)
sched_process_exec(struct task_struct *, pid_t, struct linux_binprm *)
sched_process_exit(struct task_struct *)
sched_process_exit(struct task_struct *, bool)
sched_process_fork(struct task_struct *, struct task_struct *)
sched_switch(bool, struct task_struct *, struct task_struct *, unsigned int)
sched_wakeup(struct task_struct *)
sched_wakeup_new(struct task_struct *)
sched_waking(struct task_struct *)
void schedule()
signal_deliver(int, struct kernel_siginfo *, struct k_sigaction *)
signal_generate(int, struct kernel_siginfo *, struct task_struct *, int, int)
sock_rcvqueue_full(struct sock *, struct sk_buff *)
softirq_entry(unsigned int)
softirq_exit(unsigned int)
softirq_raise(unsigned int)
sys_enter(struct pt_regs *, long)
sys_exit(struct pt_regs *, long)
task_rename(struct task_struct *, const char *)
tasklet_entry(struct tasklet_struct *, void *)
tasklet_exit(struct tasklet_struct *, void *)
void tasklet_hi_action(struct softirq_action *)
void tasklet_hi_action()
tcp_receive_reset(struct sock *)
tcp_retransmit_skb(const struct sock *, const struct sk_buff *, int)
tcp_retransmit_skb(const struct sock *, const struct sk_buff *)
tcp_send_reset(const struct sock *, const struct sk_buff *, const enum sk_rst_reason)
tcp_send_reset(const struct sock *, const struct sk_buff *)
timer_cancel(struct timer_list *)
timer_expire_entry(struct timer_list *, unsigned long)
timer_expire_exit(struct timer_list *)
timer_start(struct timer_list *, unsigned long)
timer_start(struct timer_list *, unsigned long, unsigned int)
udp_fail_queue_rcv_skb(int, struct sock *)
udp_fail_queue_rcv_skb(int, struct sock *, struct sk_buff *)
workqueue_execute_end(struct work_struct *, work_func_t)
workqueue_execute_start(struct work_struct *)
workqueue_queue_work(int, struct pool_workqueue *, struct work_struct *)
""".split("\n")[1:-1]  # noqa: E501


@pytest.fixture
def prog(story: Dump) -> Program:
    prog = Program()
    prog.set_core_dump(story.vmcore)
    attach_btf(prog)
    return prog


def prototype(prog: Program, section: str) -> str:
    """
    Give the prototype of what a program is attached to, as the kernel has it.

    :raises LookupError: if it has no such thing
    """
    kind, _, name = section.partition("/")
    if kind in ("fentry", "fexit"):
        function = prog.function(name).type_
        begin, parameters = f"{function.type.type_name()} ", function.parameters
    else:
        # The first is what the program was registered with.
        begin, parameters = "", prog.type(f"btf_trace_{name}").type.type.parameters[1:]
    return f"{begin}{name}({', '.join(p.type.type_name() for p in parameters)})"


def test_prototypes(story: Dump, prog: Program) -> None:
    hooks = {event.hook for event in built_catalogue().events.values() if event.hook}
    with Object(OBJECT) as bpf:
        hooks |= {name for name in bpf.programs() if name.startswith("instead__")}
        sections = {hook: bpf.section(hook) for hook in hooks}
    found, absent = set(), set()
    for hook, section in sections.items():
        try:
            found.add(prototype(prog, section))
        except LookupError:
            absent.add(hook)
    assert found <= set(KNOWN)
    assert absent == set(ABSENT.get(story.kernel, ()))
