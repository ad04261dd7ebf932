# SPDX-License-Identifier: GPL-2.0-or-later
"""Changing what is recorded while it is, as root does it in a guest."""

import json
from pathlib import Path
import subprocess

from dumps import ROOT, Lab, Once, Run
from guests import SERVED, TOOLS, Guest
import pytest

#: Calls of getppid() that are made while masksets are switched.
CALLS = 20000

#: A handler that keeps only every second call, and changes it.
HANDLER = r"""
#include "handler.h"

LKST_HANDLER(slot)
{
	struct lkst_sys_enter *e = LKST_FIELDS(slot, sys_enter);

	if (e->nr != 110 || e->arg0 % 2)
		return LKST_DROP;
	e->arg1 = 0x77;
	return LKST_KEEP;
}
"""

#: One that reads where it must not.
REJECTED = r"""
#include "handler.h"

LKST_HANDLER(slot)
{
	return *(int *)slot->ts;
}
"""

SCRIPT = r"""
cat >/tmp/calls.py <<'END'
import ctypes, os, sys
os.sched_setaffinity(0, {1})
libc = ctypes.CDLL(None)
print(os.getpid(), flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[1])):
    libc.syscall(110, number)
END
calls() {
	mkfifo /tmp/go
	python3 /tmp/calls.py "$1" </tmp/go >"/out/$2.pid" &
	exec 3>/tmp/go
	while ! [ -s "/out/$2.pid" ]; do sleep 0.1; done
	echo >&3
	exec 3>&-
	rm /tmp/go
}
links() {
	ls /sys/fs/bpf/lkst/links >"/out/$1"
}

try start lkst start --size 8M --maskset sched
lkst mask new one
lkst mask set one sys_enter=record mark=record maskset_use=record
lkst mask new two --from one
lkst mask set two signal=record trigger_fired=record block_rq_issue='hist(bytes)'
lkst mask use one
links links-one
calls 20000 switched
for name in two one two one two; do lkst mask use $name; done
wait
links links-two
try switched lkst replay live --event sys_enter --pid "$(cat /out/switched.pid)" --format jsonl
try mark lkst mark deploy 1.2 started
try marked lkst replay live --event mark
try unknown lkst mask set one sched_swich=record
try none lkst mask use onne
try show lkst mask show two

lkst handler load half /lab/files/half.bpf.o
try rejected lkst handler load worse /lab/files/worse.bpf.o
try set lkst handler set sys_enter half
calls 100 half
wait
try half lkst replay live --event sys_enter --pid "$(cat /out/half.pid)" --format jsonl
lkst mask set two sys_enter=count

lkst buffer new spare --size 256K
lkst trigger add usr1 --when 'signal_generate.sig == SIGUSR1' \
	--do 'notify, stack, mask=one for 2s, switch' --at-most 1/min
sh -c 'kill -USR1 $$; true'
sh -c 'kill -USR1 $$; true'
try listed lkst mask list
sleep 3
try back lkst mask list
try watch timeout 90 lkst watch --json --count 1
try fired lkst trigger status
try evidence lkst replay live --buffer main --event signal_generate,trigger_fired --format jsonl
try buffers lkst buffer list
try wrong lkst trigger add bad --when 'signal_generate.sgi == 9' --do notify

command lkst heartbeat --every 200ms --miss 1s --do notify &
beating=$!
until lkst trigger list | grep -q heartbeat; do sleep 0.2; done
kill -9 $beating
try heart timeout 90 lkst watch --json --count 1

# The examples that come along.
try slow lkst handler load slow /lab/files/slow_calls.bpf.o
try storm lkst handler load storm /lab/files/fork_storm.bpf.o
lkst mask set two syscall_time=slow sched_process_fork=storm
sleep 0.05
sleep 0.3
try told timeout 90 lkst watch --json --count 1
try slept lkst replay live --event syscall_time,sched_process_fork --format jsonl

# In a system call when it is detached, and in another one when it is attached again.
cat >/tmp/twice.py <<'END'
import os
for _ in range(2):
    print(os.getpid(), flush=True)
    os.read(0, 1)
END
in_call() {
	while [ "$(wc -l </out/twice)" -lt $1 ]; do sleep 0.1; done
	sleep 0.3
}
mkfifo /tmp/twice
>/out/twice
python3 /tmp/twice.py </tmp/twice >/out/twice &
exec 4>/tmp/twice
in_call 1
lkst mask set two syscall_time=off sched_process_fork=off
printf x >&4
in_call 2
read uptime rest </proc/uptime
echo $uptime >/out/again-at
lkst mask set two syscall_time=record
printf x >&4
exec 4>&-
wait $!
try again lkst replay live --event syscall_time --pid "$(head -n1 /out/twice)" --format jsonl
lkst mask set two syscall_time=off

for after in 0.5 1 1.5 2 2.5; do
	timeout -s KILL $after lkst mask use default
	timeout -s KILL $after lkst mask use two
done
try killed lkst mask use sched
links links-killed
try killed-list lkst mask list
try freeze lkst buffer freeze
try status lkst status
try counts lkst counts live --format json
"""


