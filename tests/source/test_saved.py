# SPDX-License-Identifier: GPL-2.0-or-later
"""Saved files, and logs made of many, from recorders that were made up."""

from collections.abc import Callable
import dataclasses
import json
from pathlib import Path
from typing import Any
import zipfile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
import pytest
from synthetic import Synthetic

from lkst.decode.image import BufferImage
from lkst.decode.segment import cut_segment
from lkst.errors import Damaged
from lkst.replay.serialize import replay_jsonl
from lkst.source import open_source
from lkst.source.saved import name_symbols, name_tasks, open_saved, save_image, save_trace
from lkst.trace.facts import End, EndTask, Facts, Names
from lkst.trace.trace import Trace, build_trace

TEXT = 0xFFFF_FFFF_8100_0000
STACK = [TEXT + 0x1010, TEXT + 0x2000, TEXT + 0x3010]


def facts() -> Facts:
    return Facts(
        source="vmcore",
        kind="vmcore",
        release="6.12.9",
        task_name=lambda pid: {7: "seven"}.get(pid, ""),
        names=Names(symbol=lambda address: f"f{address - TEXT >> 12}+{address & 0xFFF:#x}"),
        notes=["a note"],
    )


def made(**kwargs: Any) -> Synthetic:
    story = Synthetic(nr_slots=64, more={"other": 128, "idle": 64}, **kwargs)
    for number in range(30):
        stack = STACK if number % 3 == 0 else ()
        story.record(
            number % 2, 1000 + number, 7, "sys_exit", buffer=number % 2, stack=stack, ret=number
        )
    story.record(0, 2000, 8, "workqueue_execute_start", function=TEXT + 0x4000, buffer=1)
    story.count(1, "sys_enter", 5)
    return story


def shown(trace: Trace) -> list[dict[str, Any]]:
    return [json.loads(line) for line in "".join(replay_jsonl(trace)).splitlines()]


def test_what_the_dump_said_of_its_end_comes_back(tmp_path: Path) -> None:
    end = End(
        panic_cpu=1,
        current={0: EndTask(0, "swapper/0"), 1: EndTask(7, "seven", 2)},
        waiting=[EndTask(99, "stuck", 2)],
        runnable=[EndTask(7, "seven", prio=120), EndTask(8, "eight", throttled=True)],
        offline=frozenset({3}),
        tickless=frozenset({0, 2}),
        cpu_stack=lambda cpu: (f"on_{cpu}+0x1",),
        task_stack=lambda pid: (f"in_{pid}+0x2", "schedule+0x3") if pid != 8 else (),
    )
    save_trace(made().trace(dataclasses.replace(facts(), end=lambda: end)), tmp_path / "a.lkst")
    (found,) = open_saved(tmp_path / "a.lkst")
    told = found.facts.end()
    assert told
    assert (told.panic_cpu, told.current, told.waiting) == (1, end.current, end.waiting)
    assert told.runnable == end.runnable
    assert (told.offline, told.tickless) == (frozenset({3}), frozenset({0, 2}))
    assert [told.cpu_stack(cpu) for cpu in (0, 1, 2)] == [("on_0+0x1",), ("on_1+0x1",), ()]
    assert told.task_stack(7) == ("in_7+0x2", "schedule+0x3")
    assert told.task_stack(99) == ("in_99+0x2", "schedule+0x3")
    assert told.task_stack(8) == told.task_stack(12345) == ()


@pytest.mark.parametrize("end", [3, {}, {"panic_cpu": "x"}, {"current": [1]}])
def test_a_damaged_end_is_told(tmp_path: Path, end: Any) -> None:
    save_trace(made().trace(facts()), tmp_path / "a.lkst")
    with zipfile.ZipFile(tmp_path / "a.lkst") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(parts["lkst.json"]) | {"end": end}
    with zipfile.ZipFile(tmp_path / "b.lkst", "w") as archive:
        for name, data in (parts | {"lkst.json": json.dumps(description)}).items():
            archive.writestr(name, data)
    with pytest.raises(Damaged):
        open_saved(tmp_path / "b.lkst")


def test_all_of_it_comes_back(tmp_path: Path) -> None:
    trace = made().trace(facts())
    save_trace(trace, tmp_path / "a.lkst")
    (found,) = open_saved(tmp_path / "a.lkst")
    assert found.image == trace.image
    assert found.facts.notes == ["a note"]
    assert shown(found) == shown(trace)
    assert shown(found)[0]["stack"] == ["f1+0x10", "f1+0x1000", "f3+0x10"]
    assert shown(found)[-1]["fields"]["function"] == "f4"
    assert shown(found)[0]["comm"] == "seven"


