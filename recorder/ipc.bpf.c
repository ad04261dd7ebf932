// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Category ipc: functions of ipc/{util,sem,msg,shm}.c, since there are no
 * tracepoints. Native and 32-bit system calls both come through them.
 */
#include "record.h"

#define NR_IPC_KINDS 3
#define NSEC_PER_SEC 1000000000LL
#define KTIME_MAX 0x7fffffffffffffffLL

/* Return which of a namespace's tables @ids is: semaphores, messages, shared memory. */
static __always_inline __u8 ipc_kind(__u64 ns, __u64 ids)
{
	__u64 offset = ids - ns - bpf_core_field_offset(struct ipc_namespace, ids);
	__u64 kind = offset / bpf_core_type_size(struct ipc_ids);

	return kind < NR_IPC_KINDS ? kind : NR_IPC_KINDS;
}

SEC("fexit/ipcget")
int BPF_PROG(ipcget, struct ipc_namespace *ns, struct ipc_ids *ids, void *ops,
	     struct ipc_params *params, int ret)
{
	RECORD(ipcget, e);
	e->kind = ipc_kind((__u64)ns, (__u64)ids);
	/* Semaphores have a number instead of a size, message queues have neither. */
	e->size = e->kind == 0 ? params->u.nsems : e->kind == 2 ? params->u.size : 0;
	e->key = (__u32)params->key;
	e->flags = (__u32)params->flg;
	e->ret = ret;
	COMMIT();
	return 0;
}

SEC("fentry/ipc_rmid")
int BPF_PROG(ipc_rmid, struct ipc_ids *ids, struct kern_ipc_perm *perm)
{
	RECORD(ipc_rmid, e);
	e->key = (__u32)perm->key;
	e->id = perm->id;
	e->kind = ipc_kind((__u64)bpf_get_current_task_btf()->nsproxy->ipc_ns, (__u64)ids);
	COMMIT();
	return 0;
}

/* As ktime_set() of include/linux/ktime.h. */
static __always_inline __s64 nanoseconds(const struct timespec64 *time)
{
	if (time->tv_sec >= KTIME_MAX / NSEC_PER_SEC)
		return KTIME_MAX;
	return time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

SEC("fentry/__do_semtimedop")
int BPF_PROG(semop, int semid, struct sembuf *ops, unsigned int nsops,
	     const struct timespec64 *timeout)
{
	RECORD(semop, e);
	e->timeout = timeout ? nanoseconds(timeout) : -1;
	e->semid = semid;
	e->nsops = nsops;
	e->num = ops->sem_num;
	e->op = ops->sem_op;
	e->flags = ops->sem_flg;
	COMMIT();
	return 0;
}

SEC("fexit/__do_semtimedop")
int BPF_PROG(semop_exit, int semid, void *ops, unsigned int nsops, void *timeout, void *ns,
	     long ret)
{
	RECORD(semop_exit, e);
	e->ret = ret;
	e->semid = semid;
	COMMIT();
	return 0;
}

SEC("fentry/do_msgsnd")
int BPF_PROG(msgsnd, int msqid, long type, void *text, __u64 size, unsigned int flags)
{
	RECORD(msgsnd, e);
	e->type = type;
	e->size = size;
	e->flags = flags;
	e->msqid = msqid;
	COMMIT();
	return 0;
}

SEC("fexit/do_msgsnd")
int BPF_PROG(msgsnd_exit, int msqid, long type, void *text, __u64 size, int flags, long ret)
{
	RECORD(msgsnd_exit, e);
	e->ret = ret;
	e->msqid = msqid;
	COMMIT();
	return 0;
}

SEC("fentry/do_msgrcv")
int BPF_PROG(msgrcv, int msqid, void *buffer, __u64 size, long type, unsigned int flags)
{
	RECORD(msgrcv, e);
	e->type = type;
	e->size = size;
	e->flags = flags;
	e->msqid = msqid;
	COMMIT();
	return 0;
}

SEC("fexit/do_msgrcv")
int BPF_PROG(msgrcv_exit, int msqid, void *buffer, __u64 size, long type, int flags, void *handler,
	     long ret)
{
	RECORD(msgrcv_exit, e);
	e->ret = ret;
	e->msqid = msqid;
	COMMIT();
	return 0;
}

/* The kernel returns the address of the attached memory through a pointer. */
SEC("fexit/do_shmat")
int BPF_PROG(shmat, int shmid, void *wanted_address, unsigned int flags, __u64 *address,
	     unsigned long lba, long ret)
{
	RECORD(shmat, e);
	e->address = 0;
	if (!ret)
		bpf_probe_read_kernel(&e->address, sizeof(e->address), address);
	e->flags = flags;
	e->ret = ret;
	e->shmid = shmid;
	COMMIT();
	return 0;
}

SEC("fexit/ksys_shmdt")
int BPF_PROG(shmdt, void *address, long ret)
{
	RECORD(shmdt, e);
	e->address = (__u64)address;
	e->ret = ret;
	COMMIT();
	return 0;
}
