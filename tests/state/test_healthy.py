# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that is well and busy in ways that look bad: nobody is accused."""

import json

from dumps import Lab, Run

#: Everything runs until the end, but for CPU 2, which is taken offline in the middle of its work.
SCRIPT = """
busy='while :; do :; done'
nap='while :; do sleep 0.02; done'
taskset -c 2 sh -c "$busy" &
read='dd if=/dev/vda of=/dev/null bs=64k count=20 iflag=direct status=none'
taskset -c 2 sh -c "while :; do $read; done" &
sleep 0.5
echo 0 >/sys/devices/system/cpu/cpu2/online

# Real-time tasks that are throttled, and naps that get what they leave.
taskset -c 1 chrt -f 50 sh -c "$busy" &
taskset -c 1 chrt -r 10 sh -c "$busy" &
taskset -c 1 sh -c "$nap" &
# Nice ones beside others; a shell waits in vfork() for one of them.
taskset -c 0 nice -n -20 sh -c "$busy" &
taskset -c 0 nice -n 19 sh -c 'while :; do /bin/true; done' &
# A cgroup that may run for 2 ms of each second.
mount -t cgroup2 none /mnt
echo +cpu >/mnt/cgroup.subtree_control
mkdir /mnt/slow
echo "2000 1000000" >/mnt/slow/cpu.max
taskset -c 0 sh -c "$busy" & echo $! >/mnt/slow/cgroup.procs
# Frozen ones, which the kernel shows as D.
mkdir /tmp/freezer
mount -t cgroup -o freezer none /tmp/freezer
mkdir /tmp/freezer/cold
taskset -c 0 nice -n -20 sh -c "$nap" & echo $! >/tmp/freezer/cold/cgroup.procs
# Stopped ones, and writes that are waited for.
sh -c "$busy" & kill -STOP $!
(while :; do dd if=/dev/zero of=/root/direct bs=64k count=50 oflag=direct; sync; done) 2>/dev/null &
renice -n -20 $$ >/dev/null
sleep 1
echo FROZEN >/tmp/freezer/cold/freezer.state
sleep 4
cat /tmp/freezer/cold/freezer.state >/out/frozen
cat /mnt/slow/cpu.stat >/out/slow
cat /sys/devices/system/cpu/online >/out/online
echo c >/proc/sysrq-trigger
"""


def test_nobody_is_accused(lab: Lab, lkst: Run) -> None:
    dump = lab("6.12", "--cpus", "3", "--timeout", "400", script=SCRIPT)
    assert (dump.out / "frozen").read_text() == "FROZEN\n"
    assert (dump.out / "online").read_text() == "0-1\n"
    throttled = dict(line.split() for line in (dump.out / "slow").read_text().splitlines())
    assert int(throttled["nr_throttled"]) > 0
    result = lkst("state", dump.vmcore, "--format", "json")
    assert (result.status, result.stderr) == (0, "")
    state = json.loads(result.stdout)
    assert state["suspicions"] == []
    assert "sysrq" in state["panic"]["message"]
    assert [cpu["online"] for cpu in state["cpus"]] == [True, True, False]
