# SPDX-License-Identifier: GPL-2.0-or-later
# a task forks without end until memory runs out
. /lab/scenarios/common
sysctl -q vm.panic_on_oom=2
bystanders
# Somebody has much memory, and takes no more.
python3 -c '
import time
with open("/proc/self/comm", "w") as comm:
    comm.write("cache")
kept = b"x" * (90 << 20)
time.sleep(1000)' &
sleep 3
truth task=stormy
exec python3 -c '
import os
import time
with open("/proc/self/comm", "w") as comm:
    comm.write("stormy")
while True:
    if os.fork() == 0:
        own = b"y" * (256 << 10)
        time.sleep(1000)
'
