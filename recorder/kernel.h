/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's types, with the members that the programs read. libbpf takes their offsets
 * from the running kernel's BTF when it loads the programs (CO-RE).
 */
#ifndef LKST_KERNEL_H
#define LKST_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r11;
	unsigned long r10;
	unsigned long bx;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long flags;
};

struct thread_info {
	__u32 status;
	__u32 cpu;
};

struct sched_info {
	unsigned long long run_delay;
};

struct ipc_ids {
	int in_use;
};

struct ipc_namespace {
	struct ipc_ids ids[3];
};

struct nsproxy {
	struct ipc_namespace *ipc_ns;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	unsigned int on_rq; /* u8 in later kernels */
	__u64 start_time;
	struct sched_info sched_info;
	struct nsproxy *nsproxy;
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

struct wait_queue_entry {
	void *private;
	void *func;
};

struct kern_ipc_perm {
	int id;
	int key;
};

struct ipc_params {
	int key;
	int flg;
	union {
		unsigned long size;
		int nsems;
	} u;
};

struct sembuf {
	unsigned short sem_num;
	short sem_op;
	short sem_flg;
};

struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};

/* include/linux/timekeeper_internal.h; offs_*: the clock - CLOCK_MONOTONIC, ns. */
struct timekeeper {
	__s64 offs_real;
	__s64 offs_boot;
};

/* kernel/time/timekeeping.c: tk_core; since 6.13 the struct has this name. */
struct tk_data {
	struct timekeeper timekeeper;
};

typedef struct seqcount_raw_spinlock {
	int seqcount;
} seqcount_raw_spinlock_t;

struct irqaction {
	void *handler;
	const char *name;
};

struct timer_list {
	unsigned long expires;
	void *function;
};

struct hrtimer {
	void *function;
};

struct tasklet_struct {
	void *func;
};

struct tasklet_head {
	struct tasklet_struct *head;
};

struct work_struct {
	void *func;
};

struct block_device_operations {
	void *submit_bio;
};

struct gendisk {
	int major;
	int first_minor;
	const struct block_device_operations *fops;
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

struct block_device {
	unsigned int bd_dev;
	struct gendisk *bd_disk;
};

struct bvec_iter {
	__u64 bi_sector;
	unsigned int bi_size;
};

struct bio {
	struct block_device *bi_bdev;
	unsigned int bi_opf;
	__u8 bi_status;
	struct bvec_iter bi_iter;
};

/* The owner's struct task_struct, with flags in the lowest bits. */
struct mutex {
	struct {
		__s64 counter;
	} owner;
};

struct rw_semaphore {
	struct {
		__s64 counter;
	} owner;
};

/* The lowest bit of the owner says that others wait (kernel/locking/rtmutex_common.h). */
struct rt_mutex_base {
	struct task_struct *owner;
};

struct kmem_cache {
	unsigned int object_size;
	const char *name;
};

struct compact_control {
	unsigned long free_pfn;
	unsigned long migrate_pfn;
	unsigned int gfp_mask;
	int order;
};

struct net_device {
	char name[16];
};

struct napi_struct {
	struct net_device *dev;
};

struct sk_buff {
	struct net_device *dev;
	unsigned int len;
	unsigned int truesize;
	__be16 protocol;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		struct {
			int counter;
		} rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
	__u16 sk_protocol;
};

struct inet_sock {
	__be16 inet_sport;
};

struct module {
	char name[56];
};

/* Kernels with memcg_id in the event swapped the tracepoint's first two arguments. */
struct trace_event_raw_mm_vmscan_direct_reclaim_begin_template {
	__u64 memcg_id;
};

/* Since 6.9 the tracepoint passes the task itself (72ba14deb40a). */
struct trace_event_raw_mark_victim {
	__u32 uid;
};

/* In kernels later than 6.1 the tracepoint also has the caller. */
struct trace_event_raw_consume_skb {
	void *location;
};

#pragma clang attribute pop

/* arch/x86/include/asm/thread_info.h */
#define TS_COMPAT 0x0002

/* arch/x86/include/uapi/asm/unistd.h */
#define X32_SYSCALL_BIT 0x40000000

/* include/linux/blk_types.h */
#define REQ_OP_MASK 0xff

/* include/trace/events/lock.h: LCB_F_* */
#define LOCK_SPIN 0x01
#define LOCK_READ 0x02
#define LOCK_WRITE 0x04
#define LOCK_RT 0x08
#define LOCK_PERCPU 0x10
#define LOCK_MUTEX 0x20

/* kernel/locking/mutex.h, rwsem.c */
#define LOCK_OWNER_FLAGS 0x07
#define RWSEM_READER_OWNED 0x01

/* include/linux/socket.h */
#define AF_INET 2
#define AF_INET6 10

/* include/net/tcp_states.h */
#define TCP_LISTEN 10

#endif
