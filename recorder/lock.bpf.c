// SPDX-License-Identifier: GPL-2.0-or-later
/* Category lock: include/trace/events/lock.h */
/*
 * Mutexes know who has them, and rw_semaphores their writer. The reader that these name has
 * come last and may have gone long ago, with its struct task_struct. Spin locks know nobody.
 */
static __always_inline const struct task_struct *lock_owner(const void *lock, unsigned int flags)
{
	__u64 owner = 0;

	if (flags & LOCK_MUTEX)
		owner = BPF_CORE_READ((const struct mutex *)lock, owner.counter);
	else if (flags & (LOCK_READ | LOCK_WRITE) && !(flags & (LOCK_SPIN | LOCK_RT | LOCK_PERCPU)))
		owner = BPF_CORE_READ((const struct rw_semaphore *)lock, owner.counter);
	if (!(flags & LOCK_MUTEX) && owner & RWSEM_READER_OWNED)
		return NULL;
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
