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
record_commands() {
	try "$1-status" lkst status
	try "$1-mask" lkst mask use default
	try "$1-trigger" lkst trigger add fatal --when 'signal_deliver.sig == SIGSEGV' --do notify
	try "$1-mark" lkst mark "of $1"
	try "$1-replay" lkst replay live --event mark --format jsonl
}
without=-sys_admin,-bpf,-perfmon
bare() {
	setpriv --bounding-set $without --inh-caps $without "$@"
}
lkst start
for who in user bare; do
	for what in status 'mask use default' 'probe add vfs_read' 'mark refused' \
		'trigger add fatal --when signal_deliver --do notify' 'replay live --last 1' stop; do
		try "$who-${what%% *}" $who /usr/local/bin/lkst $what
	done
done
lkst stop
sysctl -q kernel.kptr_restrict=2
# Large enough that a mark is still there when it is read.
try kptr lkst start --size 8M
record_commands kptr
try kptr-probe lkst probe add vfs_read
lkst stop
sysctl -q kernel.kptr_restrict=0
echo integrity >/sys/kernel/security/lockdown
try integrity lkst start --size 8M
record_commands integrity
lkst stop

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

try caps bare lkst start
echo confidentiality >/sys/kernel/security/lockdown
try lockdown lkst start
ls /sys/fs/bpf >/out/left
"""
)

COMMANDS = {"status", "mask", "probe", "mark", "trigger", "replay", "stop"}

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


@pytest.mark.parametrize("policy", ["kptr", "integrity"])
def test_what_a_policy_allows_works(starts: Guest, policy: str) -> None:
    for name in ("", "-status", "-mask", "-trigger", "-mark", "-replay"):
        assert starts[policy + name].status == 0, starts[policy + name].err
    assert starts[policy].err == ""
    assert starts["kptr-probe"].status == 0, starts["kptr-probe"].err
    (mark,) = starts.records(f"{policy}-replay")
    assert mark["fields"]["text"] == f"of {policy}"


def test_who_may_not_is_told_in_one_line(starts: Guest) -> None:
    refused = {f"user-{what}": "only root may" for what in COMMANDS}
    # What is pinned belongs to root, who needs no more to use it; to load takes more.
    refused["bare-probe"] = "this process lacks CAP_PERFMON and CAP_BPF"
    for name, words in refused.items():
        assert starts[name].status == 1
        assert words in starts[name].err
        assert len(starts[name].err.splitlines()) == 1
    for what in COMMANDS - {"probe"}:
        assert starts[f"bare-{what}"].status == 0, starts[f"bare-{what}"].err


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
