# SPDX-License-Identifier: GPL-2.0-or-later
"""
Measures of a real kernel, against independent tools over the same seconds: what the kernel
itself counts in /proc, and what perf makes of events that it has recorded.
"""

from dumps import Dump, Lab
from guests import TOOLS
import pytest

# perf has the recorder's clock: both tell the time of the same event, one program after the
# other. Two snapshots of what the kernel counts are around it, by programs whose life is in
# the trace. All is read by perf in the guest, which has written it.
SCRIPT = r"""
cp /bin/cat /tmp/snap1
cp /bin/cat /tmp/snap2
counts="/proc/softirqs /proc/interrupts /proc/diskstats"
/tmp/snap1 $counts >/out/snap1
perf record -q -a -k mono -o /tmp/perf.data \
	-e sched:sched_switch,sched:sched_wakeup,sched:sched_wakeup_new \
	-e raw_syscalls:sys_enter,raw_syscalls:sys_exit \
	-e block:block_rq_issue,block:block_rq_complete -- sh -c '
	for turn in 1 2 3 4 5 6 7 8; do
		dd if=/dev/zero of=/out/data bs=16k count=8 conv=fsync status=none
		sleep 0.05 | cat
	done
' >/out/perf.log 2>&1
/tmp/snap2 $counts >/out/snap2
echo off >/tmp/off
perf sched latency -i /tmp/perf.data >/out/latency 2>>/out/perf.log
perf sched timehist -i /tmp/perf.data >/out/timehist 2>>/out/perf.log
perf trace -s -i /tmp/perf.data >/out/trace 2>>/out/perf.log
perf script -i /tmp/perf.data -F comm,tid,cpu,time,event,trace >/out/script 2>>/out/perf.log
sync
echo c >/proc/sysrq-trigger
"""


@pytest.fixture(scope="module")
def dump(lab: Lab) -> Dump:
    words = ("--memory", "512", "--timeout", "600", "--record", "--size 16M")
    return lab("6.12", *words, script=TOOLS + SCRIPT)
