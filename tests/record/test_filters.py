# SPDX-License-Identifier: GPL-2.0-or-later
"""What passes filters, conditions and handlers in the kernel, and what a frozen ring keeps."""

import json
from pathlib import Path
from typing import Any

from dumps import Lab, Run
from guests import SERVED, TOOLS, Guest
import pytest

CALLS = Path(__file__).with_name("calls.py")

SCRIPT = r"""
calls() {
	python3 /lab/files/calls.py "$@"
}
filter() {
	lkst mask set mine --no-filter --filter "$@"
}
# One that waits until it is followed: followed FIRST FILTER-WORDS
followed() {
	mkfifo /tmp/go
	python3 /lab/files/calls.py "$1" 3 wait children </tmp/go >/tmp/pid &
	exec 3>/tmp/go
	while ! [ -s /tmp/pid ]; do sleep 0.1; done
	filter "pid $(cat /tmp/pid) $2"
	echo >&3
	exec 3>&-
	wait
	rm /tmp/go /tmp/pid
}

try start lkst start --maskset none
lkst mask new mine
lkst mask set mine sys_enter=record
lkst mask use mine

filter 'cpu 1'
calls 1000 3 cpu=0
calls 1100 3 cpu=1
filter 'comm lab-one,lab-t*'
calls 2000 3 comm=lab-one
calls 2100 3 comm=lab-two
calls 2200 3 comm=lab-three-and-15
calls 2300 3 comm=lab-one-more
calls 2400 3 comm=lab-
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
mkdir -p /sys/fs/cgroup/a/b /sys/fs/cgroup/c
filter 'cgroup /a'
calls 3000 3 cgroup=a/b
calls 3100 3 cgroup=a
calls 3200 3 cgroup=c
calls 3300 3
followed 4000 children
calls 4300 3
followed 5000
filter 'cpu 1' --filter 'comm lab-one'
calls 6000 3 comm=lab-one cpu=1
calls 6100 3 comm=lab-one cpu=0
calls 6200 3 comm=lab-two cpu=1
try no-cgroup lkst mask set mine --filter 'cgroup /d'
try no-process lkst mask set mine --filter 'pid 4194303'
try filtered lkst replay live --event sys_enter --format jsonl

# All operators, on fields with and without sign; nothing of it is recorded.
lkst mask use none
at() {
	lkst trigger add "$1" --when "$2" --do notify --at-most 1000000/s || echo "$1" >>/out/refused
}
at lt 'sys_enter.arg1 == 7777 and sys_enter.arg0 < 7003'
at le 'sys_enter.arg1 == 7777 and sys_enter.arg0 <= 7003'
at gt 'sys_enter.arg1 == 7777 and sys_enter.arg0 > 7003'
at ge 'sys_enter.arg1 == 7777 and sys_enter.arg0 >= 7003'
at eq 'sys_enter.arg1 == 7777 and sys_enter.arg0 == 7003'
at ne 'sys_enter.arg1 == 7777 and sys_enter.arg0 != 7003'
at or 'sys_enter.arg1 == 7777 and (sys_enter.arg0 == 7001 or sys_enter.arg0 == 7002)'
at not 'sys_enter.arg1 == 7777 and not (sys_enter.arg0 == 7001 or sys_enter.arg0 == 7002)'
at below 'sys_exit.nr == 252 and sys_exit.ret < 0'
at least 'sys_exit.nr == 252 and sys_exit.ret >= -22'
at above 'sys_exit.nr == 252 and sys_exit.ret > -22'
at named 'task_rename.newcomm == "lab-seven"'
at other 'task_rename.newcomm != "lab-seven" and task_rename.oldcomm == "lab-six"'
calls 7000 10
# ioprio_get() of something that there is not, -EINVAL, and of itself.
python3 -c 'import ctypes
libc = ctypes.CDLL(None)
for which in (77, 77, 77, 1): libc.syscall(252, which, 0)
for name in b"lab-six", b"lab-seven", b"lab-six", b"lab-eight": libc.prctl(15, name)
'
try fired lkst trigger status
for name in lt le gt ge eq ne or not below least above named other; do
	lkst trigger remove $name
done
try removed lkst trigger list

# A histogram, of some large numbers only.
lkst mask set mine 'sys_enter=hist(arg0)' --no-filter --filter 'comm lab-hist'
lkst mask use mine
calls 1099511627776 5 comm=lab-hist
calls 2199023255549 3 comm=lab-hist
calls 2199023255552 2 comm=lab-hist
try hist lkst counts live --format json

# A ring that freezes.
lkst mask set mine sys_enter=record --no-filter --filter 'comm lab-frozen'
lkst trigger add stop --when 'sys_enter.arg1 == 7777 and sys_enter.arg0 == 8010' \
	--do 'freeze after 50'
calls 8000 200 comm=lab-frozen cpu=1
lkst trigger remove stop
lkst buffer freeze
lkst buffer thaw
calls 9000 3 comm=lab-frozen cpu=1
try frozen lkst replay live --event sys_enter --format jsonl

# Masksets as text; a disk that is full; two that steer at once.
try export lkst mask export -o /out/exported
cp /out/exported /tmp/changed
echo 'no_such_event record' >>/tmp/changed
try import-wrong lkst mask import /tmp/changed
lkst mask use none
lkst mask delete mine
try import lkst mask import /out/exported
try imported lkst mask export
EDITOR='sed -i s/^sys_exit.*/sys_exit\ count/' try edit lkst mask edit mine
EDITOR='sed -i s/^sys_exit.*/sys_exit\ cuont/' try edit-wrong lkst mask edit mine </dev/null
try edited lkst mask show mine
mount -t tmpfs -o size=4k tmpfs /etc/lkst/masksets
head -c 4096 /dev/zero >/etc/lkst/masksets/fill 2>/dev/null
try full lkst mask new more --from all
umount /etc/lkst/masksets
try not-full lkst mask list
lkst mask use mine & lkst mask set mine sys_exit=off & lkst mark at the same time &
wait
try after lkst status
"""


