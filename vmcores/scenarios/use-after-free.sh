# SPDX-License-Identifier: GPL-2.0-or-later
# a reference is taken to freed memory; refcount_t notices, with kernel.panic_on_warn
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
sysctl -q kernel.panic_on_warn=1
bystanders
sleep 1
truth task=user function=use_freed_thing
named user 'echo freed >/sys/kernel/debug/lkst_crash'
