# SPDX-License-Identifier: GPL-2.0-or-later
# a BUG is hit in a work item
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
sysctl -q kernel.panic_on_oops=1
bystanders
sleep 1
truth function=work_badly
crash work
sleep 10
