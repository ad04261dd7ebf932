# SPDX-License-Identifier: GPL-2.0-or-later
# a spin lock is never given back, and another CPU spins for it: soft lockup
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
sysctl -q kernel.watchdog_thresh=1 kernel.softlockup_panic=1
bystanders
sleep 1
truth task=keeper function=keep_spinlock lock=kept_spinlock
named keeper 'echo keep-spinlock >/sys/kernel/debug/lkst_crash' &
sleep 0.3
named wanter 'echo want-spinlock >/sys/kernel/debug/lkst_crash'
