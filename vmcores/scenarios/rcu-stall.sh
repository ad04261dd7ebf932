# SPDX-License-Identifier: GPL-2.0-or-later
# a task stays in an RCU read-side critical section: RCU stall
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
sysctl -q kernel.panic_on_rcu_stall=1
bystanders
sleep 1
truth task=reader function=read_forever
named reader 'echo rcu >/sys/kernel/debug/lkst_crash'