@pytest.mark.parametrize("buffer", [0, 1])
def test_selection_keeps_its_records_only(tmp_path: Path, buffer: int) -> None:
    trace = made().trace(facts())
    chosen = trace.select(trace.buffer == buffer)
    save_trace(chosen, tmp_path / "a.lkst")
    (found,) = open_saved(tmp_path / "a.lkst")
    assert shown(found) == shown(chosen)
    assert found.image.partial
    assert all(loss.torn == loss.in_flight == 0 for loss in found.records.losses)
    # What was not chosen is not there.
    assert not any(found.image.buffers[1 - buffer].rings)


def test_image_without_a_trace(tmp_path: Path) -> None:
    image = made().image()
    save_image(image, facts(), tmp_path / "a.lkst", {7: "x"}, {})
    (found,) = open_saved(tmp_path / "a.lkst")
    assert found.image == image
    assert shown(found)[0]["comm"] == "x"
    assert shown(found)[0]["stack"] == [hex(address) for address in STACK]


def rewritten(path: Path, change: Callable[[dict[str, Any]], None], drop: str = "") -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    told = json.loads(parts.pop("lkst.json"))
    change(told)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lkst.json", json.dumps(told))
        for name, data in parts.items():
            if name != drop:
                archive.writestr(name, data)


def test_older_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.lkst"
    save_trace(made().trace(), path)
    rewritten(path, lambda told: told.update(format=1))
    with pytest.raises(Damaged, match=r"a.lkst: is of format 1; this lkst reads format 2"):
        open_saved(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("number", "one"),
        ("state", "frozen"),
        ("state", 7),
        ("nr_slots", None),
        ("nr_slots", 1e400),
        ("places", [[1]]),
        ("places", 7),
        ("heads_before", ["a"]),
        ("lows", {}),
        ("unreadable", [[1, 2, 3]]),
    ],
)
def test_buffer_that_is_told_wrong(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "a.lkst"
    save_trace(made().trace(), path)
    rewritten(path, lambda told: told["buffers"][0].update({key: value}))
    if (key, value) == ("lows", {}):
        assert len(open_saved(path)[0]) == 31
        return
    with pytest.raises(Damaged, match="is damaged"):
        open_saved(path)


def test_part_that_is_missing(tmp_path: Path) -> None:
    for name in ("rings/1", "counts", "catalogue"):
        path = tmp_path / "a.lkst"
        save_trace(made().trace(), path)
        rewritten(path, lambda told: None, drop=name)
        with pytest.raises(Damaged, match="is damaged"):
            open_saved(path)


numbers = st.integers(-5, 200) | st.integers(-(2**70), 2**70)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "number": numbers,
            "nr_slots": numbers | st.sampled_from([1, 2, 32, 128]),
            "places": st.lists(st.tuples(numbers, numbers), max_size=3),
            "heads_before": st.none() | st.lists(numbers, max_size=3),
            "lows": st.none() | st.lists(numbers, max_size=3),
            "unreadable": st.lists(st.tuples(numbers, numbers), max_size=3),
            "state": st.sampled_from(["free", "spare", "written"]),
        },
    )
)
def test_numbers_that_make_no_sense_cost_their_buffer_only(
    tmp_path: Path, wrong: dict[str, Any]
) -> None:
    path = tmp_path / "a.lkst"
    trace = made().trace()
    save_trace(trace, path)
    rewritten(path, lambda told: told["buffers"][0].update(wrong))
    (found,) = open_saved(path)
    kept = trace.ts[trace.buffer == 1].tolist()
    if wrong.get("number") != 1:
        assert [ts for ts in found.ts.tolist() if ts in kept] == kept


class Log:
    """A daemon that saves what is new."""

    def __init__(self, folder: Path, story: Synthetic) -> None:
        self.folder = folder
        self.story = story
        self.lows: dict[int, list[int]] = {}
        self.count = 0

    def save(self) -> Path:
        image = self.story.image()
        image.buffers = [new for buffer in image.buffers if (new := self._segment(buffer))]
        trace = build_trace(image, facts())
        self.count += 1
        path = self.folder / f"{self.story.tag}-{self.count}.lkst"
        save_image(image, facts(), path, name_tasks(trace), name_symbols(trace))
        return path

    def _segment(self, buffer: BufferImage) -> BufferImage | None:
        segment = cut_segment(buffer, self.lows.get(buffer.number, [0] * len(buffer.places)))
        if segment:
            self.lows[buffer.number] = [place.head for place in segment.places]
        return segment


