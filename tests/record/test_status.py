# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the recorder is what it should be, and what takes its place if not."""

import csv
import io
import json
from typing import Any

from dumps import Lab, Run
from guests import SERVED, TOOLS, Guest
import pytest

SCRIPT = r"""
pins=/sys/fs/bpf/lkst
# The program, in another version.
other() {
	python3 -c 'import sys, lkst
lkst.__version__ = "9.9.9"
from lkst.cli.main import main
sys.path.insert(0, "/lab/project")
main()' "$@"
}
export PYTHONPATH=/lab/project

mkdir -p /etc/lkst
cat >/tmp/my.toml <<'END'
maskset = "default"
size = "256K"
save_old = "/out/old"
[[buffer]]
name = "aside"
size = "64K"
[[trigger]]
name = "usr1"
when = "signal_generate.sig == SIGUSR1"
do = "mask=signal for 300s"
at_most = "1/h"
END
try missing lkst start --config /tmp/your.toml
try start lkst start --config /tmp/my.toml
try good lkst status --format json
try good-csv lkst status --format csv
try good-jsonl lkst status --format jsonl
try good-parquet lkst status --format parquet
sh -c 'kill -USR1 $$'
sh -c 'kill -USR1 $$'
try switched lkst status --format json
try text lkst status
echo 'maskset = "default"' >/etc/lkst/lkst.toml
try as-configured lkst status
lkst mask use none
try not-configured lkst status
echo 'maskset = 7' >/etc/lkst/lkst.toml
try ill-configured lkst status
rm /etc/lkst/lkst.toml
lkst mask new mine --from default
lkst mask set mine wakeup_delay=record
lkst mask use mine

try version other status
chmod 755 $pins
try mode lkst status
chmod 700 $pins
try healed lkst status
rm $pins/links/wakeup_delay__sched_wakeup $pins/links/sys_enter
rm $pins/notices $pins/rings/1 $pins/run/lkst_use
try unlinked lkst status
rm -r $pins/links
try no-links lkst status --format json
lkst stop

# Less is loaded from here on: what is tried is putting one in the place of another.
sed 's/"default"/"sched"/' /tmp/my.toml >/tmp/small.toml
lkst start --maskset sched
try same lkst start
try replace lkst start --replace --maskset none
command lkst heartbeat --every 200ms --miss 1s --do notify >/dev/null &
beating=$!
sleep 6
try beating lkst status
kill -9 $beating
sleep 2
try heart lkst status
lkst mask use recorder
lkst mark before the other version
try newer other start --config /tmp/small.toml
try newer-status other status
try older lkst start --config /tmp/small.toml
rm $pins/cpus
try broken lkst status
try over-broken lkst start --config /tmp/small.toml --maskset none
try last lkst status --format json
try install command lkst install
try installed command lkst install
try uninstall command lkst uninstall --purge
ls /sys/fs/bpf >/out/left
"""


@pytest.fixture(scope="module")
def guest(lab: Lab) -> Guest:
    return Guest(
        lab(
            "7",
            "--no-record",
            "--memory",
            "512",
            "--timeout",
            "900",
            script=TOOLS + SERVED + SCRIPT,
        )
    )


