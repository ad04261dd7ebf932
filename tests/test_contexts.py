# SPDX-License-Identifier: GPL-2.0-or-later
"""
A machine lives with the recorder through all contexts that a hook can fire in.

The guests panic on any WARN. Each goes through backtraces by NMI, task dumps, an NMI from
outside, profiling interrupts with callchains, CPU hotplug, suspend to RAM (not with PREEMPT_RT), a
soft lockup, an RCU stall and hung tasks, first with the maskset ``default``, then with ``all``.
Then an NMI panics the machine, which is what it would die of without a recorder.
"""

from collections import Counter
import json
import re
from typing import Any

from dumps import KERNELS, Lab, Run, run_lkst
from guests import TOOLS, Guest
import pytest

Record = dict[str, Any]

SCRIPT = (
    r"""
# module: lkst_crash
. /lab/scenarios/common
set -e
insmod /lab/files/lkst_crash.ko
sysctl -q kernel.panic_on_warn=1 kernel.watchdog_thresh=1
sysctl -q kernel.hung_task_timeout_secs=1 kernel.hung_task_check_interval_secs=1
echo 3 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
contexts() {
	lkst mark "contexts $1"
	for key in l w t; do
		echo $key >/proc/sysrq-trigger
	done
	lab nmi
	named holder 'echo hold-cpu >/sys/kernel/debug/lkst_crash'
	perf record -q -a -g -F 999 -e cpu-clock -o /tmp/perf.data sleep 0.2
	echo 0 >/sys/devices/system/cpu/cpu1/online
	echo l >/proc/sysrq-trigger
	echo 1 >/sys/devices/system/cpu/cpu1/online
	# With PREEMPT_RT the emulated machine ends when it resumes, recorder or not.
	[ -e /sys/kernel/realtime ] || rtcwake -m mem -s 2
	# The device that tells QEMU where VMCOREINFO is was reset.
	modprobe -r qemu_fw_cfg
	modprobe qemu_fw_cfg
	echo l >/proc/sysrq-trigger
	named keeper 'echo keep-mutex >/sys/kernel/debug/lkst_crash' &
	sleep 0.3
	named wanter 'echo want-mutex >/sys/kernel/debug/lkst_crash' &
	sleep 2.5
	pkill -x keeper
	wait
	lkst mark "survived $1"
}
dmesg --clear
contexts default
dmesg >/out/logged
# What there is so far is not to be overwritten by the flood of "all".
lkst buffer new flood --size 1MiB
lkst buffer use flood
lkst mask use all
contexts all
set +e
"""
    + TOOLS
    + r"""
try probe lkst probe add lines tracepoint:console
try status lkst status
sysctl -q kernel.unknown_nmi_panic=1
lab nmi
sleep 20
"""
)


#: Arguments for the lab. The rings have to reach back over all contexts, on a fast machine too.
WORDS = (
    *("--record", "--size 32MiB", "--memory", "768"),
    *("--append", "log_buf_len=4M", "--timeout", "900"),
)


@pytest.fixture(scope="module", params=[*KERNELS, "6.12-rt"])
def guest(request: pytest.FixtureRequest, lab: Lab) -> Guest:
    return Guest(lab(request.param, *WORDS, script=SCRIPT))


@pytest.fixture(scope="module")
def records(guest: Guest, lkst: Run) -> list[Record]:
    wanted = "console,trouble,mark,cpuhp_enter"
    result = lkst("replay", guest.dump.vmcore, "--format", "jsonl", "--event", wanted)
    assert (result.status, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def _lived_through(records: list[Record]) -> list[Record]:
    """Return what was recorded by the maskset "default" until the machine had survived."""
    (begin,) = _marks(records, "contexts default")
    (end,) = _marks(records, "survived default")
    return records[begin:end]


def _logged(guest: Guest) -> list[str]:
    """Return the lines of the kernel's log of the same time."""
    text = (guest.dump.out / "logged").read_text()
    return [line.partition("] ")[2] for line in text.splitlines()]


def _marks(records: list[Record], text: str) -> list[int]:
    return [
        row
        for row, record in enumerate(records)
        if record["event"] == "mark" and record["fields"]["text"] == text
    ]


def test_nothing_warned(guest: Guest) -> None:
    log = (guest.dump.folder / "console.log").read_text()
    log += (guest.dump.out / "logged").read_text()
    assert "NMI: Not continuing" in log
    assert not re.search(r"WARNING: (CPU|at|[\w/.-]+:\d)|\bBUG: (?!soft lockup)|Oops", log)


#: How the lines begin by which the kernel reports what the script provokes. Whether an RCU grace
#: period is waited for at that moment is not in the script's hands.
REPORTS = {
    "soft_lockup": "watchdog: BUG: soft lockup",
    "hung_task": "INFO: task ",
    "rcu_stall": "rcu: INFO: rcu_",
}


def test_trouble_is_recorded(guest: Guest, records: list[Record]) -> None:
    events = Counter(record["event"] for record in _lived_through(records))
    logged = _logged(guest)
    for event, begin in REPORTS.items():
        assert events[event] == sum(line.startswith(begin) for line in logged), event
    # Which of them come depends on how fast the guest is.
    assert events.keys() & REPORTS.keys() and events["cpuhp_enter"]
    assert not events.keys() & {"panic", "oops", "warn"}


def test_panic_in_nmi_is_recorded(records: list[Record]) -> None:
    panics = [r["fields"]["message"] for r in records if r["event"] == "panic"]
    assert panics == ["NMI: Not continuing"]


def test_survives_all_events(guest: Guest) -> None:
    assert "maskset all" in guest["status"].out


def test_tracepoint_that_may_warn_is_refused(guest: Guest) -> None:
    said = guest["probe"]
    if guest.dump.kernel == "7":
        assert (said.status, said.err) == (0, "")
    else:
        assert said.status == 1 and "must not be enabled" in said.err


def _suppressed(guest: Guest) -> int:
    """Return how often a program of console lines was skipped."""
    events = json.loads(run_lkst("list", guest.dump.vmcore, "--format", "json").stdout)["events"]
    return sum(event["suppressed"] for event in events if event["event"] == "console")


def test_lines_from_nmis_are_recorded(guest: Guest, records: list[Record]) -> None:
    lines = [r["fields"]["text"] for r in _lived_through(records) if r["event"] == "console"]
    # Of those that are printed at once; others are logged as one and recorded in pieces.
    whole = re.compile(r"NMI backtrace for cpu|Uhhuh|Dazed|watchdog: BUG|INFO: task")
    counts = Counter(filter(whole.match, _logged(guest)))
    recorded = Counter(filter(whole.match, lines))
    assert not recorded - counts
    # The kernel skips a program in an NMI that comes while it runs on that CPU, and counts it.
    assert sum((counts - recorded).values()) <= _suppressed(guest)
    assert sum(count for line, count in counts.items() if line.startswith("NMI")) >= 5
    assert sum(count for line, count in counts.items() if line.startswith("Uhhuh")) == 1
