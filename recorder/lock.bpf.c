// SPDX-License-Identifier: GPL-2.0-or-later
/* Category lock: include/trace/events/lock.h */
SEC("tp_btf/contention_begin")
int BPF_PROG(contention_begin, void *lock, unsigned int flags)
{
	RECORD(contention_begin, e);
	e->lock = (__u64)lock;
	e->flags = flags;
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
