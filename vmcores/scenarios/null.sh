# SPDX-License-Identifier: GPL-2.0-or-later
# a null pointer is written to in a system call
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
sysctl -q kernel.panic_on_oops=1
bystanders
sleep 1
truth function=write_nowhere task=faulty
named faulty 'echo null >/sys/kernel/debug/lkst_crash'
