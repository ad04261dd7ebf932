# SPDX-License-Identifier: GPL-2.0-or-later
# a task sleeps with a mutex that others wait for: hung task
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
panic_on_hung_task
bystanders
sleep 1
truth task=keeper function=keep_mutex lock=kept_mutex
named keeper 'echo keep-mutex >/sys/kernel/debug/lkst_crash' &
sleep 0.3
for name in first second third; do
	named "$name" 'echo want-mutex >/sys/kernel/debug/lkst_crash' &
done
sleep 20
