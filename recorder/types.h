/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The types of fields. The name says how a reader shows the value, the C type how the
 * value is stored in the record.
 */
#ifndef LKST_TYPES_H
#define LKST_TYPES_H

#include <linux/types.h>

typedef __u8 lkst_bool;
typedef __u32 lkst_flag; /* shown where it is set */
typedef __u16 lkst_u16;
typedef __u32 lkst_u32;
typedef __u64 lkst_u64;
typedef __s16 lkst_s16;
typedef __s32 lkst_s32;
typedef __s64 lkst_s64;
typedef __u64 lkst_hex;
typedef __u64 lkst_ksym; /* kernel address, shown as symbol+offset */
typedef __u32 lkst_pid;
typedef char lkst_comm[16]; /* unit: the field with the task's pid; "": the record's task */
#define LKST_NO_COMM 0x100  /* the first word of a comm that is not known */
typedef char lkst_name[16]; /* of a device or another thing */
typedef __u16 lkst_text;    /* length in bytes; the text follows, over as many slots as it needs */
typedef __u32 lkst_syscall;
typedef __s64 lkst_ret; /* negative: an errno */
typedef __s32 lkst_errno;
typedef __u32 lkst_signal;
typedef __s32 lkst_sig_code;   /* SI_USER, ... */
typedef __u8 lkst_sig_result;  /* TRACE_SIGNAL_* of include/trace/events/signal.h */
typedef __u32 lkst_task_state; /* TASK_*; bit 31: preempted */
typedef __u32 lkst_softirq;
typedef __u32 lkst_exit_code; /* as wait(2) returns it */
typedef __u32 lkst_gfp;
typedef __u32 lkst_vm_fault;	    /* enum vm_fault_reason: bits */
typedef __u32 lkst_fault_flag;	    /* enum fault_flag: bits */
typedef __u32 lkst_vmscan_throttle; /* enum vmscan_throttle_state */
typedef __u32 lkst_compact_result;  /* enum compact_result */
typedef __s32 lkst_cpuhp_state;	    /* enum cpuhp_state */
typedef __u8 lkst_ipc_kind;	    /* IPC_*_IDS of ipc/util.h */
typedef __u32 lkst_pf_error;	    /* enum x86_pf_error_code */
typedef __u32 lkst_dev;		    /* dev_t of the kernel: 12 bits major, 20 minor */
typedef __u8 lkst_blk_op;	    /* enum req_op */
typedef __u8 lkst_blk_status;	    /* blk_status_t */
typedef __u16 lkst_ethertype;
typedef __u32 lkst_ipv4;	/* in network byte order */
typedef __u16 lkst_af;		/* AF_* */
typedef __u8 lkst_tcp_state;	/* TCP_* of include/net/tcp_states.h */
typedef __u32 lkst_drop_reason; /* enum skb_drop_reason */
typedef __u32 lkst_event;	/* id of another event */
typedef __u32 lkst_lock_flags;	/* LCB_F_* of include/trace/events/lock.h */

#endif
