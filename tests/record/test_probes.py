# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes in guests of all kernels, against what the guest's programs know."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from dumps import KERNELS, Dump, Lab, Run
from guests import SERVED, TOOLS, Guest
import pytest

#: How often a probe is added and removed while system calls are recorded.
CHURN = 3

#: How often a probe with a limit is hit.
CALLS = 5000

SCRIPT = r"""
# module: lkst_crash
hits() {
	PYTHONPATH=/lab/project python3 /lab/files/hits.py "$@"
}
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
insmod /lab/files/lkst_crash.ko
ip link set lo up

# Kept since the last boot, where all of them did fit.
mkdir -p /etc/lkst/probes
kept() {
	cat >"/etc/lkst/probes/$1.probe"
}
kept returns <<'END'
target = "vfs_read"
fields = ["count", "ret", "comm=task->comm"]
return = true
END
kept opens <<'END'
target = "do_sys_openat2"
fields = ["filename:ustr", "dfd", "ret"]
return = true
if = "ret < 0"
END
kept connects <<'END'
target = "tcp_v4_connect"
fields = ["port=((struct sockaddr_in *)uaddr)->sin_port:be16",
	"addr=((struct sockaddr_in *)uaddr)->sin_addr.s_addr:ipv4",
	"sport=container_of(sk, struct inet_sock, sk)->inet_sport",
	"reuse=sk->__sk_common.skc_reuse", "sk->__sk_common.skc_family:af", "ret"]
return = true
END
kept disk <<'END'
target = "blk_mq_end_request"
fields = ["bytes=rq->__data_len", "sector=rq->__sector", "rq->state"]
stack = true
END
kept done <<'END'
target = "virtio_blk:virtblk_done"
fields = ["name=vq->name:str16", "vq->index"]
END
kept way <<'END'
target = "lkst_crash:choose_way"
fields = ["size=arg2:u64", "ret:s64"]
return = true
END
kept entry <<'END'
target = "lkst_crash:choose_way+0"
fields = ["%dx", "task->tgid"]
END
kept switches <<'END'
target = "tracepoint:sched_switch"
fields = ["prev->pid", "next->comm", "preempt"]
if = 'pid > 0 and comm != "hits"'
END
kept broken <<'END'
target = "there_is_no_such_function"
END
try start lkst start --size 1M --maskset default
rm /etc/lkst/probes/broken.probe
# What others did before has gone elsewhere.
try reads lkst probe add reads vfs_read count 'ino=file->f_inode->i_ino' '*pos' \
	'first=file->f_path.dentry->d_name.name[0]:u8' \
	'file->f_path.dentry->d_name.name:str'
try pointers lkst probe add pointers sysfs_create_groups '*groups:x64'
try list lkst probe list --format json
try list-csv lkst probe list --format csv
lkst mask new mine --from sched
try set lkst mask set mine sys_enter=record reads=off 'returns=hist(count)' opens=record
try trigger lkst trigger add short --when 'returns.ret == 700' --do notify
lkst buffer new truths --size 8M
lkst buffer use truths
cp -r /etc/lkst/probes /out/kept

hits truth /out/truth.json
lkst mask use irq
hits truth /out/other.json
lkst mask use mine
hits truth /out/mine.json
try fired lkst trigger status
try held lkst probe remove returns
lkst trigger remove short
try flood lkst probe add flood __x64_sys_getppid 'task->pid' --limit 1
hits calls CALLS 1
try flooded lkst probe list --format json
try removed lkst probe remove flood switches
hits churn CHURN /out/churn.json
# What comes later does not overwrite that.
lkst buffer use main
several=$(awk '$2 == "t" && NF == 3 && $3 !~ /[.]/ {print $3}' /proc/kallsyms |
	sort | uniq -d | head -n 1)
while :; do read -r _ </proc/uptime; done &
reading=$!
try listed lkst probe list
try cost lkst events --cost 1 --format json
kill $reading
try status lkst status
try show lkst probe show vfs_read
try absent lkst probe add vfs_raed count
try unknown lkst probe add vfs_read 'file->f_pth'
try blacklisted lkst probe add get_kprobe
try notrace lkst probe add ktime_get_mono_fast_ns
try ambiguous lkst probe add $several
try wide lkst probe add vfs_write 'a=buf' 'b=buf' 'c=buf' 'd=buf' 'e=buf' 'f=buf'
try name lkst probe add sched_switch
try user user lkst probe add vfs_write
""".replace("CHURN", str(CHURN)).replace("CALLS", str(CALLS))


@pytest.fixture(scope="module", params=KERNELS)
def guest(request: pytest.FixtureRequest, lab: Lab) -> Guest:
    hits = Path(__file__).parent / "hits.py"
    words = ("--no-record", "--timeout", "900", "--file", str(hits))
    return Guest(lab(request.param, *words, script=TOOLS + SERVED + SCRIPT))