@pytest.fixture(scope="module", params=["6.12"])
def guest(request: pytest.FixtureRequest, lab: Lab) -> Guest:
    words = ("--no-record", "--timeout", "900", "--file", str(CALLS))
    guest = Guest(lab(request.param, *words, script=TOOLS + SERVED + SCRIPT))
    assert guest["start"].status == 0, guest["start"].err
    return guest


def calls(guest: Guest, name: str) -> list[int]:
    """Give the numbers of the calls that were recorded."""
    return numbers(guest.records(name))


def numbers(records: list[dict[str, Any]]) -> list[int]:
    fields = [record["fields"] for record in records]
    return [int(f["arg0"], 0) for f in fields if f["arg1"] == hex(7777)]


@pytest.mark.parametrize(
    ("first", "passed"),
    [
        pytest.param(1000, [1100], id="cpu"),
        pytest.param(2000, [2000, 2100, 2200], id="comm"),
        pytest.param(3000, [3000, 3100], id="cgroup"),
        pytest.param(4000, [4000, 4100, 4200], id="pid-with-children"),
        pytest.param(5000, [5000], id="pid"),
        pytest.param(6000, [6000], id="cpu-and-comm"),
    ],
)
def test_what_passes_a_filter(guest: Guest, first: int, passed: list[int]) -> None:
    found = [number for number in calls(guest, "filtered") if first <= number < first + 1000]
    assert sorted(found) == [number for call in passed for number in range(call, call + 3)]


def test_filters_that_are_refused(guest: Guest) -> None:
    assert (guest["no-cgroup"].status, guest["no-process"].status) == (1, 1)
    assert "there is no cgroup /d" in guest["no-cgroup"].err
    assert "there is no process 4194303" in guest["no-process"].err


def test_operators(guest: Guest) -> None:
    assert not (guest.dump.out / "refused").exists()
    # The second number is of those that came too soon after the last one.
    rows = [line.split() for line in guest["fired"].out.splitlines()[1:]]
    held = {row[0]: int(row[1]) + int(row[2]) for row in rows}
    assert held == {
        "lt": 3,
        "le": 4,
        "gt": 6,
        "ge": 7,
        "eq": 1,
        "ne": 9,
        "or": 2,
        "not": 8,
        "below": 3,
        "least": 4,
        "above": 1,
        "named": 1,
        "other": 1,
    }
    assert len(guest["removed"].out.splitlines()) == 1


def test_histogram(guest: Guest) -> None:
    (hist,) = json.loads(guest["hist"].out)["histograms"]
    large = {b["low"]: b["count"] for b in hist["buckets"] if b["low"] in (1 << 40, 1 << 41)}
    assert large == {1 << 40: 8, 1 << 41: 2}


def test_a_frozen_ring_keeps_what_led_there_and_takes_no_more_than_it_was_told(
    guest: Guest,
) -> None:
    found = [number for number in calls(guest, "frozen") if number >= 8000]
    assert found == [*range(8000, 8010 + 50 + 1), 9000, 9001, 9002]


def test_masksets_as_text(guest: Guest) -> None:
    assert guest["import-wrong"].status == 2
    assert "no_such_event" in guest["import-wrong"].err
    assert guest["import"].status == 0, guest["import"].err
    assert guest["imported"].out == (guest.dump.out / "exported").read_text()
    assert guest["edit"].status == 0, guest["edit"].err
    assert guest["edit-wrong"].status == 2
    assert "count" in guest["edit-wrong"].err
    handlers = [line.split() for line in guest["edited"].out.splitlines()]
    assert ["sys_exit", "count"] in handlers
    assert ["sys_enter", "record"] in handlers


def test_a_disk_that_is_full(guest: Guest) -> None:
    assert guest["full"].status == 1
    assert "No space left on device" in guest["full"].err
    names = [line.split()[0] for line in guest["not-full"].out.splitlines()]
    assert "mine" in names
    assert "more" not in names


def test_commands_that_steer_at_once(guest: Guest) -> None:
    assert guest["after"].status == 0, guest["after"].err
    states = {line.split()[0]: line for line in guest["after"].out.splitlines() if line}
    assert "maskset mine" in guest["after"].out
    assert "attached" in states["sys_enter"]
    assert "unused" in states["sys_exit"]


def test_a_dump_has_what_was_recorded_live(guest: Guest, lkst: Run) -> None:
    result = lkst("replay", guest.dump.vmcore, "--event", "sys_enter", "--format", "jsonl")
    assert result.status == 0
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert numbers(records) == calls(guest, "frozen")
