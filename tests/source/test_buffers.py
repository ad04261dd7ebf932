# SPDX-License-Identifier: GPL-2.0-or-later
"""A real dump with several buffers, one of them frozen, and stacks; and a log of that kernel."""

from collections.abc import Callable
import json
from pathlib import Path
import re
import shutil
import struct
from typing import Any

from dumps import Dump, Lab, Run
import pytest

from lkst.abi import layout
from lkst.abi.control import Control, ControlBuffer

SCRIPT = r"""
mkdir -p /out/log
cat >/tmp/story.py <<'END'
import dataclasses
from pathlib import Path

from lkst.decode.segment import cut_segment
from lkst.record import buffers
from lkst.record.maskset.text import Handler, Maskset, built_in
from lkst.live.recorder import Recorder
from lkst.record.programs.catalogue import built_catalogue
from lkst.record.lifecycle.start import start
from lkst.record.lifecycle.changes import change_recorder
from lkst.source.live import live_facts, read_image
from lkst.source.saved import name_symbols, name_tasks, save_image
from lkst.trace.trace import build_trace

handlers = dict(built_in(built_catalogue())["sched"].handlers)
handlers["sched_wakeup"] = handlers["console"] = Handler("stack")
handlers["softirq_exit"] = Handler("count")
handlers["softirq_time"] = Handler("hist", "delay")
handlers["panic"] = Handler("record")
start(1 << 20, Maskset("mixed", handlers))


def say(text):
    Path("/dev/kmsg").write_text(text)


lows = {}


def save(name):
    with Recorder() as recorder:
        image = read_image(recorder)
    new = []
    for buffer in image.buffers:
        segment = cut_segment(buffer, lows.get(buffer.number, [0] * len(buffer.places)))
        if segment:
            lows[buffer.number] = [place.head for place in segment.places]
            new.append(segment)
    image = dataclasses.replace(image, buffers=new)
    trace = build_trace(image, live_facts())
    path = Path("/out/log", name)
    save_image(image, trace.facts, path, name_tasks(trace), name_symbols(trace))


say("lab: first")
save("1.lkst")
say("lab: second")
save("2.lkst")
with change_recorder() as recorder:
    buffers.new_buffer(recorder, "late", 1 << 22)
    buffers.new_buffer(recorder, "idle", 1 << 16)
    buffers.freeze_buffer(recorder, "main")
    buffers.use_buffer(recorder, "late")
say("lab: third")
save("3.lkst")
END
PYTHONPATH=/lab/project python3 /tmp/story.py
lkst replay live --event console --format jsonl >/out/live
lkst counts live --format json >/out/counts
"""

Record = dict[str, Any]
SAID = ["lab: first", "lab: second", "lab: third"]


@pytest.fixture(scope="module", params=["6.1", "7"])
def dump(request: pytest.FixtureRequest, lab: Lab) -> Dump:
    return lab(request.param, "--no-record", "--timeout", "300", script=SCRIPT)


def replay(lkst: Run, source: Path, *words: str, status: int = 0) -> list[Record]:
    result = lkst("replay", source, "--format", "jsonl", *words)
    assert result.status == status, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def same_times(found: list[Record], meant: list[Record]) -> None:
    """Compare without printing thousands of them."""
    times = [[record["ts"] for record in records] for records in (found, meant)]
    odd = sorted(set(times[0]) ^ set(times[1]))
    assert times[0] == times[1], f"{len(times[0])} for {len(times[1])}; odd: {odd[:9]}"


def said(records: list[Record]) -> list[str]:
    texts = [record["fields"].get("text", "") for record in records]
    return [text for text in texts if text.startswith("lab: ")]


def states(lkst: Run, source: Path) -> dict[str, str]:
    listed = json.loads(lkst("list", source, "--format", "json").stdout)
    return {buffer["buffer"]: buffer["state"] for buffer in listed["buffers"]}


def test_buffers(dump: Dump, lkst: Run) -> None:
    records = replay(lkst, dump.vmcore)
    assert said(records) == SAID
    by_text = {record["fields"].get("text"): record for record in records}
    assert [by_text[text]["buffer"] for text in SAID] == ["main", "main", "late"]
    assert [record["ts"] for record in records] == sorted(record["ts"] for record in records)
    assert records[-1]["buffer"] == "late"
    assert states(lkst, dump.vmcore) == {"main": "frozen", "late": "written to", "idle": "spare"}
    assert said(replay(lkst, dump.vmcore, "--buffer", "main")) == SAID[:2]
    assert lkst("replay", dump.vmcore, "--buffer", "lat").status == 2


def test_stacks(dump: Dump, lkst: Run) -> None:
    records = replay(lkst, dump.vmcore, "--event", "console,sched_wakeup")
    (record,) = [record for record in records if record["fields"].get("text") == SAID[0]]
    functions = [frame.split("+")[0].split(".")[0] for frame in record["stack"]]
    # From the call of printk outwards to the system call; nothing of the recorder.
    assert functions.index("vprintk_emit") < functions.index("vfs_write")
    assert functions.index("vfs_write") < functions.index("do_syscall_64")
    assert not [name for name in functions if "bpf" in name or "traceiter" in name]
    stacks = [record["stack"] for record in records if record["event"] == "sched_wakeup"]
    assert stacks and all(stacks)
    assert all("+0x" in stack[0] for stack in stacks)
    assert all("wake_up" in " ".join(stack) or "ttwu" in " ".join(stack) for stack in stacks)