@pytest.fixture(scope="module")
def records(guest: Guest, lkst: Run) -> list[dict[str, Any]]:
    """Give what the dump has of probes and the calls that were counted."""
    result = lkst("replay", guest.dump.vmcore, "--event", "probe,sys_enter", "--format", "jsonl")
    assert result.status == 0, result.stderr[-1000:]
    return [json.loads(line) for line in result.stdout.splitlines()]


def truth(dump: Dump, name: str = "truth") -> dict[str, Any]:
    told: dict[str, Any] = json.loads((dump.out / f"{name}.json").read_text())
    return told


def seen(records: list[dict[str, Any]], event: str, pid: int) -> list[dict[str, Any]]:
    return [r["fields"] for r in records if r["event"] == event and r["pid"] == pid]


def test_the_fastest_way_is_taken(guest: Guest) -> None:
    assert guest["reads"].out.startswith("reads: fentry vfs_read, added in ")
    listed = {one["probe"]: one["mechanism"] for one in json.loads(guest["list"].out)}
    rows = list(csv.DictReader(io.StringIO(guest["list-csv"].out)))
    assert {row["probe"]: row["mechanism"] for row in rows} == listed
    assert listed == {
        "reads": "fentry",
        "returns": "fexit",
        "opens": "fexit",
        "connects": "fexit",
        "disk": "fentry",
        "done": "fentry",
        # The module was built without BTF.
        "way": "kretprobe",
        "entry": "kprobe",
        "switches": "tracepoint",
        # Of an argument that points to pointers the verifier wants to know nothing.
        "pointers": "fentry",
    }


@pytest.mark.parametrize("run", ["truth", "other"])
def test_reads_are_what_the_program_has_read(
    guest: Guest, records: list[dict[str, Any]], run: str
) -> None:
    told = truth(guest.dump, run)
    own = [r for r in seen(records, "reads", told["pid"]) if r["name"] == told["file"]]
    assert [(r["count"], r["pos"]) for r in own] == [(c, p) for c, p, _ in told["reads"]]
    assert {(r["ino"], r["first"]) for r in own} == {(told["ino"], ord(told["file"][0]))}


def test_returns_have_what_was_returned_and_how_long_it_took(
    guest: Guest, records: list[dict[str, Any]]
) -> None:
    told = truth(guest.dump)
    own = seen(records, "returns", told["pid"])
    results = [(r["count"], r["ret"]) for r in own if r["comm"] == "hits"]
    wanted = [(count, size) for count, _, size in told["reads"]]
    assert results[-len(wanted) :] == wanted
    assert all(0 < r["duration"] < 600 * 10**9 for r in own)


def test_a_condition_is_checked(guest: Guest, records: list[dict[str, Any]]) -> None:
    told = truth(guest.dump)
    opened = seen(records, "opens", told["pid"])
    assert {"filename": told["missing"], "ret": "-ENOENT"}.items() <= opened[-1].items()
    assert all(str(r["fields"]["ret"]).startswith("-") for r in records if r["event"] == "opens")
    switches = [r["fields"] for r in records if r["event"] == "switches"]
    assert switches
    assert all(r["pid"] > 0 and r["comm"] != "hits" for r in switches)


def test_ports_addresses_and_bitfields(guest: Guest, records: list[dict[str, Any]]) -> None:
    told = truth(guest.dump)
    (own,) = seen(records, "connects", told["pid"])
    del own["duration"]
    assert own == told["connect"] | {
        "addr": "127.0.0.1",
        "reuse": 1,
        "skc_family": "INET",
        "ret": 0,
    }


def test_functions_of_modules(guest: Guest, records: list[dict[str, Any]]) -> None:
    told = truth(guest.dump)
    # They are completed by whom the interrupt interrupts.
    disk = [r["fields"] for r in records if r["event"] == "disk"]
    wanted = told["disk"] | {"state": "MQ_RQ_COMPLETE"}
    assert any(wanted.items() <= r.items() for r in disk), f"{len(disk)} other requests"
    done = [r["fields"] for r in records if r["event"] == "done"]
    assert done
    assert all(r["name"] == f"req.{r['index']}" for r in done)
    (way,) = seen(records, "way", told["pid"])
    assert (way["size"], way["ret"]) == (len("nothing"), -told["way"])
    (entry,) = seen(records, "entry", told["pid"])
    assert entry == {"dx": hex(len("nothing")), "tgid": told["pid"]}


def test_a_stack_is_recorded_where_it_is_wanted(
    guest: Guest, records: list[dict[str, Any]]
) -> None:
    stacks = [r.get("stack") for r in records if r["event"] == "disk"]
    assert stacks
    assert all(stacks)


