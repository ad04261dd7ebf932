# SPDX-License-Identifier: GPL-2.0-or-later
# two tasks take two mutexes crosswise: hung task
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
panic_on_hung_task
bystanders
sleep 1
truth task=forth,back lock=first_mutex,second_mutex \
	function=lock_first_then_second,lock_second_then_first
named forth 'echo first-second >/sys/kernel/debug/lkst_crash' &
named back 'echo second-first >/sys/kernel/debug/lkst_crash' &
sleep 20
