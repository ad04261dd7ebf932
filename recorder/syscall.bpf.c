// SPDX-License-Identifier: GPL-2.0-or-later
/* Categories syscall and exception: include/trace/events/syscalls.h,
 * arch/x86/include/asm/trace/exceptions.h, handle_mm_fault() and force_sig_fault()
 */

/*
 * Whether the call came by one of the 32-bit entries. The instruction SYSCALL leaves
 * the address behind it in RCX and the flags in R11 (AMD64 Architecture Programmer's
 * Manual, volume 3), and 32-bit code cannot set R11. Only if it is not so is the kernel
 * asked, which is a call.
 */
static __always_inline bool is_compat(const struct pt_regs *regs)
{
	if (regs->cx == regs->ip && regs->r11 == regs->flags)
		return false;
	return bpf_get_current_task_btf()->thread_info.status & TS_COMPAT;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long id)
{
	RECORD(sys_enter, e);
	e->arg0 = regs->di;
	e->arg1 = regs->si;
	e->arg2 = regs->dx;
	e->arg3 = regs->r10;
	e->nr = id;
	e->compat = is_compat(regs);
	COMMIT();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	RECORD(sys_exit, e);
	e->ret = ret;
	e->nr = regs->orig_ax;
	e->compat = is_compat(regs);
	COMMIT();
	return 0;
}

#define PAGE_FAULT_EVENT(name)                                                                     \
	SEC("tp_btf/" #name)                                                                       \
	int BPF_PROG(name, unsigned long address, struct pt_regs *regs, unsigned long error)       \
	{                                                                                          \
		RECORD(name, e);                                                                   \
		e->address = address;                                                              \
		e->ip = regs->ip;                                                                  \
		e->error = error;                                                                  \
		COMMIT();                                                                          \
		return 0;                                                                          \
	}

PAGE_FAULT_EVENT(page_fault_user)
PAGE_FAULT_EVENT(page_fault_kernel)

SEC("fexit/handle_mm_fault")
int BPF_PROG(handle_mm_fault, void *vma, unsigned long address, unsigned int flags, void *regs,
	     unsigned int ret)
{
	RECORD(handle_mm_fault, e);
	e->address = address;
	e->result = ret;
	e->flags = flags;
	COMMIT();
	return 0;
}

SEC("fentry/force_sig_fault")
int BPF_PROG(force_sig_fault, int sig, int code, void *addr)
{
	RECORD(force_sig_fault, e);
	e->addr = (__u64)addr;
	e->sig = sig;
	e->code = code;
	COMMIT();
	return 0;
}
