// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Categories syscall and exception: include/trace/events/syscalls.h,
 * arch/x86/include/asm/trace/exceptions.h, handle_mm_fault() and force_sig_fault()
 */
#include "read_kernel.h"
#include "record.h"

/*
 * Of a 32-bit call the kernel uses the lower halves of the registers: SC_IA32_REGS_TO_ARGS
 * of arch/x86/include/asm/syscall_wrapper.h. The entries of SYSENTER and SYSCALL store the
 * second argument as CX.
 */
SEC("tp_btf/sys_enter")
int BPF_PROG(sys_enter, struct pt_regs *regs, long id)
{
	const enum abi abi = abi_of(regs, id);

	RECORD(sys_enter, e);
	e->nr = id;
	e->compat = abi;
	if (abi == ABI_IA32) {
		e->arg0 = (__u32)regs->bx;
		e->arg1 = (__u32)regs->cx;
		e->arg2 = (__u32)regs->dx;
		e->arg3 = (__u32)regs->si;
	} else {
		e->arg0 = regs->di;
		e->arg1 = regs->si;
		e->arg2 = regs->dx;
		e->arg3 = regs->r10;
	}
	COMMIT();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	RECORD(sys_exit, e);
	e->ret = ret;
	e->nr = regs->orig_ax;
	e->compat = abi_of(regs, regs->orig_ax);
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
