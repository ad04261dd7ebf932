# SPDX-License-Identifier: GPL-2.0-or-later
# memory runs out under one greedy process among many, with vm.panic_on_oom
. /lab/scenarios/common
sysctl -q vm.panic_on_oom=2
bystanders
for _ in 1 2 3 4 5 6 7 8 9 10; do
	sleep 1000 &
done
python3 -c 'import time; modest = b"x" * (8 << 20); time.sleep(1000)' &
sleep 1
truth task=greedy
exec python3 -c '
with open("/proc/self/comm", "w") as comm:
    comm.write("greedy")
hoard = []
while True:
    hoard.append(b"x" * (1 << 20))
'