@pytest.fixture(scope="module", params=["6.1", "7"])
def guest(request: pytest.FixtureRequest, lab: Lab, once: Once) -> Guest:
    words = []
    for path in sorted(once("handlers", _compile_handlers).iterdir()):
        words += ["--file", str(path)]
    return Guest(
        lab(
            request.param, "--no-record", "--timeout", "900", *words, script=TOOLS + SERVED + SCRIPT
        )
    )


def _compile_handlers(folder: Path) -> None:
    """Compile what the tests try, and the examples that come along."""
    sources = {"half": HANDLER, "worse": REJECTED}
    for path in (ROOT / "recorder" / "handlers").glob("*.bpf.c"):
        sources[path.name.partition(".")[0]] = path.read_text()
    flags = "-O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I/usr/include/x86_64-linux-gnu"
    for name, text in sources.items():
        command = f"clang {flags} -I{ROOT}/recorder -x c -c - -o {folder}/{name}.bpf.o".split()
        subprocess.run(command, input=text, text=True, check=True)


def links(guest: Guest, name: str) -> set[str]:
    names = set((guest.dump.out / name).read_text().split())
    # Those that watch the wall clock are always attached.
    return {name for name in names if not name.startswith("watch__")}


def active(guest: Guest, name: str) -> str:
    assert guest[name].status == 0, guest[name].err
    lines = [line.split() for line in guest[name].out.splitlines()]
    found = [words[0] for words in lines if words[-1] == "active"]
    assert len(found) == 1, guest[name].out
    return found[0]


def test_switching_masksets_loses_nothing(guest: Guest) -> None:
    calls = [r["fields"] for r in guest.records("switched") if r["fields"]["nr"] == "getppid"]
    assert [int(call["arg0"], 0) for call in calls] == list(range(CALLS))


def test_what_no_loaded_maskset_wants_is_detached(guest: Guest) -> None:
    assert links(guest, "links-one") == {"sys_enter"}
    assert links(guest, "links-two") == {
        "sys_enter",
        "signal_generate",
        "signal_deliver",
        "block_rq_issue",
    }


def test_marks(guest: Guest) -> None:
    assert guest["mark"].status == 0
    assert guest["marked"].out.count('text="deploy 1.2 started"') == 1


def test_unknown_names(guest: Guest) -> None:
    assert guest["unknown"].status == 2
    assert "did you mean sched_switch" in guest["unknown"].err
    assert guest["none"].status == 1
    assert "did you mean one" in guest["none"].err
    assert guest["wrong"].status == 2
    assert "signal_generate.sgi: no such field" in guest["wrong"].err


def test_maskset_as_text(guest: Guest) -> None:
    lines = [line.split() for line in guest["show"].out.splitlines()]
    assert ["maskset", "two"] in lines
    assert ["block_rq_issue", "hist(bytes)"] in lines
    assert ["sched_switch", "off"] in lines


