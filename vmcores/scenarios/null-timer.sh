# SPDX-License-Identifier: GPL-2.0-or-later
# a null pointer is written to in a timer's function
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
bystanders
sleep 1
truth function=expire_badly
crash timer
sleep 10
