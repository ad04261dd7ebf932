// SPDX-License-Identifier: GPL-2.0-or-later
/* Categories syscall and exception: include/trace/events/syscalls.h,
 * arch/x86/include/asm/trace/exceptions.h, handle_mm_fault() and force_sig_fault()
 */

/* How the call was made; the values of the field "compat". */
enum abi {
	ABI_64,
	ABI_IA32, /* int 0x80, SYSENTER or SYSCALL of 32-bit code */
	ABI_X32,  /* SYSCALL of 64-bit code, with __X32_SYSCALL_BIT in the number */
};

/*
 * The instruction SYSCALL leaves the address behind it in RCX and the flags in R11 (AMD64
 * Architecture Programmer's Manual, volume 3), and 32-bit code cannot set R11. The kernel
 * is asked, which is a call, only if the registers do not have these values: after a
 * 32-bit entry, with FRED, or if a tracer or a signal changed them.
 */
static __always_inline enum abi abi_of(const struct pt_regs *regs, __u32 nr)
{
	if ((regs->cx != regs->ip || regs->r11 != regs->flags) &&
	    bpf_get_current_task_btf()->thread_info.status & TS_COMPAT)
		return ABI_IA32;
	/* -1, which a tracer sets, has all bits. */
	return nr >> 30 == X32_SYSCALL_BIT >> 30 ? ABI_X32 : ABI_64;
}

/*
 * The kernel takes the lower half of the registers of a 32-bit call: SC_IA32_REGS_TO_ARGS
 * of arch/x86/include/asm/syscall_wrapper.h. The entries of SYSENTER and SYSCALL put the
 * second argument into the place of CX.
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