def test_handler_of_a_user(guest: Guest) -> None:
    assert guest["set"].status == 0, guest["set"].err
    calls = [r["fields"] for r in guest.records("half")]
    assert {call["nr"] for call in calls} == {"getppid"}
    assert [int(call["arg0"], 0) for call in calls] == list(range(0, 100, 2))
    assert {int(call["arg1"], 0) for call in calls} == {0x77}


def test_examples_of_handlers(guest: Guest) -> None:
    assert (guest["slow"].status, guest["storm"].status) == (0, 0), guest["storm"].err
    records = guest.records("slept")
    calls = [record for record in records if record["event"] == "syscall_time"]
    times = [call["fields"]["delay"] for call in calls]
    assert times and min(times) >= 10_000_000
    # With the stack if it took long.
    assert ["stack" in call for call in calls] == [time >= 100_000_000 for time in times]
    assert json.loads(guest["told"].out)["trigger"] == "slow"
    slept = [call for call in calls if call["fields"]["nr"] == "clock_nanosleep"]
    assert any("stack" in call for call in slept)
    assert "sched_process_fork" in {record["event"] for record in records}


def test_delays_do_not_begin_before_they_were_attached(guest: Guest) -> None:
    attached = float((guest.dump.out / "again-at").read_text()) * 1e9
    records = [json.loads(line) for line in guest["again"].out.splitlines()]
    measured = [record for record in records if record["ts"] >= attached]
    assert measured
    for record in measured:
        assert record["ts"] - record["fields"]["delay"] >= attached, record


def test_handler_that_the_verifier_rejects(guest: Guest) -> None:
    assert guest["rejected"].status == 1
    assert "the kernel refused the handler" in guest["rejected"].err
    assert "invalid mem access" in guest["rejected"].err


def test_trigger(guest: Guest) -> None:
    notice = json.loads(guest["watch"].out)
    assert (notice["trigger"], notice["event"]) == ("usr1", "signal_generate")
    assert notice["fields"]["sig"] == "SIGUSR1"
    words = next(line.split() for line in guest["fired"].out.splitlines() if "usr1" in line)
    # The rate limit held the second one back.
    assert words[1:3] == ["1", "1"]
    assert active(guest, "listed") in ("one", "two")
    assert active(guest, "back") == "two"


def test_the_old_buffer_keeps_the_evidence(guest: Guest) -> None:
    records = [r for r in guest.records("evidence") if r["fields"].get("sig") == "SIGUSR1"]
    # The second signal went to the other buffer.
    assert len(records) == 1
    assert any("kill" in frame for frame in records[0]["stack"])
    assert guest.records("evidence")[-1]["event"] == "trigger_fired"
    states = {line.split()[0]: line for line in guest["buffers"].out.splitlines()}
    assert "kept" in states["main"]
    assert "written to" in states["spare"]


def test_heartbeat_that_is_missed(guest: Guest) -> None:
    notice = json.loads(guest["heart"].out)
    assert (notice["trigger"], notice["event"]) == ("heartbeat", "heartbeat_age")
    assert notice["fields"]["delay"] > 10**9


def test_commands_that_were_killed_leave_no_trace(guest: Guest) -> None:
    assert guest["killed"].status == 0, guest["killed"].err
    assert active(guest, "killed-list") == "sched"
    assert "sched_switch" in links(guest, "links-killed")
    assert "block_rq_issue" not in links(guest, "links-killed")


def test_status_of_a_frozen_recorder(guest: Guest) -> None:
    assert guest["freeze"].status == 0
    assert guest["status"].status == 3
    assert "is frozen on 2 of 2 CPUs" in guest["status"].err


def test_counts(guest: Guest) -> None:
    assert guest["counts"].status == 0, guest["counts"].err
    assert "sys_enter" in guest["counts"].out


def test_all_buffers_are_in_the_dump(guest: Guest, lkst: Run) -> None:
    result = lkst("list", guest.dump.vmcore)
    assert "spare" in result.stdout
    for name in ("main", "spare"):
        assert lkst("replay", guest.dump.vmcore, "--buffer", name, "--last", "1").status == 0