def story_in_parts(folder: Path, **kwargs: Any) -> tuple[list[Path], Synthetic]:
    story = Synthetic(nr_slots=64, **kwargs)
    log = Log(folder, story)
    paths = []
    for number in range(100):
        text = "x" * 90 if number % 10 == 0 else ""
        stack = STACK if number % 7 == 0 else ()
        story.record(
            number % 2, 1000 + number, number, "console", stack=stack, text=f"{number}{text}"
        )
        if number % 20 == 19:
            paths.append(log.save())
    return paths, story


def test_log_is_one_trace(tmp_path: Path) -> None:
    _, story = story_in_parts(tmp_path)
    (tmp_path / "README").write_text("not a trace")
    (trace,) = open_source(str(tmp_path))
    assert trace.ts.tolist() == list(range(1000, 1100))
    assert [record["fields"]["text"].rstrip("x") for record in shown(trace)] == [
        str(number) for number in range(100)
    ]
    assert [record["stack"] for record in shown(trace)[::7]] == [
        ["f1+0x10", "f1+0x1000", "f3+0x10"]
    ] * 15
    assert trace.facts.source == str(tmp_path)
    assert not any(loss.unsaved or loss.overwritten for loss in trace.records.losses)
    assert [loss.claimed for loss in trace.records.losses] == story.heads
    # Saved anew, it is one file.
    save_trace(trace, tmp_path / "whole")
    (again,) = open_saved(tmp_path / "whole")
    assert shown(again) == shown(trace)
    save_trace(trace.select(slice(30, 50)), tmp_path / "some")
    (some,) = open_saved(tmp_path / "some")
    assert shown(some) == shown(trace)[30:50]


def test_file_of_a_log_that_is_missing_is_a_gap(tmp_path: Path) -> None:
    paths, _ = story_in_parts(tmp_path)
    paths[1].unlink()
    (trace,) = open_source(str(tmp_path))
    assert trace.ts.tolist() == [*range(1000, 1020), *range(1040, 1100)]
    assert all(loss.unsaved > 0 for loss in trace.records.losses)
    assert trace.facts.notes == ["a note"]


def test_file_of_a_log_that_is_damaged_costs_its_records(tmp_path: Path) -> None:
    paths, _ = story_in_parts(tmp_path)
    paths[0].write_bytes(paths[0].read_bytes()[:200])
    paths[2].write_bytes(b"")
    rewritten(paths[3], lambda told: told.update(format=1))
    (trace,) = open_source(str(tmp_path))
    assert trace.ts.tolist() == [*range(1020, 1040), *range(1080, 1100)]
    told = [note for note in trace.facts.notes if note != "a note"]
    assert [note.split(":")[0] for note in told] == [paths[i].name for i in (0, 2, 3)]


def test_log_of_two_recorders(tmp_path: Path) -> None:
    story_in_parts(tmp_path, tag=0x4B50, start=500)
    story_in_parts(tmp_path, tag=0x4B60, start=900)
    newest, other = open_source(str(tmp_path))
    assert (newest.header.tag, other.header.tag) == (0x4B60, 0x4B50)
    assert len(newest) == len(other) == 100


def test_log_whose_files_have_no_order(tmp_path: Path) -> None:
    paths, story = story_in_parts(tmp_path)
    for place, path in enumerate(paths):
        path.rename(tmp_path / f"{9 - place}.lkst")
    (trace,) = open_source(str(tmp_path))
    assert trace.ts.tolist() == list(range(1000, 1100))
    # The newest counters count.
    assert trace.image.cpus == story.image().cpus


def test_log_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(Damaged, match=r"is a directory without \.lkst files"):
        open_source(str(tmp_path))
    (tmp_path / "a.lkst").write_bytes(b"PK\3\4")
    with pytest.raises(Damaged, match=r"a\.lkst: is damaged"):
        open_source(str(tmp_path))


def test_log_with_whole_images(tmp_path: Path) -> None:
    story = made()
    for number in range(3):
        story.record(0, 3000 + number, 7, "sys_exit", ret=number)
        image = dataclasses.replace(story.image(), partial=True)
        save_image(image, facts(), tmp_path / f"{number}.lkst", {}, {})
    (trace,) = open_source(str(tmp_path))
    assert len(trace) == 34
    assert trace.buffer_names == {0: "main", 1: "other", 2: "idle"}