def test_counts(dump: Dump, lkst: Run) -> None:
    live = json.loads((dump.out / "counts").read_text())
    dead = json.loads(lkst("counts", dump.vmcore, "--format", "json").stdout)
    events = [{e["event"]: e["counted"] for e in counts["events"]} for counts in (live, dead)]
    assert set(events[0]) == set(events[1]) == {"softirq_exit", "softirq_time"}
    assert 0 < events[0]["softirq_exit"] <= events[1]["softirq_exit"]
    (hist,) = dead["histograms"]
    assert (hist["event"], hist["field"], hist["unit"]) == ("softirq_time", "delay", "ns")
    assert hist["count"] == events[1]["softirq_time"] == sum(b["count"] for b in hist["buckets"])
    assert hist["buckets"][0]["low"] < hist["mean"] < hist["buckets"][-1]["high"]
    # What is counted is not recorded.
    assert not [r for r in replay(lkst, dump.vmcore) if r["event"].startswith("softirq_")]


def test_live(dump: Dump) -> None:
    records = [json.loads(line) for line in (dump.out / "live").read_text().splitlines()]
    assert said(records) == SAID
    stacks = [" ".join(record["stack"]) for record in records]
    assert all("vprintk_emit" in stack for stack in stacks)


def test_saved_and_sliced(dump: Dump, lkst: Run, tmp_path: Path) -> None:
    meant = replay(lkst, dump.vmcore)
    for words in (("save", dump.vmcore, "-o"), ("slice", dump.vmcore, "-o")):
        path = tmp_path / words[0]
        assert lkst(*words, path).status == 0
        assert replay(lkst, path) == meant
        assert states(lkst, path) == states(lkst, dump.vmcore)
        assert lkst("counts", path) == lkst("counts", dump.vmcore)


def test_log(dump: Dump, lkst: Run) -> None:
    log = dump.out / "log"
    parts = [replay(lkst, path) for path in sorted(log.iterdir())]
    assert [said(part) for part in parts] == [[text] for text in SAID]
    whole = replay(lkst, log)
    assert said(whole) == SAID
    assert len(whole) == sum(map(len, parts))
    # The dump has the same records, as far as it has them.
    key = ("ts", "cpu", "pid", "event", "fields", "stack")
    kept = {json.dumps([record.get(k) for k in key]) for record in replay(lkst, dump.vmcore)}
    frozen = [record for record in whole if record["buffer"] == "main"]
    assert {json.dumps([record.get(k) for k in key]) for record in frozen} <= kept
    listed = json.loads(lkst("list", log, "--format", "json").stdout)
    assert [cpu["unsaved"] for cpu in listed["cpus"]] == [0, 0]


@pytest.fixture
def copy(dump: Dump, tmp_path: Path) -> Path:
    """Give a dump to damage."""
    path = tmp_path / "vmcore"
    shutil.copyfile(dump.vmcore, path)
    return path


def damage(path: Path, old: bytes, change: Callable[[bytes], bytes], size: int) -> None:
    """Change what begins like this, wherever it is."""
    data = path.read_bytes()
    places = [found.start() for found in re.finditer(re.escape(old), data)]
    assert places
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            new = change(data[place : place + size])
            assert len(new) == size
            file.write(new)


def set_buffer(number: int, member: str, value: int) -> Callable[[bytes], bytes]:
    """Give what changes the control map."""

    def change(page: bytes) -> bytes:
        where = Control.buffer.offset + number * Control.buffer.size // layout.MAX_BUFFERS
        where += getattr(ControlBuffer, member).offset
        return page[:where] + struct.pack("<I", value) + page[where + 4 :]

    return change


@pytest.mark.parametrize(
    ("member", "value", "reason", "carved"),
    [
        ("map_id", 99999, "no map has this id", True),
        ("nr_slots", 3, "invalid ring size: 3 slots", False),
        ("nr_slots", 1 << 17, "it has the wrong number of slots", True),
        ("nr_slots", 1 << 30, "larger than memory", False),
    ],
)
def test_buffer_that_is_damaged_costs_its_records_only(
    copy: Path, lkst: Run, member: str, value: int, reason: str, carved: bool
) -> None:
    damage(copy, layout.CONTROL_MAGIC, set_buffer(1, member, value), 4096)
    result = lkst("replay", copy, "--format", "jsonl")
    assert result.status == 3
    assert reason in result.stderr
    assert ("carved" in result.stderr) == carved
    found = said([json.loads(line) for line in result.stdout.splitlines()])
    assert found == (SAID if carved else SAID[:2])


def test_control_is_damaged(copy: Path, dump: Dump, lkst: Run) -> None:
    meant = replay(lkst, dump.vmcore)
    damage(copy, layout.CONTROL_MAGIC, lambda magic: bytes(8), 8)
    found = replay(lkst, copy, status=3)
    same_times(found, meant)
    assert {record["buffer"] for record in found} == {"#0", "#1"}


def test_carved(copy: Path, dump: Dump, lkst: Run) -> None:
    meant = replay(lkst, dump.vmcore)
    damage(copy, b"SYMBOL(kallsyms_names)", lambda name: name[:-2] + b"X)", 22)
    found = replay(lkst, copy, status=3)
    same_times(found, meant)
    assert {record["buffer"] for record in found} == {"main", "late"}
    # Without the page that tells of the buffers, the first is known.
    damage(copy, layout.CONTROL_MAGIC, lambda magic: bytes(8), 8)
    assert said(replay(lkst, copy, status=3)) == SAID[:2]
