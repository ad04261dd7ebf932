# SPDX-License-Identifier: GPL-2.0-or-later
# a null pointer is written to in the handler of a shared interrupt
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko irq=4
bystanders
sleep 1
truth function=handle_badly
crash irq
echo "an interrupt, please" >/dev/ttyS0
sleep 10
