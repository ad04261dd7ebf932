# SPDX-License-Identifier: GPL-2.0-or-later
"""
ftrace's buffers, the kernel's log and BPF ring buffers in dumps of real kernels,
against what was seen in the guest while it lived.
"""

from collections import defaultdict
import json
import re
from typing import Any

from drgn import Program
from dumps import KERNELS, Dump, Lab, Run
import pytest

from drgn_plugins.lkst_btf import attach_btf, find_kallsyms
from lkst.locate.schedclock import read_sched_clock

SCRIPT = r"""
lkst trigger add seen --when 'signal_generate.sig == SIGUSR1' --do notify \
	--at-most 1000000/s || exit
tracing=/sys/kernel/tracing
mkdir $tracing/instances/second || exit
echo mono >$tracing/instances/second/trace_clock
for event in sched/sched_switch sched/sched_wakeup syscalls/sys_enter_openat; do
	echo 1 >$tracing/events/$event/enable || exit
done
for event in sched/sched_process_fork sched/sched_process_exec; do
	echo 1 >$tracing/instances/second/events/$event/enable || exit
done
trap : USR1
for word in one two three; do
	kill -USR1 $$
	cat /proc/version >/dev/null
	sleep 0.01
	echo "marker $word" >$tracing/trace_marker
	echo "lkst-test: $word" >/dev/kmsg
done
echo 0 >$tracing/tracing_on
echo 0 >$tracing/instances/second/tracing_on
trace-cmd show >/out/ftrace || exit
trace-cmd show -B second >/out/second || exit
sync /out/ftrace /out/second
echo c >/proc/sysrq-trigger
"""

Entry = dict[str, Any]

#: TASK-PID [CPU] flags time: event: fields; or, of a system call, sys_name(fields)
LINE = re.compile(r"^ *(.+)-(\d+) +\[(\d+)\] +\S+ +(\d+)\.(\d{6}): (\w+)([:(]) ?(.*)$")


#: Where the kernel does not trust the TSC, its clocks are tied to each other otherwise.
WORDS = {"6.12": ("--append", "tsc=unstable")}


@pytest.fixture(scope="module", params=KERNELS)
def dump(request: pytest.FixtureRequest, lab: Lab) -> Dump:
    return lab(request.param, *WORDS.get(request.param, ()), script=SCRIPT)


def test_both_kinds_of_clocks_are_tried(dump: Dump) -> None:
    """Without this, a change of the guests could leave the other tests one of the two."""
    prog = Program()
    prog.set_core_dump(dump.vmcore)
    attach_btf(prog)
    clock = read_sched_clock(prog, find_kallsyms, 2)
    assert clock.clock == ("mono" if dump.kernel in WORDS else "local")


@pytest.fixture(scope="module")
def entries(dump: Dump, lkst: Run) -> dict[str, list[Entry]]:
    """Give what the timeline has, by origin."""
    words = ("--with", "dmesg,ftrace,ringbuf", "--format", "jsonl")
    result = lkst("replay", dump.vmcore, *words)
    assert (result.status, result.stderr) == (0, "")
    found = defaultdict(list)
    for line in result.stdout.splitlines():
        entry = json.loads(line)
        found[entry["origin"]].append(entry)
    times = [json.loads(line)["ts"] for line in result.stdout.splitlines()]
    known = [time for time in times if time is not None]
    assert known == sorted(known)
    return found


def shown(dump: Dump, name: str) -> list[re.Match[str]]:
    """Give what trace-cmd has shown."""
    lines = (dump.out / name).read_text().splitlines()
    return [match for line in lines if (match := LINE.match(line))]


@pytest.mark.parametrize(("name", "origin"), [("ftrace", "ftrace"), ("second", "ftrace:second")])
def test_all_that_trace_cmd_shows(
    dump: Dump, entries: dict[str, list[Entry]], name: str, origin: str
) -> None:
    live = shown(dump, name)
    assert len(live) > (100 if name == "ftrace" else 5)
    names = {"sys_openat": "sys_enter_openat", "tracing_mark_write": "print"}
    told = [
        (int(pid), int(cpu), names.get(event, event))
        for _, pid, cpu, _, _, event, _, _ in map(re.Match.groups, live)
    ]
    assert [(e["pid"], e["cpu"], e["event"]) for e in entries[origin]] == told


def test_the_same_fields(dump: Dump, entries: dict[str, list[Entry]]) -> None:
    compared = 0
    for match, entry in zip(shown(dump, "ftrace"), entries["ftrace"], strict=True):
        text = match[8]
        if entry["event"] in ("sched_switch", "sched_wakeup"):
            for key, value in re.findall(r"(\w+(?:pid|prio|cpu|comm))=(\S+)", text):
                own = entry["fields"][key]
                assert own == (int(value) if isinstance(own, int) else value)
                compared += 1
        elif entry["event"] == "print":
            assert entry["fields"]["buf"] == text + "\n"
            compared += 1
        elif entry["event"] == "sys_enter_openat":
            flags = re.search(r"flags: (0x)?([0-9a-f]+)", text)
            assert flags is None or entry["fields"]["flags"] == int(flags[2], 16)
            compared += 1
    assert compared > 100


def test_times_are_those_of_the_records(entries: dict[str, list[Entry]]) -> None:
    """The recorder saw the same switches: ftrace's are near, in the same order."""
    for origin, event in (("ftrace", "sched_switch"), ("ftrace:second", "sched_process_fork")):
        pid = "next_pid" if event == "sched_switch" else "child_pid"
        own = defaultdict(list)
        for record in entries["lkst"]:
            if record["event"] == event:
                own[record["cpu"], record["pid"], record["fields"][pid]].append(record["ts"])
        apart = [
            min(abs(entry["ts"] - ts) for ts in near)
            for entry in entries[origin]
            if entry["event"] == event
            and (near := own.get((entry["cpu"], entry["pid"], entry["fields"][pid])))
        ]
        assert apart
        apart.sort()
        # Between both lies the rest of the tracepoint, on a machine that is slow and busy.
        assert apart[len(apart) // 2] < 2_000_000


def test_the_log_is_there_and_tied(dump: Dump, entries: dict[str, list[Entry]], lkst: Run) -> None:
    log = [entry["fields"]["text"] for entry in entries["dmesg"]]
    assert log[0].startswith("Linux version")
    assert [text for text in log if text.startswith("lkst-test:")] == [
        f"lkst-test: {word}" for word in ("one", "two", "three")
    ]
    recorded = {
        record["fields"]["text"].rstrip("\n"): record["ts"]
        for record in entries["lkst"]
        if record["event"] == "console"
    }
    for entry in entries["dmesg"]:
        text = entry["fields"]["text"]
        if text.startswith("lkst-test:"):
            assert 0 <= recorded[text] - entry["ts"] < 50_000_000
    result = lkst("replay", dump.vmcore, "--with", "dmesg,ftrace", "--last", "3")
    head = " ".join(result.stdout.split("\n\n")[0].split())
    assert re.search(r"from dmesg, timed by local_clock\(\) .* within [0-9.]+ us", head)
    assert "from ftrace:second, timed by CLOCK_MONOTONIC like the records, exactly" in head


def test_what_nobody_has_read_from_a_ring_buffer(entries: dict[str, list[Entry]]) -> None:
    notices = entries["ringbuf:lkst_notices"]
    # One for each signal; which is a slot with a header of its own.
    assert len(notices) == 3
    for notice in notices:
        assert notice["fields"]
        assert notice["fields"].get("size", 72) == 72
