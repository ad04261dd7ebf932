# SPDX-License-Identifier: GPL-2.0-or-later
"""What recording costs, as it is told by event, and as a guest measures it."""

from dataclasses import replace
import json
from typing import Any

from dumps import Lab
from guests import SERVED, TOOLS, Guest
import pytest

from lkst.cli.cost_text import show_cost
from lkst.decode.catalogue import Catalogue
from lkst.record.cost import Cost, EventCost, Run, costs_of

ONE = Run(time=1000.0, calls=10.0, suppressed=1.0)

#: Programs as they are named: of one event, of many, of delays.
KNOWN = [
    "sched_switch",
    "console",
    "wakeup_delay__sched_wakeup",
    "wakeup_delay__sched_wakeup_new",
    "wakeup_delay__sched_switch",
    "follow__sched_process_fork",
]

SCRIPT = r"""
pins() {
	ls /sys/fs/bpf >"/out/$1.pins"
}
# End a measurement while it lasts. A shell's background commands ignore SIGINT.
ended() {
	python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execvp(sys.argv[1], sys.argv[1:])' lkst events --cost 60 --maskset block \
		>/out/$1.out 2>/out/$1.err &
	process=$!
	tries=300
	while ! [ -e "/sys/fs/bpf/lkst-$process" ] && [ "$((tries -= 1))" -gt 0 ]; do sleep 0.1; done
	sleep 0.5
	kill -$1 $process
	wait $process
	echo $? >/out/$1.status
	pins $1
}
cat >/tmp/load.py <<'END'
import os, subprocess, time
while True:
    for _ in range(50):
        os.getppid()
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    time.sleep(0.02)
END

for seconds in 0 nan 3601 banana; do try "cost-$seconds" lkst events --cost $seconds; done
try alone lkst events --maskset all
try both lkst events --cost 1 sched
try unknown lkst events --cost 1 --maskset sced
try user user lkst events --cost 1
try fresh lkst events --cost 1
pins fresh

python3 /tmp/load.py &
load=$!
lkst mask new followed --from syscall
lkst mask set followed --filter "pid $load children"
lkst start --maskset syscall
ls /sys/fs/bpf/lkst/links >/out/links-before
try running lkst events --cost 2 --format json
try all lkst events --cost 2 --maskset all --format json
try followed lkst events --cost 2 --maskset followed --format json
ls /sys/fs/bpf/lkst/links >/out/links-after
pins all
kill $load
try masksets lkst mask list
for signal in TERM INT KILL; do ended $signal; done
lkst stop
try again lkst start --maskset none
pins again
cat /proc/sys/kernel/bpf_stats_enabled >/out/stats
"""


def by_name(costs: list[EventCost]) -> dict[str, EventCost]:
    return {cost.name: cost for cost in costs}


def test_all_programs_of_a_delay_are_its_cost(catalogue: Catalogue) -> None:
    runs = {name: ONE for name in KNOWN if name.startswith("wakeup_delay")}
    (cost,) = costs_of(catalogue, KNOWN, runs, {"wakeup_delay": 7.0})
    assert (cost.name, cost.run) == ("wakeup_delay", Run(3000.0, 30.0, 3.0))
    assert cost.ns == 100.0
    assert cost.ring_bytes == 7 * 64


def test_a_program_of_several_events_is_told_of_once(catalogue: Catalogue) -> None:
    costs = by_name(costs_of(catalogue, KNOWN, {"console": ONE}, {"console": 9.0, "warn": 1.0}))
    assert costs["console"].run == ONE
    assert (costs["warn"].run, costs["warn"].counted_at) == (Run(), "console")
    assert sum(cost.run.calls for cost in costs.values()) == ONE.calls


def test_it_is_told_at_the_event_that_is_called_as_it_is(catalogue: Catalogue) -> None:
    for order in (list, reversed):
        events = dict(order(list(catalogue.events.items())))
        costs = costs_of(replace(catalogue, events=events), KNOWN, {"console": ONE}, {"warn": 1.0})
        assert by_name(costs)["console"].run == ONE


def test_programs_that_feed_no_event_cost_something_too(catalogue: Catalogue) -> None:
    runs = {"sched_switch": ONE, "follow__sched_process_fork": Run(5000.0, 1.0)}
    costs = costs_of(catalogue, KNOWN, runs, {})
    assert [cost.name for cost in costs] == ["follow__sched_process_fork", "sched_switch"]


