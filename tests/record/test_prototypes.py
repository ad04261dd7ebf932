# SPDX-License-Identifier: GPL-2.0-or-later
"""
The tracepoints' arguments are those that the programs were written for.

A kernel may change them without notice, and a program that takes one for another
records nonsense. Look at the program, and then add the new prototype here.
"""

from drgn import Program
from dumps import Dump
import pytest

from drgn_plugins.lkst_btf import attach_btf
from lkst.record.built import built_catalogue

KNOWN = """
block_rq_complete(struct request *, blk_status_t, unsigned int)
block_rq_insert(struct request *)
block_rq_issue(struct request *)
console(const char *, size_t)
contention_begin(void *, unsigned int)
contention_end(void *, int)
cpu_idle(unsigned int, unsigned int)
hrtimer_expire_entry(struct hrtimer *, ktime_t *)
hrtimer_expire_entry(struct hrtimer *, ktime_t)
hrtimer_expire_exit(struct hrtimer *)
hrtimer_start(struct hrtimer *, enum hrtimer_mode, bool)
irq_handler_entry(int, struct irqaction *)
irq_handler_exit(int, struct irqaction *, int)
kfree_skb(struct sk_buff *, void *, enum skb_drop_reason)
kfree_skb(struct sk_buff *, void *, enum skb_drop_reason, struct sock *)
kfree_skb(struct sk_buff *, void *, enum skb_drop_reason, const struct sock *)
mark_victim(struct task_struct *, uid_t)
mm_page_alloc(struct page *, unsigned int, gfp_t, int)
mm_page_free(struct page *, unsigned int)
mm_vmscan_direct_reclaim_begin(int, gfp_t)
mm_vmscan_direct_reclaim_begin(gfp_t, int, struct mem_cgroup *)
mm_vmscan_direct_reclaim_end(unsigned long)
mm_vmscan_direct_reclaim_end(unsigned long, struct mem_cgroup *)
module_free(struct module *)
module_load(struct module *)
net_dev_xmit(struct sk_buff *, int, struct net_device *, unsigned int)
netif_receive_skb(struct sk_buff *)
nmi_handler(void *, s64, int)
page_fault_kernel(unsigned long, struct pt_regs *, unsigned long)
page_fault_user(unsigned long, struct pt_regs *, unsigned long)
sched_migrate_task(struct task_struct *, int)
sched_process_exec(struct task_struct *, pid_t, struct linux_binprm *)
sched_process_exit(struct task_struct *)
sched_process_exit(struct task_struct *, bool)
sched_process_fork(struct task_struct *, struct task_struct *)
sched_switch(bool, struct task_struct *, struct task_struct *, unsigned int)
sched_wakeup(struct task_struct *)
sched_wakeup_new(struct task_struct *)
signal_deliver(int, struct kernel_siginfo *, struct k_sigaction *)
signal_generate(int, struct kernel_siginfo *, struct task_struct *, int, int)
softirq_entry(unsigned int)
softirq_exit(unsigned int)
softirq_raise(unsigned int)
sys_enter(struct pt_regs *, long)
sys_exit(struct pt_regs *, long)
task_rename(struct task_struct *, const char *)
tasklet_entry(struct tasklet_struct *, void *)
tasklet_exit(struct tasklet_struct *, void *)
timer_expire_entry(struct timer_list *, unsigned long)
timer_expire_exit(struct timer_list *)
timer_start(struct timer_list *, unsigned long, unsigned int)
timer_start(struct timer_list *, unsigned long)
workqueue_execute_end(struct work_struct *, work_func_t)
workqueue_execute_start(struct work_struct *)
workqueue_queue_work(int, struct pool_workqueue *, struct work_struct *)
""".split("\n")[1:-1]


@pytest.fixture
def prog(story: Dump) -> Program:
    prog = Program()
    prog.set_core_dump(story.vmcore)
    attach_btf(prog)
    return prog


def test_prototypes(prog: Program) -> None:
    hooks = {event.hook for event in built_catalogue().events.values() if event.hook}
    found = set()
    for hook in hooks:
        function = prog.type(f"btf_trace_{hook}").type.type
        arguments = ", ".join(p.type.type_name() for p in function.parameters[1:])
        found.add(f"{hook}({arguments})")
    assert found <= set(KNOWN)
    assert len(found) == len(hooks)
