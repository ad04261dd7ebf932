/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's types, as far as the programs read them. Offsets come from the
 * running kernel's BTF when the programs are loaded (CO-RE).
 */
#ifndef LKST_KERNEL_H
#define LKST_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r10;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ip;
};

struct thread_info {
	__u32 status;
	__u32 cpu;
};

struct task_struct {
	struct thread_info thread_info;
	int prio;
	int pid;
	int tgid;
	int exit_code;
	char comm[16];
};

struct linux_binprm {
	const char *filename;
};

struct kernel_siginfo {
	int si_errno;
	int si_code;
};

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
};

struct k_sigaction {
	struct sigaction sa;
};

struct irqaction {
	void *handler;
	const char *name;
};

struct timer_list {
	void *function;
};

struct hrtimer {
	void *function;
};

struct work_struct {
	void *func;
};

struct gendisk {
	int major;
	int first_minor;
};

struct request_queue {
	struct gendisk *disk;
};

struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
	unsigned long __sector;
};

struct net_device {
	char name[16];
};

struct sk_buff {
	struct net_device *dev;
	unsigned int len;
	__be16 protocol;
};

struct module {
	char name[56];
};

/* With memory cgroups in the event, the tracepoint's arguments changed places. */
struct trace_event_raw_mm_vmscan_direct_reclaim_begin_template {
	__u64 memcg_id;
};

/* Since 6.9 the tracepoint passes the task itself (72ba14deb40a). */
struct trace_event_raw_mark_victim {
	__u32 uid;
};

#pragma clang attribute pop

/* arch/x86/include/asm/thread_info.h */
#define TS_COMPAT 0x0002

/* include/linux/blk_types.h */
#define REQ_OP_MASK 0xff

#endif
