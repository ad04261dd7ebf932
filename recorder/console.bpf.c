// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Categories console, trouble, rcu and module:
 * include/trace/events/{printk,rcu,module}.h
 *
 * Each check of the kernel begins its report with a line that no other report has, and
 * prints the line before it does anything else. An event made from this line has the
 * kernel's own message, costs nothing until trouble happens, and does not depend on
 * functions that compilers inline and releases rename.
 */
#include "record.h"

#define HEAD_SIZE 64

#define PANIC "Kernel panic - not syncing: "
#define WARNING "WARNING: "

/*
 * Return whether a line that begins with "WARNING: " is a WARN. It goes on with the CPU
 * ("CPU: 0 PID: 7 at ..."), with the source line ("kernel/file.c:12 at ..."), or, if that is
 * not known, with "at ...". Other lines go on with a sentence.
 */
static __always_inline bool is_warn(const char *head)
{
	const char *rest = head + sizeof(WARNING) - 1;
	__u32 i;

	if (bpf_strncmp(rest, 4, "CPU:") == 0 || bpf_strncmp(rest, 3, "at ") == 0)
		return true;
	for (i = sizeof(WARNING); i < HEAD_SIZE; i++)
		if (head[i] == ' ')
			return head[i - 1] >= '0' && head[i - 1] <= '9';
	return true;
}

/* Return the event that a line of the console begins, or 0. */
static __always_inline __u32 trouble_of(const char *head)
{
#define STARTS(what) (bpf_strncmp(head, sizeof(what) - 1, what) == 0)
#define TROUBLE(event, what)                                                                       \
	if (STARTS(what))                                                                          \
	return EV_##event

	TROUBLE(panic, PANIC);
	TROUBLE(kasan, "BUG: KASAN: ");
	TROUBLE(kfence, "BUG: KFENCE: ");
	TROUBLE(oops, "BUG: unable to handle ");
	TROUBLE(oops, "BUG: kernel NULL pointer ");
	TROUBLE(oops, "kernel BUG at ");
	TROUBLE(oops, "Oops: ");
	TROUBLE(oops, "general protection fault");
	TROUBLE(oops, "invalid opcode: ");
	TROUBLE(oops, "divide error: ");
	TROUBLE(oops, "stack segment: ");
	TROUBLE(oops, "traps: PANIC: double fault");
	if (STARTS(WARNING) && is_warn(head))
		return EV_warn;
	TROUBLE(soft_lockup, "watchdog: BUG: soft lockup ");
	TROUBLE(hard_lockup, "watchdog: Watchdog detected hard LOCKUP ");
	TROUBLE(hard_lockup, "watchdog: CPU");
	TROUBLE(hard_lockup, "NMI watchdog: Watchdog detected hard LOCKUP ");
	TROUBLE(hung_task, "INFO: task ");
	TROUBLE(rcu_stall, "rcu: INFO: ");
	TROUBLE(rcu_stall, "INFO: rcu_tasks");
	return 0;
}

static __always_inline int console_line(void *ctx, const char *text, __u32 len)
{
	char head[HEAD_SIZE] = {};
	__u32 event;
	__u16 fixed;

	if (wanted(EV_console))
		record_text(ctx, EV_console, &fixed, sizeof(fixed), text, len);
	if (len < 4)
		return 0;
	read_up_to(head, len, sizeof(head) - 1, text);
	event = trouble_of(head);
	if (!event || !wanted(event))
		return 0;
	if (event == EV_panic) {
		text += sizeof(PANIC) - 1;
		len -= sizeof(PANIC) - 1;
	}
	record_text(ctx, event, &fixed, sizeof(fixed), text, len);
	return 0;
}

SEC("tp_btf/console")
int BPF_PROG(console, const char *text, __u64 size)
{
	return console_line(ctx, text, size);
}

/*
 * Until 6.3 the kernel calls the tracepoint in a way that is a WARN in an NMI (see
 * lkst/bpf/tracepoints.py). On these kernels the calling function is hooked instead: when
 * it returns, @text is the tracepoint's argument, and the return value is the length.
 */
SEC("fexit/printk_sprint")
int BPF_PROG(instead__console, const char *text, __u16 size, int facility, void *flags,
	     const char *fmt, void *args, __u16 len)
{
	return console_line(ctx, text, len);
}

SEC("tp_btf/rcu_stall_warning")
int BPF_PROG(rcu_stall_warning, const char *rcuname, const char *msg)
{
	RECORD(rcu_stall_warning, e);
	bpf_probe_read_kernel_str(e->rcuname, sizeof(e->rcuname), rcuname);
	bpf_probe_read_kernel_str(e->msg, sizeof(e->msg), msg);
	COMMIT();
	return 0;
}

#define MODULE_EVENT(event)                                                                        \
	SEC("tp_btf/" #event)                                                                      \
	int BPF_PROG(event, struct module *mod)                                                    \
	{                                                                                          \
		__u16 fixed;                                                                       \
                                                                                                   \
		if (wanted(EV_##event))                                                            \
			record_string(ctx, EV_##event, &fixed, sizeof(fixed), mod->name);          \
		return 0;                                                                          \
	}

MODULE_EVENT(module_load)
MODULE_EVENT(module_free)
