// SPDX-License-Identifier: GPL-2.0-or-later
/* Category waitqueue: functions of kernel/sched/wait.c */
#include "record.h"

SEC("fentry/__init_waitqueue_head")
int BPF_PROG(init_waitqueue_head, void *queue, const char *name)
{
	RECORD(init_waitqueue_head, e);
	e->queue = (__u64)queue;
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), name);
	COMMIT();
	return 0;
}

SEC("fentry/add_wait_queue")
int BPF_PROG(add_wait_queue, void *queue, struct wait_queue_entry *entry)
{
	RECORD(add_wait_queue, e);
	e->queue = (__u64)queue;
	e->entry = (__u64)entry;
	e->func = (__u64)entry->func;
	e->private = (__u64)entry->private;
	COMMIT();
	return 0;
}

SEC("fentry/remove_wait_queue")
int BPF_PROG(remove_wait_queue, void *queue, struct wait_queue_entry *entry)
{
	RECORD(remove_wait_queue, e);
	e->queue = (__u64)queue;
	e->entry = (__u64)entry;
	e->func = (__u64)entry->func;
	COMMIT();
	return 0;
}

SEC("fentry/prepare_to_wait_event")
int BPF_PROG(prepare_to_wait_event, void *queue, void *entry, unsigned int state)
{
	RECORD(prepare_to_wait_event, e);
	e->queue = (__u64)queue;
	e->entry = (__u64)entry;
	e->state = state;
	COMMIT();
	return 0;
}

SEC("fentry/finish_wait")
int BPF_PROG(finish_wait, void *queue, void *entry)
{
	RECORD(finish_wait, e);
	e->queue = (__u64)queue;
	e->entry = (__u64)entry;
	COMMIT();
	return 0;
}
