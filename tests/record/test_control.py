# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting, showing and stopping the recorder, as root does it in a guest."""

from dumps import Lab, Run
from guests import TOOLS, Guest
import pytest

REFUSED = r"""
try status-none lkst status
try live-none lkst list live
try stop-none lkst stop
try user-start user lkst start
try size-word lkst start --size banana
try size-huge lkst start --size 1G
try size-small lkst start --size 100

lib=$(readlink -f /usr/lib/x86_64-linux-gnu/libbpf.so.1)
mv "$lib" "$lib.away"
try no-libbpf lkst start
mv "$lib.away" "$lib"

mount -t tmpfs tmpfs /sys/kernel/btf
try no-btf lkst start
umount /sys/kernel/btf

mkdir -p /sys/fs/bpf/lkst-4194303/links
try first-start lkst start --size 100K --maskset none
ls /sys/fs/bpf >/out/first-pins
try again lkst start
try user-status user lkst status
try first-stop lkst stop
try stopped lkst status
"""

RUNNING = r"""
mark() {
	# Each time anew: starting Python fills a ring with page faults.
	echo "lab: a marked line" >/dev/kmsg
	try "$@"
}
try start lkst start --size 5M
mark live lkst replay live --format jsonl --event console,sys_enter --last 20000
mark save lkst save live -o /out/live.lkst --event console
mark kcore lkst replay kcore --format jsonl --event console,sys_enter --last 20000
mark drgn python3 -m drgn -k /lab/project/drgn_plugins/lkst_replay.py --event console
try status lkst status
try events lkst events live PROCESS_CONTEXTSWITCH
ls -ld /sys/fs/bpf/lkst >/out/pins
try stop lkst stop
ls /sys/fs/bpf >/out/left
try second lkst start
"""


#: One of the guests first does what is refused.
SCRIPTS = {"6.1": TOOLS + REFUSED + RUNNING, "7": TOOLS + RUNNING}


def run(lab: Lab, kernel: str) -> Guest:
    return Guest(lab(kernel, "--no-record", "--timeout", "600", script=SCRIPTS[kernel]))


@pytest.fixture(scope="module", params=["6.1"])
def refused(request: pytest.FixtureRequest, lab: Lab) -> Guest:
    return run(lab, request.param)


@pytest.fixture(scope="module", params=SCRIPTS)
def guest(request: pytest.FixtureRequest, lab: Lab) -> Guest:
    return run(lab, request.param)


@pytest.mark.parametrize(
    ("name", "status", "text"),
    [
        ("status-none", 1, "no recorder is running"),
        ("live-none", 1, "no recorder is running"),
        ("stop-none", 1, "no recorder is running"),
        ("user-start", 1, "only root"),
        ("user-status", 1, "only root"),
        ("size-word", 2, "'banana' is not a size"),
        ("size-huge", 2, "more than 1/8 of this machine's"),
        ("size-small", 2, "at least 4 KiB"),
        ("no-libbpf", 1, "install libbpf1"),
        ("no-btf", 1, "CONFIG_DEBUG_INFO_BTF"),
        ("again", 1, "already running"),
        ("stopped", 1, "no recorder is running"),
    ],
)
def test_refused(refused: Guest, name: str, status: int, text: str) -> None:
    said = refused[name]
    assert (said.status, said.out) == (status, "")
    assert text in said.err


def test_leftovers_of_a_start_that_was_killed_are_removed(refused: Guest) -> None:
    assert refused["first-start"].status == 0
    pins = (refused.dump.out / "first-pins").read_text().split()
    assert [pin for pin in pins if pin.startswith("lkst")] == ["lkst"]


def test_started(guest: Guest) -> None:
    said = guest["start"]
    assert said.status == 0
    # Rounded up to a power of two.
    assert "2 rings of 8192 KiB: 16384 KiB in all" in said.out
    # Not one event lacks on this kernel.
    assert said.err == ""


def test_status(guest: Guest) -> None:
    said = guest["status"]
    assert said.status == 0
    assert "maskset default" in said.out
    state = {
        line.split()[0]: line.split()[2] for line in said.out.splitlines() if " sched " in line
    }
    assert state["sched_switch"] == "attached"


def test_pins_are_for_root(guest: Guest) -> None:
    assert (guest.dump.out / "pins").read_text().startswith("drwx------")
    assert (guest.dump.out / "left").read_text() == ""


@pytest.mark.parametrize("source", ["live", "kcore"])
def test_live(guest: Guest, source: str) -> None:
    assert guest[source].status == 0, guest[source].err
    records = guest.records(source)
    assert "lab: a marked line" in [r["fields"].get("text") for r in records]
    calls = {r["fields"]["nr"] for r in records if r["event"] == "sys_enter"}
    assert "openat" in calls
    times = [r["ts"] for r in records]
    assert times == sorted(times)


def test_live_in_drgn(guest: Guest) -> None:
    assert guest["drgn"].status == 0, guest["drgn"].err
    assert "lab: a marked line" in guest["drgn"].out


def test_saved_live(guest: Guest, lkst: Run) -> None:
    assert guest["save"].status == 0
    result = lkst("replay", guest.dump.out / "live.lkst", "--format", "jsonl")
    assert result.status == 0
    assert "lab: a marked line" in result.stdout


def test_events_by_old_name(guest: Guest) -> None:
    said = guest["events"]
    assert said.status == 0
    assert "sched_switch" in said.out
    assert "sched_wakeup" not in said.out


def test_started_anew_it_is_found_in_the_dump(guest: Guest, lkst: Run) -> None:
    assert guest["second"].status == 0
    result = lkst("list", guest.dump.vmcore)
    assert result.status == 0
    assert "maskset default" in result.stdout
    assert "2 rings of 1 MiB" in result.stdout
