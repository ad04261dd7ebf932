# SPDX-License-Identifier: GPL-2.0-or-later
"""What follows a recorder: a log on disk, and commands that are run for notices."""

import json
from pathlib import Path

from dumps import Lab, Run
from guests import TOOLS, Guest
import pytest

CALLS = Path(__file__).parents[1] / "record" / "calls.py"
COUNT = 5000
SLOTS = (1 << 20) // 64

SCRIPT = r"""
calls() {
	python3 /lab/files/calls.py "$@"
}
ended() {
	kill -TERM $2
	wait $2
	echo $? >/out/$1.status
}
# logged NAME FOLDER [OPTION...]: start it, and wait until it has saved what the rings hold.
logged() {
	name=$1 folder=$2
	shift 2
	lkst log -o $folder "$@" >/out/$name.out 2>/out/$name.err &
	log=$!
	tries=60
	while ! ls $folder/*.lkst >/dev/null 2>&1 && [ $((tries -= 1)) -gt 0 ]; do sleep 1; done
}
lkst mask new mine
lkst mask set mine sys_enter=record mark=record signal=record --filter 'comm lab-calls'
lkst start --maskset mine --size 1M
calls 900000 1 comm=lab-calls

# More than a ring holds, a part of it at a time.
logged log /out/log --rotate 100K
for first in 0 5000 10000 15000; do
	calls $first 5000 cpu=1 comm=lab-calls
	sleep 3
done
ended log $log
logged kept /out/kept --rotate 1K --keep 2
for first in 20000 21000 22000 23000 24000; do
	calls $first 1000 cpu=1 comm=lab-calls
	sleep 6
done
ended kept $log
# Faster than it can be saved.
logged lost /out/lost
kill -STOP $log
calls 30000 20000 cpu=1 comm=lab-calls
kill -CONT $log
sleep 4
ended lost $log
mount -t tmpfs -o size=4m tmpfs /mnt
logged full /mnt --rotate 8M
head -c 4M /dev/zero >/mnt/fill 2>/dev/null
calls 60000 5000 cpu=1 comm=lab-calls
tries=30
while [ -e /proc/$log/fd/0 ] && [ $((tries -= 1)) -gt 0 ]; do sleep 1; done
ended full $log
mkdir /out/mnt
cp /mnt/*.lkst /out/mnt
try after-full lkst replay live --event sys_enter --last 1

lkst trigger add usr1 --when 'signal_generate.sig == SIGUSR1' --do notify --at-most 1000000/s
cat >/tmp/told.sh <<'END'
echo "$LKST_TRIGGER $LKST_EVENT" >>/out/executed
echo "$LKST_RECORD" >>/out/told
END
lkst watch --exec 'sh /tmp/told.sh' --count 3 >/out/watch.out 2>/out/watch.err &
watch=$!
sleep 6
for n in 1 2 3; do sh -c 'kill -USR1 $$'; done
wait $watch
echo $? >/out/watch.status
sleep 1
# Nobody listens: what finds no room is counted.
lkst trigger add many --when 'sys_enter.arg1 == 7777' --do notify --at-most 1000000/s
calls 200000 20000 cpu=1 comm=lab-calls
try unheard lkst status --format json
try missed timeout 120 lkst watch --json --count 1
"""


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Guest:
    words = ("--no-record", "--memory", "512", "--timeout", "900", "--file", str(CALLS))
    return Guest(lab("7", *words, script=TOOLS + SCRIPT))


def numbers(lkst: Run, source: Path) -> list[int]:
    """Give the numbers of the calls that were recorded, as they come, but for the very first."""
    result = lkst("replay", source, "--event", "sys_enter", "--format", "jsonl")
    assert result.status == 0, result.stderr
    fields = [json.loads(line)["fields"] for line in result.stdout.splitlines()]
    found = [int(f["arg0"], 0) for f in fields if f["arg1"] == hex(7777)]
    return [number for number in found if number < 900000]


def test_a_log_has_what_the_rings_no_longer_have(guest: Guest, lkst: Run) -> None:
    assert guest["log"].status == 0
    assert guest["log"].err.splitlines()[-1].endswith(" records logged, 0 slots lost")
    files = list((guest.dump.out / "log").iterdir())
    assert len(files) > 1
    assert not [path for path in files if ".new." in path.name]
    assert numbers(lkst, guest.dump.out / "log") == list(range(4 * COUNT))


def test_old_files_of_a_log_are_removed(guest: Guest, lkst: Run) -> None:
    assert guest["kept"].status == 0
    assert len(list((guest.dump.out / "kept").iterdir())) == 2
    found = numbers(lkst, guest.dump.out / "kept")
    assert found == list(range(found[0], 25000))
    assert found[0] >= 21000


def test_what_a_log_has_missed_is_counted(guest: Guest, lkst: Run) -> None:
    assert guest["lost"].status == 0
    said = guest["lost"].err.splitlines()
    lost = int(said[0].split()[0])
    assert "slots were overwritten before they were saved" in said[0]
    assert said[-1].endswith(f" {lost} slots lost")
    found = numbers(lkst, guest.dump.out / "lost")
    late = [number for number in found if number >= 30000]
    assert late == list(range(late[0], 50000))
    # One slot each.
    assert len(late) <= SLOTS
    assert lost >= 20000 - SLOTS
    listed = json.loads(lkst("list", guest.dump.out / "lost", "--format", "json").stdout)
    assert sum(cpu["unsaved"] for cpu in listed["cpus"]) == lost


def test_a_disk_that_is_full_ends_a_log_and_leaves_what_it_has(guest: Guest, lkst: Run) -> None:
    assert guest["full"].status == 1
    assert "No space left on device" in guest["full"].err
    found = numbers(lkst, guest.dump.out / "mnt")
    assert found and found[0] >= 30000
    assert guest["after-full"].status == 0


def test_a_command_is_run_for_each_notice(guest: Guest) -> None:
    assert guest["watch"].status == 0, guest["watch"].err
    assert (guest.dump.out / "executed").read_text() == "usr1 signal_generate\n" * 3
    told = [json.loads(line) for line in (guest.dump.out / "told").read_text().splitlines()]
    assert {record["fields"]["sig"] for record in told} == {"SIGUSR1"}
    assert len(guest["watch"].out.splitlines()) == 3


def test_notices_that_nobody_hears_are_counted(guest: Guest) -> None:
    status = json.loads(guest["unheard"].out)
    triggers = {trigger["name"]: trigger for trigger in status["triggers"]}
    # 256 KiB of notices of 80 bytes: 72, and a header.
    assert triggers["many"]["fired"] + triggers["many"]["held"] == 20000
    assert status["lost"]["unheard"] == triggers["many"]["fired"] - 256 * 1024 // 80
    assert f"{status['lost']['unheard']} notices were lost" in guest["missed"].err
