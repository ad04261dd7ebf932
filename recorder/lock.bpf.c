// SPDX-License-Identifier: GPL-2.0-or-later
/* Category lock: include/trace/events/lock.h */
/*
 * Mutexes know who has them, and rw_semaphores their writer. The reader that these name has
 * come last and may have gone long ago, with its struct task_struct. Spin locks know nobody.
 * With PREEMPT_RT all but raw locks are rt_mutexes, which know their owner, and neither
 * struct mutex nor struct rw_semaphore has one.
 */
static __always_inline const struct task_struct *lock_owner(const void *lock, unsigned int flags)
{
	const struct rw_semaphore *rwsem = lock;
	const struct mutex *mutex = lock;
	__u64 owner = 0;

	if (flags & LOCK_RT) {
		/* What readers and writers wait for is a struct rwbase_rt. */
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
	/* It may end meanwhile: what can be read is taken. */
	if (owner) {
		BPF_CORE_READ_INTO(&e->owner_comm, owner, comm);
		e->owner = BPF_CORE_READ(owner, pid);
	}
	if (!e->owner)
		forget_comm(e->owner_comm);
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
