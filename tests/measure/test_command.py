# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst measure``, and what it is told by files."""

from dataclasses import replace
from functools import partial
import json
from pathlib import Path
import re
import subprocess
import sys

from dumps import ROOT, Run, run_here
import pyarrow.parquet as pq
import pytest
from synthetic import Synthetic

from lkst.errors import Usage
from lkst.measure.find import find_measures, parse_measure
from lkst.measure.plot import draw
from lkst.measure.result import Bin, Bucket, Result, Statistics
from lkst.source.saved import save_trace

pytestmark = pytest.mark.slow

HOSTILE = "\x1b]0;x$\\"
OWN = """-- title: Marks
-- description: How many marks there are,
--     and where.
-- unit: marks
-- events: mark
-- over-time: count
-- columns: text: what was written; who: by whom
SELECT ts_ns AS start_ns, 1 AS value, cpu, text, comm AS who FROM mark -- all of them
"""


def save(made: Synthetic, folder: Path) -> Path:
    path = folder / "a.lkst"
    save_trace(made.trace(), path)
    return path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls of 1, 2, 4, ... us, by two tasks on two CPUs, and one that does not end."""
    made = Synthetic()
    made.record(0, 0, 7, "task_rename", newcomm="seven", pid=7)
    made.record(1, 0, 8, "task_rename", newcomm=HOSTILE, pid=8)
    ts = 10_000
    for number in range(8):
        cpu, pid = number % 2, 7 + number % 2
        made.record(cpu, ts, pid, "sys_enter", nr=number % 2)
        made.record(cpu, ts + (1000 << number), pid, "sys_exit", nr=number % 2)
        ts += 500_000
    made.record(0, ts, 7, "sys_enter", nr=5)
    made.record(0, ts + 100, 7, "block_rq_issue", rq=1)
    made.record(1, ts + 900, 8, "block_rq_complete", rq=1)
    made.record(1, ts + 1000, 8, "mark", text="here")
    return save(made, tmp_path_factory.mktemp("measure"))


@pytest.fixture
def lkst(capsys: pytest.CaptureFixture[str]) -> Run:
    return partial(run_here, capsys)


def measured(lkst: Run, saved: Path, *words: object) -> dict[str, object]:
    result = lkst("measure", saved, *words, "--format", "json")
    assert (result.status, result.stderr) == (0, "")
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


def test_statistics(saved: Path, lkst: Run) -> None:
    answer = measured(lkst, saved, "syscall-time", "--by", "cpu", "--bins", "4")
    assert answer["whole"] == {
        "count": 8,
        "open": 1,
        "total": 255_000,
        "min": 1_000,
        "mean": 31_875,
        "p50": 8_000,
        "p95": 128_000,
        "p99": 128_000,
        "max": 128_000,
    }
    groups = answer["groups"]
    assert isinstance(groups, list)
    assert [(g["group"], g["total"]) for g in groups] == [
        ({"cpu": "1"}, 170_000),
        ({"cpu": "0"}, 85_000),
    ]
    assert answer["histogram"] == [
        {"low": 1 << bits - 1, "high": 1 << bits, "count": 1} for bits in range(10, 18)
    ]
    bins = answer["over_time"]
    assert isinstance(bins, list)
    assert [own["count"] for own in bins] == [2, 2, 2, 2]
    assert bins[0]["start_ns"] == 0
    assert bins[-1]["end_ns"] > 4_011_000


def test_worst_cases_lead_into_the_replay(saved: Path, lkst: Run) -> None:
    answer = measured(lkst, saved, "syscall-time", "--worst", "1")
    worst = answer["worst"]
    assert isinstance(worst, list)
    around = worst[0]["around"]
    replay = lkst("replay", saved, f"--around={around}", "--event", "sys_enter").stdout
    assert re.search(rf"^\s*{re.escape(around)} .* sys_enter ", replay, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--cpu", "1"], 4),
        (["--pid", "7"], 4),
        (["--comm", "sev*"], 4),
        (["--since", "-1.6ms"], 3),
        (["--until", "-1.6ms"], 5),
        (["--only", "name=0", "--cpu", "0"], 4),
        (["--only", "error=*"], 0),
    ],
)
def test_filters(saved: Path, lkst: Run, words: list[str], count: int) -> None:
    result = lkst("measure", saved, "syscall-time", *words, "--format", "json")
    assert json.loads(result.stdout)["whole"]["count"] == count


def test_text(saved: Path, lkst: Run) -> None:
    words = ("syscall-time", "--by", "task", "--hist", "--over-time", "--bins", "3")
    result = lkst("measure", saved, *words)
    assert (result.status, result.stderr) == (0, "")
    assert all(char.isprintable() or char == "\n" for char in result.stdout)
    assert re.search(r"^seven +7 +4 +85us ", result.stdout, re.MULTILINE)
    assert re.search(r"^all +8 +255us ", result.stdout, re.MULTILINE)
    assert len(re.findall(r"^  .*\|@+ *\|$", result.stdout, re.MULTILINE)) == 8 + 3


def test_tables(saved: Path, lkst: Run, tmp_path: Path) -> None:
    output = tmp_path / "a.parquet"
    lkst("measure", saved, "syscall-time", "--by", "cpu", "--format", "parquet", "-o", output)
    assert [row["count"] for row in pq.read_table(output).to_pylist()] == [4, 4]
    told = lkst("measure", saved, "syscall-time", "--hist", "--format", "csv").stdout
    assert told.splitlines()[:2] == ["low,high,count", "512,1024,1"]
    words = ("syscall-time", "--over-time", "--hist", "--format", "csv")
    assert lkst("measure", saved, *words).status == 2


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF-")]
)
def test_plots(saved: Path, lkst: Run, tmp_path: Path, suffix: str, start: bytes) -> None:
    output = tmp_path / f"plot{suffix}"
    words = ("syscall-time", "--hist", "--over-time", "-o", output)
    assert lkst("measure", saved, *words).status == 0
    alone = output.read_bytes()
    assert alone.startswith(start)
    overlay = ("--only", "name=0", "--cpu", "0,1", "--overlay", "block-time")
    assert lkst("measure", saved, "syscall-time", *overlay, "-o", output).status == 0
    assert output.read_bytes().startswith(start)
    if suffix == ".svg":
        text = output.read_text()
        assert "System call time (mean)" in text
        assert "Block request time (mean)" in text
        assert "System call time (name=0, cpu 0|1) and Block request time (cpu 0|1)" in text


def test_nothing_to_draw(saved: Path, lkst: Run, tmp_path: Path) -> None:
    output = tmp_path / "plot.png"
    words = ("syscall-time", "--only", "name=nothing", "--hist", "-o", output)
    result = lkst("measure", saved, *words)
    assert result.status == 1
    assert result.stderr == "lkst: syscall-time: no values to draw\n"
    assert not output.exists()


@pytest.mark.parametrize(("most", "scale"), [(50, "linear"), (1_000_000, "log")])
def test_axes(most: int, scale: str) -> None:
    """The time axis is that of the trace; what is much longer than the rest leaves it visible."""
    second = 10**9
    bins = [Bin(k * second, (k + 1) * second, 0, 0, None, None) for k in range(10)]
    bins[4] = replace(bins[4], count=1, total=1, mean=1.0, max=1)
    bins[5] = replace(bins[5], count=1, total=most, mean=float(most), max=most)
    histogram = [Bucket(1, 2, most), Bucket(2, 4, 1)]
    measure = find_measures(())["syscall-time"]
    whole = Statistics((), 2, 0, most + 1, 1, 1.0, 1, 1, 1, most)
    result = Result(measure, (), whole, [], [], histogram, bins, [], 10 * second)
    spread, over_time = draw([result], ["hist", "over-time"], ["name=read"]).axes
    assert over_time.get_xlim() == (-10, 0)
    assert {axes.get_yscale() for axes in (spread, over_time)} == {scale}
    assert spread.get_ylim()[0] < 1
    assert {axes.get_title() for axes in (spread, over_time)} == {"System call time (name=read)"}


def test_the_list_fits_a_terminal(saved: Path, lkst: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for words in ((), (saved,)):
        lines = lkst("measure", *words).stdout.splitlines()
        assert "syscall-time (ns)" in lines
        assert max(map(len, lines)) <= 80
    told = lkst("measure", saved, "--format", "json").stdout
    assert {row["measure"] for row in json.loads(told)} == set(find_measures(()))


def test_overlay_in_the_terminal(saved: Path, lkst: Run) -> None:
    words = ("syscall-time", "--overlay", "block-time", "--bins", "2")
    told = lkst("measure", saved, *words).stdout.splitlines()
    assert told[-3] == "System call time: mean | Block request time: mean"
    assert [line.count("|") for line in told[-2:]] == [4, 4]
    assert "800ns" in told[-1]


def test_own_measure(saved: Path, lkst: Run, tmp_path: Path) -> None:
    path = tmp_path / "marks.sql"
    path.write_text(OWN)
    for where in (tmp_path, path):
        answer = measured(lkst, saved, "marks", "--by", "text", "--measure-path", where)
        assert answer["description"] == "How many marks there are, and where."
        assert answer["whole"]["total"] == 1  # type: ignore[index]
    assert "marks" in lkst("measure", "--measure-path", path).stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("-- unit: marks\n", ""), "the header lacks 'unit'"),
        (
            ("over-time: count", "over-time: median"),
            "'median' is unknown: use mean, max, sum, count",
        ),
        (("-- events", "-- event"), "unknown key 'event': use title"),
        (("1 AS value, ", ""), "its query has no column value"),
        (("FROM mark", "FROM marc"), "LINE 8: "),
    ],
)
def test_own_measure_is_wrong(
    saved: Path, lkst: Run, tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    path = tmp_path / "marks.sql"
    path.write_text(OWN.replace(*change))
    result = lkst("measure", saved, "marks", "--measure-path", path)
    assert result.status == 2
    assert f"{path}: " in result.stderr
    assert told in result.stderr


def test_what_was_not_recorded_is_said(saved: Path, lkst: Run, tmp_path: Path) -> None:
    made = Synthetic(states={"kmalloc": "unattached", "sys_enter": "unattached"})
    made.record(0, 100, 7, "mark")
    path = save(made, tmp_path)
    result = lkst("measure", path, "allocation-failures")
    assert (result.status, result.stdout) == (1, "")
    assert "maskset all records it: lkst mask use all" in result.stderr
    assert "maskset default records it" in lkst("measure", path, "syscall-time").stderr
    assert "Traceback" not in lkst("measure", path).stderr


def test_nothing_of_it_is_there(saved: Path, lkst: Run) -> None:
    result = lkst("measure", saved, "syscall-time", "--comm", "nobody")
    assert (result.status, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["syscal-time"], "did you mean syscall-time"),
        (["syscall-time", "--by", "colour"], "has no column 'colour': use cpu, pid"),
        (["run-queue", "--pid", "7"], "has no column 'pid'"),
        (["syscall-time", "--only", "name"], "is not COLUMN=PATTERN"),
        (["syscall-time", "--hist", "--overlay", "block-time"], "remove --hist and --by"),
        (["syscall-time", "-o", "a.png"], "nothing to draw: add"),
        (["syscall-time", "--hist", "-o", "a.eps"], "plots are .png, .svg, .pdf"),
        (
            ["syscall-time", "--hist", "--format", "csv", "-o", "a.png"],
            "a plot cannot have the format",
        ),
        (["--hist"], "NAME of the measure is missing"),
        (["syscall-time", "--measure-path", "/nowhere"], "/nowhere: no such file or directory"),
    ],
)
def test_bad_words(saved: Path, lkst: Run, words: list[str], told: str) -> None:
    result = lkst("measure", saved, *words)
    assert result.status in (1, 2)
    assert result.stdout == ""
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_extra_is_asked_for_by_name(saved: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.svg"
    words = ["measure", str(saved), "syscall-time", "--hist", "-o", str(output)]
    code = (
        "import sys; sys.modules['matplotlib'] = None; from lkst.cli.main import run;"
        f" sys.exit(run({words!r}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1
    assert "lkst[plot]" in result.stderr
    assert not output.exists()


def test_headers_name_events_and_columns_that_there_are() -> None:
    from lkst.sql.connect import connect

    trace = Synthetic().trace()
    events = {"probe"}
    for event in trace.catalogue.events.values():
        events |= {event.name, event.category}
    connection = connect(trace)
    for measure in find_measures().values():
        assert {name for names in measure.events for name in names} <= events
        described = connection.execute(f"DESCRIBE {measure.sql}").fetchall()
        names = {str(row[0]) for row in described}
        own = names - {"start_ns", "value", "cpu", "pid", "comm"}
        assert set(measure.columns) == own, measure.name


def test_header_ends_where_the_query_begins() -> None:
    measure = parse_measure(OWN, Path("marks.sql"))
    assert measure.columns == {"text": "what was written", "who": "by whom"}
    assert measure.events == (("mark",),)
    with pytest.raises(Usage, match="title"):
        parse_measure("SELECT 1\n" + OWN, Path("marks.sql"))
