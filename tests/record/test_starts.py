# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting a recorder where something is in the way."""

import json

from dumps import Lab, run_lkst
from guests import SERVED, TOOLS, Guest
import pytest

STARTS = (
    TOOLS
    + r"""
mount -t securityfs securityfs /sys/kernel/security
try first lkst start & one=$!
try second lkst start
wait $one
try both lkst status
lkst stop

umount /sys/fs/bpf
try unmounted lkst start
findmnt /sys/fs/bpf >/out/mounted
lkst stop

unshare -m sh -c '
	mount -t bpf bpf /sys/fs/bpf && lkst start && touch /tmp/up
	while [ ! -e /tmp/down ]; do sleep 0.1; done
	lkst stop' & private=$!
while [ ! -e /tmp/up ]; do
	sleep 0.1
done
try hidden-status lkst status
try hidden-start lkst start
touch /tmp/down
wait $private

without=-sys_admin,-bpf,-perfmon
try caps setpriv --bounding-set $without --inh-caps $without lkst start
echo confidentiality >/sys/kernel/security/lockdown
try lockdown lkst start
ls /sys/fs/bpf >/out/left
"""
)

RT = (
    TOOLS
    + SERVED
    + r"""
try status lkst status --format json
try timed lkst trigger add timed --when 'signal_generate.sig == SIGUSR1' --do 'mask=all for 5s'
try plain lkst trigger add plain --when 'signal_generate.sig == SIGUSR1' --do notify
try heartbeat lkst heartbeat
try all lkst mask use all
try all-status lkst status --format json
lkst mask use default
lkst mark done
try replay lkst replay live --event mark --format jsonl
"""
)


@pytest.fixture(scope="module")
def starts(lab: Lab) -> Guest:
    return Guest(lab("6.12", "--no-record", "--timeout", "900", script=STARTS))


def test_of_two_starts_at_once_one_wins_and_the_other_says_so(starts: Guest) -> None:
    won, lost = sorted((starts["first"], starts["second"]), key=lambda said: said.status)
    assert (won.status, lost.status) == (0, 1)
    assert "recording" in won.out
    assert (
        lost.err
        == "lkst: a recorder is already running: see 'lkst status', or stop it with 'lkst stop'\n"
    )
    assert starts["both"].status == 0


def test_a_bpf_file_system_is_mounted(starts: Guest) -> None:
    assert starts["unmounted"].status == 0, starts["unmounted"].err
    assert "bpf" in (starts.dump.out / "mounted").read_text()


def test_a_recorder_of_another_mount_namespace_is_told_of(starts: Guest) -> None:
    for name in ("hidden-status", "hidden-start"):
        assert starts[name].status == 1
        assert "another mount namespace" in starts[name].err
        assert len(starts[name].err.splitlines()) == 1


def test_a_refusal_names_the_policy_in_one_line(starts: Guest) -> None:
    for name, words in (("caps", "lacks CAP_"), ("lockdown", "confidentiality mode")):
        assert starts[name].status == 1
        assert words in starts[name].err
        assert len(starts[name].err.splitlines()) == 1
    assert (starts.dump.out / "left").read_text() == ""


@pytest.fixture(scope="module")
def rt(lab: Lab) -> Guest:
    return Guest(lab("6.12-rt", "--memory", "512", "--timeout", "900", script=RT))


def test_a_kernel_without_timers_costs_what_needs_timers(rt: Guest) -> None:
    assert rt["status"].status == 0, rt["status"].err
    for name in ("status", "all-status"):
        missing = json.loads(rt[name].out)["missing"]
        assert "PREEMPT_RT" in missing.pop("timers")
        # Each is a hook that this kernel lacks, and none was refused by it.
        assert all(why.startswith("this kernel has no ") for why in missing.values()), missing
    for name in ("timed", "heartbeat"):
        assert rt[name].status == 1
        assert "has no BPF timers" in rt[name].err
    assert rt["plain"].status == 0
    assert rt["all"].status == 0


def test_it_records_all_the_same(rt: Guest) -> None:
    (mark,) = rt.records("replay")
    assert mark["fields"] == {"text": "done"}


def test_its_dump_replays(rt: Guest) -> None:
    result = run_lkst("state", rt.dump.vmcore)
    assert result.status == 0, result.stderr
    assert "panic      sysrq triggered crash" in result.stdout