def test_masksets_say_what_becomes_of_probes(
    guest: Guest, records: list[dict[str, Any]], lkst: Run
) -> None:
    assert guest["set"].status == 0, guest["set"].err
    told = truth(guest.dump, "mine")
    assert not seen(records, "reads", told["pid"])
    # What fires a trigger is recorded in any case.
    assert {r["ret"] for r in seen(records, "returns", told["pid"])} == {700}
    assert seen(records, "opens", told["pid"])
    counts = json.loads(lkst("counts", guest.dump.vmcore, "--format", "json").stdout)
    counted = {entry["event"]: entry for entry in counts["histograms"]}
    assert counted["returns"]["field"] == "count"


def test_a_trigger_waits_for_a_probe(guest: Guest) -> None:
    (line,) = (row.split() for row in guest["fired"].out.splitlines()[1:])
    assert line[0] == "short"
    assert int(line[1]) >= 1
    assert guest["held"].status != 0
    assert "a trigger uses returns" in guest["held"].err


def test_they_come_back_and_one_that_does_not_fit_is_skipped(guest: Guest) -> None:
    assert guest["start"].status == 0
    assert "probe broken: no function or tracepoint is called" in guest["start"].err
    listed = {one["probe"]: one for one in json.loads(guest["list"].out)}
    assert set(listed) == {path.stem for path in (guest.dump.out / "kept").iterdir()}
    assert {one["state"] for one in listed.values()} == {"attached"}


def test_what_the_limit_holds_back_is_counted(guest: Guest) -> None:
    listed = {one["probe"]: one for one in json.loads(guest["flooded"].out)}
    flood = listed["flood"]
    assert flood["records"] + flood["held"] + flood["suppressed"] >= CALLS


def test_adding_and_removing_leaks_and_loses_nothing(
    guest: Guest, records: list[dict[str, Any]]
) -> None:
    churned = truth(guest.dump, "churn")
    assert churned["after"] == churned["before"]
    assert len(churned["pids"]) == 2
    assert not churned["failed"]
    for pid in churned["pids"]:
        own = [r for r in seen(records, "sys_enter", pid) if r["arg1"] == hex(7777)]
        numbers = [int(r["arg0"], 0) for r in own]
        assert len(numbers) == churned["calls"]
        assert numbers == list(range(churned["calls"])), "some calls were lost"


def test_records_of_removed_probes_can_still_be_read(records: list[dict[str, Any]]) -> None:
    assert any(r["event"] == "flood" for r in records)
    assert not [r for r in records if r.get("flags") == ["torn"]]


def test_refusals_say_why(guest: Guest) -> None:
    wanted = {
        "absent": "no function or tracepoint is called 'vfs_raed': did you mean vfs_read",
        "unknown": "struct file has no member 'f_pth': did you mean f_path",
        "blacklisted": "get_kprobe is on the kernel's kprobe blacklist",
        "notrace": "ktime_get_mono_fast_ns is notrace",
        "ambiguous": "is ambiguous: there are",
        "wide": "the fields take 48 bytes, a record has 40",
        "name": "sched_switch is already an event",
        "user": "only root",
    }
    for name, text in wanted.items():
        assert guest[name].status != 0, name
        assert text in guest[name].err, guest[name].err
        assert len(guest[name].err.splitlines()) == 1, guest[name].err


def test_cost_of_a_hit_is_measured(guest: Guest) -> None:
    costs = {entry["event"]: entry for entry in json.loads(guest["cost"].out)["events"]}
    assert costs["returns"]["by"] == "fexit"
    assert costs["returns"]["ns"] > 0


def test_status_and_show(guest: Guest) -> None:
    assert guest["status"].status == 0, guest["status"].err
    listed = [line.split() for line in guest["listed"].out.splitlines()]
    assert {row[0]: row[1] for row in listed[1:]}["entry"] == "kprobe"
    # What a hit takes is measured meanwhile.
    assert {row[0]: row[7] for row in listed[1:]}["returns"].isdecimal()
    assert "ssize_t vfs_read(struct file *file, char *buf, size_t count, loff_t *pos)" in (
        guest["show"].out
    )


def test_other_formats_and_saved_traces(guest: Guest, lkst: Run, tmp_path: Path) -> None:
    told = truth(guest.dump)
    where = ("--event", "reads", "--pid", told["pid"])
    saved = tmp_path / "probes.lkst"
    result = lkst("save", guest.dump.vmcore, "-o", saved, "--event", "probe")
    assert result.status == 0, result.stderr
    text = lkst("replay", saved, *where)
    assert f'pos=1000 first=108 name="{told["file"]}"' in text.stdout
    rows = list(
        csv.DictReader(io.StringIO(lkst("replay", saved, *where, "--format", "csv").stdout))
    )
    assert any(told["file"] in str(row) for row in rows)
    state = lkst("replay", saved, "--event", "disk")
    assert "state=MQ_RQ_COMPLETE" in state.stdout
