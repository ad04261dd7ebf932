// SPDX-License-Identifier: GPL-2.0-or-later
/* Category lock: include/trace/events/lock.h */
#include "record.h"

/*
 * Return the owner of a lock, or NULL if the lock does not have it. Mutexes have their owner,
 * rw_semaphores their writer. Of readers an rw_semaphore has the last one, which may have
 * unlocked long ago and whose struct task_struct may be freed. Spin locks have no owner. With
 * PREEMPT_RT all but raw locks are rt_mutexes, which have their owner, and neither struct
 * mutex nor struct rw_semaphore has the member.
 */
static __always_inline const struct task_struct *lock_owner(const void *lock, unsigned int flags)
{
	const struct rw_semaphore *rwsem = lock;
	const struct mutex *mutex = lock;
	__u64 owner = 0;

	if (flags & LOCK_RT) {
		/* Readers and writers wait for a struct rwbase_rt, which has no owner. */
		if (!(flags & (LOCK_READ | LOCK_WRITE)))
			owner = (__u64)BPF_CORE_READ((const struct rt_mutex_base *)lock, owner);
	} else if (flags & LOCK_MUTEX) {
		if (bpf_core_field_exists(mutex->owner))
			owner = BPF_CORE_READ(mutex, owner.counter);
	} else if (flags & (LOCK_READ | LOCK_WRITE) && !(flags & (LOCK_SPIN | LOCK_PERCPU))) {
		if (bpf_core_field_exists(rwsem->owner))
			owner = BPF_CORE_READ(rwsem, owner.counter);
		if (owner & RWSEM_READER_OWNED)
			return NULL;
	}
	return (const struct task_struct *)(owner & ~(__u64)LOCK_OWNER_FLAGS);
}

SEC("tp_btf/contention_begin")
int BPF_PROG(contention_begin, void *lock, unsigned int flags)
{
	const struct task_struct *owner;

	RECORD(contention_begin, e);
	owner = lock_owner(lock, flags);
	e->lock = (__u64)lock;
	e->flags = flags;
	e->owner = 0;
	/* The owner may exit meanwhile: these reads do not fault. */
	if (owner) {
		BPF_CORE_READ_INTO(&e->owner_comm, owner, comm);
		e->owner = BPF_CORE_READ(owner, pid);
	}
	if (!e->owner)
		set_comm_unknown(e->owner_comm);
	COMMIT();
	return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(contention_end, void *lock, int ret)
{
	RECORD(contention_end, e);
	e->lock = (__u64)lock;
	e->ret = ret;
	COMMIT();
	return 0;
}
