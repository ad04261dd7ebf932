/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads of the kernel's structs that several programs share. */
#ifndef LKST_READ_KERNEL_H
#define LKST_READ_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#include "kernel.h"

static __always_inline __u32 cpu_of(const struct task_struct *p)
{
	return p->thread_info.cpu;
}

/*
 * Return the state in which @prev leaves its CPU. With a signal pending it stays runnable,
 * but kernels such as 6.1 report the state in which it would have slept. The run queue's lock
 * is held, so only this CPU can have made it runnable.
 */
static __always_inline __u32 state_left_in(const struct task_struct *prev, __u32 prev_state)
{
	return prev_state && !prev->__state && prev->on_rq ? 0 : prev_state;
}

/* How a system call was made; the values of the field "compat". */
enum abi {
	ABI_64,
	ABI_IA32, /* int 0x80, SYSENTER or SYSCALL of 32-bit code */
	ABI_X32,  /* SYSCALL of 64-bit code, with __X32_SYSCALL_BIT in the number */
};

/*
 * Return how a system call was made. The instruction SYSCALL leaves the address behind it in
 * RCX and the flags in R11 (AMD64 Architecture Programmer's Manual, volume 3), and 32-bit code
 * cannot set R11. Only if the registers have other values is the kernel asked, which is a
 * call: after a 32-bit entry, with FRED, or if a tracer or a signal changed them.
 */
static __always_inline enum abi abi_of(const struct pt_regs *regs, __u32 nr)
{
	if ((regs->cx != regs->ip || regs->r11 != regs->flags) &&
	    bpf_get_current_task_btf()->thread_info.status & TS_COMPAT)
		return ABI_IA32;
	/* A tracer sets -1, which has all bits set. */
	return nr >> 30 == X32_SYSCALL_BIT >> 30 ? ABI_X32 : ABI_64;
}

/* include/linux/kdev_t.h */
#define MINOR_BITS 20

/* Fill in the fields that all events of a block request have. */
#define FILL_REQUEST(e, request)                                                                   \
	do {                                                                                       \
		const struct gendisk *disk = (request)->q->disk;                                   \
                                                                                                   \
		(e)->rq = (__u64)(request);                                                        \
		(e)->sector = (request)->__sector;                                                 \
		(e)->dev = disk ? disk->major << MINOR_BITS | disk->first_minor : 0;               \
		(e)->op = (request)->cmd_flags & REQ_OP_MASK;                                      \
	} while (0)

#endif
