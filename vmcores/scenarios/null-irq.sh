# SPDX-License-Identifier: GPL-2.0-or-later
# a null pointer is written to in an interrupt handler
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
bystanders
sleep 1
truth function=handle_badly
crash irq
sleep 10