def shown(guest: Guest, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(guest[name].out)
    return answer


def faults(guest: Guest, name: str) -> list[str]:
    """Give what a status complains of; its exit status is as it has to be."""
    said = guest[name]
    lines = said.err.splitlines()
    assert said.status == (3 if lines else 0)
    return lines


def test_a_configuration_that_is_not_there(guest: Guest) -> None:
    assert guest["missing"].status == 1
    assert "/tmp/your.toml" in guest["missing"].err


def test_as_it_was_configured(guest: Guest) -> None:
    assert guest["start"].status == 0, guest["start"].err
    assert faults(guest, "good") == []
    status = shown(guest, "good")
    assert guest["good-parquet"].status == 2
    rows = [json.loads(line) for line in guest["good-jsonl"].out.splitlines()]
    cells = list(csv.DictReader(io.StringIO(guest["good-csv"].out)))
    names = [(one["event"], one["state"]) for one in status["events"]]
    assert [(one["event"], one["state"]) for one in rows] == names
    assert [(one["event"], one["state"]) for one in cells] == names
    assert (status["maskset"], status["until"], status["faults"]) == ("default", None, [])
    buffers = {buffer["name"]: buffer for buffer in status["buffers"]}
    assert {name: buffer["state"] for name, buffer in buffers.items()} == {
        "main": "written to",
        "aside": "spare",
    }
    assert [buffers[name]["ring_size"] >> 10 for name in ("main", "aside")] == [256, 64]
    assert [ring["head"] > 0 for ring in status["rings"]] == [True, True]
    (trigger,) = status["triggers"]
    assert (trigger["name"], trigger["fired"], trigger["last"]) == ("usr1", 0, None)
    states = {event["event"]: event["state"] for event in status["events"]}
    assert (states["sched_switch"], states["signal_generate"]) == ("attached", "attached")


def test_a_trigger_has_switched(guest: Guest) -> None:
    assert faults(guest, "switched") == []
    status = shown(guest, "switched")
    assert (status["maskset"], status["base"]) == ("signal", "default")
    assert 0 < status["until"] - status["now"] < 300 * 10**9
    (trigger,) = status["triggers"]
    assert (trigger["fired"], trigger["held"]) == (1, 1)
    assert status["start"] < trigger["last"] < status["now"]
    text = guest["text"].out
    assert "to maskset default in " in text
    assert "fired 1 times, held back 1 times, last " in text


def test_the_maskset_is_that_of_the_configuration(guest: Guest) -> None:
    # It is again when the trigger's time is over.
    assert faults(guest, "as-configured") == []
    (fault,) = faults(guest, "not-configured")
    assert "the maskset 'none' is active, not 'default' as set in /etc/lkst/lkst.toml" in fault
    (fault,) = faults(guest, "ill-configured")
    assert "maskset" in fault


def test_version(guest: Guest) -> None:
    (fault,) = faults(guest, "version")
    assert "this is 9.9.9" in fault


def test_mode(guest: Guest) -> None:
    (fault,) = faults(guest, "mode")
    assert "/sys/fs/bpf/lkst is accessible to other users: its mode is 0755" in fault
    assert faults(guest, "healed") == []


def test_what_is_missing(guest: Guest) -> None:
    pins, links = faults(guest, "unlinked")
    assert pins == "lkst: no longer pinned: run/lkst_use, rings/1, notices"
    # One of a delay's programs is enough.
    assert links == "lkst: no longer attached: sys_enter, wakeup_delay"
    assert "sched_switch" in faults(guest, "no-links")[1]
    assert len(shown(guest, "no-links")["faults"]) == 2


def test_heartbeat(guest: Guest) -> None:
    assert faults(guest, "beating") == []
    assert " ago" in guest["beating"].out
    (fault,) = faults(guest, "heart")
    assert "no heartbeat for " in fault


def test_the_same_version_is_not_replaced_unasked(guest: Guest) -> None:
    assert guest["same"].status == 1
    assert "already running" in guest["same"].err
    assert guest["replace"].status == 0, guest["replace"].err
    assert "/var/lib/lkst/old-" in guest["replace"].err


@pytest.mark.parametrize("name", ["newer", "older"])
def test_another_version_is_replaced_and_its_rings_are_saved(guest: Guest, name: str) -> None:
    assert guest[name].status == 0, guest[name].err
    assert "the records of the old recorder are in /out/old/old-" in guest[name].err
    assert faults(guest, "newer-status") == []


def test_what_was_saved_can_be_read(guest: Guest, lkst: Run) -> None:
    saved = sorted((guest.dump.out / "old").iterdir())
    assert len(saved) == 2
    result = lkst("replay", saved[0], "--event", "mark")
    assert result.status == 0
    assert "before the other version" in result.stdout


def test_one_that_cannot_be_read_is_replaced(guest: Guest) -> None:
    assert guest["broken"].status == 3
    assert "the recorder is incomplete" in guest["broken"].err
    assert guest["over-broken"].status == 0, guest["over-broken"].err
    assert "the records of the old recorder could not be saved" in guest["over-broken"].err
    status = shown(guest, "last")
    assert status["maskset"] == "none"
    # What the configuration says was set up as well.
    assert [trigger["name"] for trigger in status["triggers"]] == ["usr1"]


def test_installed_where_no_systemd_runs(guest: Guest) -> None:
    assert guest["install"].status == 0, guest["install"].err
    assert "enabled lkst.service" in guest["install"].out
    only = ["not started: systemd is not running"]
    assert guest["installed"].out.splitlines() == only
    assert "stopped the recorder" in guest["uninstall"].out
    assert "removed /etc/lkst" in guest["uninstall"].out
    assert (guest.dump.out / "left").read_text() == ""