def test_shown() -> None:
    events = [
        EventCost("console", Run(2e7, 1000.0, 2.0), 500.0),
        EventCost("warn", Run(), 1.0, "console"),
    ]
    cost = Cost(
        maskset="mine",
        seconds=2.0,
        events=events,
        silent=3,
        share=0.01,
        ring_bytes=32064.0,
        ring_size=1 << 20,
        shortest=float("inf"),
        mean=32.7,
    )
    text = show_cost(cost, "text")
    assert ["console", "1000", "20000", "2.000%", "32000", "2"] in [
        line.split() for line in text.splitlines()
    ]
    assert "see console" in text
    assert "1024 KiB 32.7 s, that of the busiest CPU forever" in text
    shown = json.loads(show_cost(cost, "json"))
    assert shown["lasts"] == {"shortest": None, "mean": 32.7}
    assert [event["ns"] for event in shown["events"]] == [20000.0, 0.0]
    assert [event["told_at"] for event in shown["events"]] == [None, "console"]
    assert "mine, measured" in show_cost(replace(cost, events=[], silent=0), "text")


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Guest:
    return Guest(
        lab(
            "6.1",
            "--no-record",
            "--memory",
            "512",
            "--timeout",
            "900",
            script=TOOLS + SERVED + SCRIPT,
        )
    )


def pins(guest: Guest, name: str) -> list[str]:
    return (guest.dump.out / f"{name}.pins").read_text().split()


def measured(guest: Guest, name: str) -> dict[str, Any]:
    assert guest[name].status == 0, guest[name].err
    answer: dict[str, Any] = json.loads(guest[name].out)
    return answer


@pytest.mark.parametrize("name", ["0", "nan", "3601", "banana"])
def test_times_that_are_none(guest: Guest, name: str) -> None:
    assert guest[f"cost-{name}"].status == 2
    assert name in guest[f"cost-{name}"].err


def test_refused(guest: Guest) -> None:
    assert (guest["alone"].status, guest["both"].status) == (2, 2)
    assert guest["unknown"].status == 1
    assert "did you mean sched" in guest["unknown"].err
    assert guest["user"].status == 1
    assert "only root" in guest["user"].err


def test_without_a_recorder_the_default_is_measured(guest: Guest) -> None:
    assert guest["fresh"].status == 0, guest["fresh"].err
    lines = [line.split() for line in guest["fresh"].out.splitlines()]
    assert ["maskset", "default,"] in [words[:2] for words in lines]
    assert "sched_switch" in [words[0] for words in lines if words]
    assert guest["fresh"].err == ""
    assert pins(guest, "fresh") == []


def test_the_recorder_that_runs(guest: Guest) -> None:
    cost = measured(guest, "running")
    assert cost["maskset"] == "syscall"
    enter = next(event for event in cost["events"] if event["event"] == "sys_enter")
    # Each call writes a record.
    assert enter["calls"] > 100
    assert 0.8 < enter["records"] / enter["calls"] < 1.25
    assert enter["ns"] > 0
    assert enter["share"] == pytest.approx(enter["ns"] * enter["calls"] / 1e9)
    total = sum(event["share"] for event in cost["events"])
    # Of two CPUs, both of which have records.
    assert cost["share"] == pytest.approx(total / 2)
    assert cost["ring_size"] == 1 << 20
    assert cost["lasts"]["mean"] == pytest.approx(2 * (1 << 20) / cost["ring_bytes"])
    assert cost["lasts"]["shortest"] <= cost["lasts"]["mean"]


def test_another_maskset_leaves_it_alone(guest: Guest) -> None:
    cost = measured(guest, "all")
    assert cost["maskset"] == "all"
    shares = [event["share"] for event in cost["events"]]
    assert shares == sorted(shares, reverse=True)
    assert {"sched_switch", "sys_enter", "page_fault_user"} <= {e["event"] for e in cost["events"]}
    links = [(guest.dump.out / f"links-{when}").read_text() for when in ("before", "after")]
    assert links[0] == links[1]
    assert "sched_switch" not in links[0]
    assert pins(guest, "all") == ["lkst"]
    active = [line.split() for line in guest["masksets"].out.splitlines() if "active" in line]
    assert [words[0] for words in active] == ["syscall"]


def test_what_follows_tasks_costs_something(guest: Guest) -> None:
    cost = measured(guest, "followed")
    follower = next(e for e in cost["events"] if e["event"] == "follow__sched_process_fork")
    assert follower["calls"] > 0


@pytest.mark.parametrize(("name", "status"), [("INT", 130), ("TERM", 143)])
def test_nothing_is_left_when_it_is_ended(guest: Guest, name: str, status: int) -> None:
    assert (guest[name].status, guest[name].out) == (status, "")
    assert pins(guest, name) == ["lkst"]


def test_what_is_left_when_it_is_killed_goes_with_the_next_start(guest: Guest) -> None:
    assert guest["KILL"].status == 137
    assert len(pins(guest, "KILL")) == 2
    assert guest["again"].status == 0
    assert pins(guest, "again") == ["lkst"]


def test_the_kernel_keeps_statistics_only_meanwhile(guest: Guest) -> None:
    assert (guest.dump.out / "stats").read_text() == "0\n"
