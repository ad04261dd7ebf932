// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ways to die that user space cannot bring about: write the name of one to
 * /sys/kernel/debug/lkst_crash. Each has functions of its own, which is what a
 * reader of the dump should find.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/irq_work.h>
#include <linux/irqdesc.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

static DEFINE_SPINLOCK(kept_spinlock);
static DEFINE_MUTEX(kept_mutex);
static DEFINE_MUTEX(first_mutex);
static DEFINE_MUTEX(second_mutex);

/* Never set; the compiler does not know. */
static int *volatile nowhere;

static noinline void write_nowhere(void)
{
	*nowhere = 1;
}

static irqreturn_t handle_badly(int line, void *data)
{
	*nowhere = line;
	return IRQ_NONE;
}

static int line;

/* As the driver of a chip that bundles interrupts does it, from its own. */
static void pass_irq_on(struct irq_work *work)
{
	generic_handle_irq(line);
}
static DEFINE_IRQ_WORK(bundled, pass_irq_on);

static void break_irq(void)
{
	int error;

	line = irq_alloc_desc(NUMA_NO_NODE);
	if (line < 0)
		return;
	irq_set_chip_and_handler(line, &dummy_irq_chip, handle_simple_irq);
	error = request_irq(line, handle_badly, 0, "lkst_crash", NULL);
	if (!error)
		irq_work_queue(&bundled);
}

static void expire_badly(struct timer_list *timer)
{
	*nowhere = 2;
}
static DEFINE_TIMER(bad_timer, expire_badly);

static void break_timer(void)
{
	mod_timer(&bad_timer, jiffies + HZ / 5);
}

static void work_badly(struct work_struct *work)
{
	BUG();
}
static DECLARE_WORK(bad_work, work_badly);

static void break_work(void)
{
	schedule_work(&bad_work);
}

static noinline void keep_spinlock(void)
{
	spin_lock(&kept_spinlock);
	for (;;)
		cpu_relax();
}

static noinline void want_spinlock(void)
{
	spin_lock(&kept_spinlock);
	spin_unlock(&kept_spinlock);
}

static noinline void keep_mutex(void)
{
	mutex_lock(&kept_mutex);
	schedule_timeout_interruptible(MAX_SCHEDULE_TIMEOUT);
	mutex_unlock(&kept_mutex);
}

static noinline void want_mutex(void)
{
	mutex_lock(&kept_mutex);
	mutex_unlock(&kept_mutex);
}

static noinline void lock_first_then_second(void)
{
	mutex_lock(&first_mutex);
	msleep(500);
	mutex_lock(&second_mutex);
	mutex_unlock(&second_mutex);
	mutex_unlock(&first_mutex);
}

static noinline void lock_second_then_first(void)
{
	mutex_lock(&second_mutex);
	msleep(500);
	mutex_lock(&first_mutex);
	mutex_unlock(&first_mutex);
	mutex_unlock(&second_mutex);
}

static noinline void read_forever(void)
{
	preempt_disable();
	rcu_read_lock();
	for (;;)
		cpu_relax();
}

static noinline void mask_irqs_forever(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
}

/* Not a way to die, but what the kernel's checks report and live on. */
static noinline void hold_cpu(void)
{
	preempt_disable();
	mdelay(6000);
	preempt_enable();
}

struct thing {
	refcount_t users;
	char rest[1020];
};

static noinline void put_thing(struct thing *thing)
{
	if (refcount_dec_and_test(&thing->users))
		kfree(thing);
}

/* A reference is taken to what has just been freed. */
static noinline void use_freed_thing(void)
{
	struct thing *thing = kzalloc(sizeof(*thing), GFP_KERNEL);

	if (!thing)
		return;
	refcount_set(&thing->users, 1);
	put_thing(thing);
	refcount_inc(&thing->users);
	WRITE_ONCE(thing->rest[0], 1);
}

static const struct {
	const char *name;
	void (*function)(void);
} ways[] = {
	{"null", write_nowhere},
	{"irq", break_irq},
	{"timer", break_timer},
	{"work", break_work},
	{"keep-spinlock", keep_spinlock},
	{"want-spinlock", want_spinlock},
	{"keep-mutex", keep_mutex},
	{"want-mutex", want_mutex},
	{"first-second", lock_first_then_second},
	{"second-first", lock_second_then_first},
	{"rcu", read_forever},
	{"irqs-off", mask_irqs_forever},
	{"freed", use_freed_thing},
	{"hold-cpu", hold_cpu},
};

static ssize_t choose_way(struct file *file, const char __user *from, size_t size, loff_t *where)
{
	char name[32] = "";
	int way;

	if (size >= sizeof(name) || copy_from_user(name, from, size))
		return -EINVAL;
	for (way = 0; way < ARRAY_SIZE(ways); way++) {
		if (sysfs_streq(name, ways[way].name)) {
			ways[way].function();
			return size;
		}
	}
	return -EINVAL;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.write = choose_way,
};

static int __init lkst_crash_init(void)
{
	debugfs_create_file("lkst_crash", 0200, NULL, NULL, &operations);
	return 0;
}
module_init(lkst_crash_init);

MODULE_DESCRIPTION("Ways to die");
MODULE_LICENSE("GPL");
