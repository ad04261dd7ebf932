# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that show a state and a timeline, and what they refuse."""

import json
from pathlib import Path

from dumps import SAMPLE, Run
import pytest
from synthetic import Synthetic

from lkst.source.saved import save_trace


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    made = Synthetic(nr_cpus=2, start=0)
    made.record(0, 10**9, 7, "sys_enter", nr=1)
    save_trace(made.trace(), tmp_path / "a.lkst")
    return tmp_path / "a.lkst"


def test_nothing_stands_out(lkst: Run, saved: Path) -> None:
    result = lkst("state", saved)
    assert (result.status, result.stderr) == (0, "")
    assert "\nnothing stands out\n" in result.stdout
    assert "CPU 1  state not known: it has no records\n" in result.stdout


def test_what_programs_get(lkst: Run) -> None:
    result = lkst("state", SAMPLE, "--format", "json")
    assert (result.status, result.stderr) == (0, "")
    state = json.loads(result.stdout)
    first = state["suspicions"][0]
    assert list(first) == ["rule", "kind", "culprit", "text", "since", "evidence"]
    assert first["rule"] == "lock-holder"
    assert 2 < first["since"] < 4
    assert all(state["begin"] < ts <= state["end"] for ts in first["evidence"])
    assert [cpu["cpu"] for cpu in state["cpus"]] == [0, 1]
    assert state["panic"]["message"] == "hung_task: blocked tasks"


def test_a_recorder_without_a_record(lkst: Run, tmp_path: Path) -> None:
    made = Synthetic()
    save_trace(made.trace(), tmp_path / "empty.lkst")
    result = lkst("state", tmp_path / "empty.lkst")
    assert result.status == 1
    assert "no records: nothing is known" in result.stdout
    assert result.stderr == "lkst: the recorder has no records\n"


def test_the_log_of_the_sample(lkst: Run) -> None:
    words = ("--with", "dmesg", "--event", "dmesg", "--format", "jsonl")
    result = lkst("replay", SAMPLE, *words)
    assert (result.status, result.stderr) == (0, "")
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert {entry["origin"] for entry in entries} == {"dmesg"}
    texts = [entry["fields"]["text"] for entry in entries]
    assert "Kernel panic - not syncing: hung_task: blocked tasks" in texts


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--with", "dmesg"), 1, "has only the records: --with needs the vmcore"),
        (("--with", "dmseg"), 2, "--with: 'dmseg' is unknown: use dmesg, ftrace, ringbuf"),
        (("--with", "dmesg,"), 2, "a name is missing in 'dmesg,'"),
        (("--with", "dmesg", "--format", "csv"), 2, "CSV has no column for the origin"),
        (("--around", "noon"), 2, "--around: 'noon' is not a time"),
    ],
)
def test_what_cannot_be_done(
    lkst: Run, saved: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    result = lkst("replay", saved, *words)
    assert result.status == status
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
