// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that the control side runs itself; nothing triggers them. */

struct lkst_start_args {
	__s64 real_offset;
};

SEC("raw_tp")
int lkst_start(struct lkst_start_args *args)
{
	RECORD(lkst_start, e);
	e->real_offset = args->real_offset;
	COMMIT();
	return 0;
}
