# SPDX-License-Identifier: GPL-2.0-or-later
# a CPU loops with interrupts off until an NMI comes
# module: lkst_crash
. /lab/scenarios/common
insmod /lab/files/lkst_crash.ko
sysctl -q kernel.unknown_nmi_panic=1
# The NMI goes to CPU 0, which then no longer serves the lines to the lab.
for irq in 3 4; do
	echo 2 >/proc/irq/$irq/smp_affinity
done
# They move when the next interrupt comes.
echo moved >/dev/ttyS1
bystanders
taskset -p -c 1 $$ >/dev/null
sleep 1
truth task=looper function=mask_irqs_forever
cp /bin/sh /tmp/looper
taskset -c 0 /tmp/looper -c 'echo irqs-off >/sys/kernel/debug/lkst_crash' &
sleep 2
lab nmi
sleep 20
