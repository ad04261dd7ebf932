// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Steps of the wall clock. CLOCK_MONOTONIC is slewed together with CLOCK_REALTIME, so
 * the difference changes only when the clock is set, at a leap second, and by a
 * suspend. The kernel's timekeeper has it; nobody else does on all kernels: the tai
 * clock of bpf_ktime_get_tai_ns() has another difference that changes as well.
 */

/* Clock of user space and the timekeeper's differ by less than this, in ns. */
#define SAME_CLOCK 100000000LL

/*
 * Find the timekeeper behind the sequence counter in tk_core, and believe it only if
 * it says what user space has just read.
 */
static __always_inline void find_timekeeper(__u64 tk_core, __s64 real_offset)
{
	volatile struct lkst_clock *clock = &lkst_control.clock;
	__u64 offset, start = bpf_ktime_get_ns();
	const struct timekeeper *tk;
	__s64 found, boot;

	if (!tk_core)
		return;
	if (bpf_core_type_exists(struct tk_data))
		offset = bpf_core_field_offset(struct tk_data, timekeeper);
	else
		offset = bpf_core_type_size(seqcount_raw_spinlock_t) + 7 & ~7ULL;
	tk = (const struct timekeeper *)(tk_core + offset);
	if (bpf_probe_read_kernel(&found, sizeof(found), &tk->offs_real) ||
	    found - real_offset > SAME_CLOCK || real_offset - found > SAME_CLOCK)
		return;
	if (!bpf_probe_read_kernel(&boot, sizeof(boot), &tk->offs_boot))
		clock->boot_offset = boot;
	clock->real_offset = found;
	clock->checked = start;
	clock->timekeeper = (__u64)tk;
}

/* Note it if the clock has stepped since somebody last looked. Safe in any context. */
static __noinline int check_clock(void)
{
	volatile struct lkst_clock *clock = &lkst_control.clock;
	const struct timekeeper *tk = (const struct timekeeper *)clock->timekeeper;
	__u64 now = bpf_ktime_get_ns(), since = clock->checked;
	__s64 old = clock->real_offset, offset, boot = 0;
	volatile struct lkst_step *step;

	if (!tk || bpf_probe_read_kernel(&offset, sizeof(offset), &tk->offs_real))
		return 0;
	if (offset == old) {
		clock->checked = now;
		return 0;
	}
	/* Of CPUs that see it at once, one notes it. */
	if (__sync_val_compare_and_swap(&clock->real_offset, old, offset) != old)
		return 0;
	bpf_probe_read_kernel(&boot, sizeof(boot), &tk->offs_boot);
	step = &clock->step[clock->nr % LKST_MAX_STEPS];
	step->since = clock->watched ? now : since;
	step->ts = now;
	step->real_offset = offset;
	step->boot_offset = boot;
	clock->checked = now;
	clock->nr++;
	NOTE(clock_set, now, {
		e->real_offset = offset;
		e->old_real_offset = old;
		e->boot_offset = boot;
	});
	return 0;
}

/*
 * These are attached whatever a maskset says: times would be wrong without them. The
 * first sees every way of setting the clock, and leap seconds; the second is called
 * later, but also where a compiler has inlined the first.
 */
SEC("fentry/clock_was_set")
int BPF_PROG(watch__clock_was_set)
{
	return check_clock();
}

SEC("fentry/timerfd_clock_was_set")
int BPF_PROG(watch__timerfd_clock_was_set)
{
	return check_clock();
}

/* Fires before timekeeping is suspended and right after it is resumed. */
SEC("tp_btf/suspend_resume")
int BPF_PROG(watch__suspend_resume)
{
	return check_clock();
}
