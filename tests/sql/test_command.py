# SPDX-License-Identifier: GPL-2.0-or-later
"""The command ``lkst sql``."""

from functools import partial
import io
import json
from pathlib import Path
import subprocess
import sys

from dumps import ROOT, Run, run_here
import pyarrow.parquet as pq
import pytest
from synthetic import Synthetic

from lkst.cli.main import run
from lkst.source.saved import save_trace
from lkst.sql.views import VIEWS

pytestmark = pytest.mark.slow

HOSTILE = "\x1b[2J\u202eevil"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Synthetic()
    made.record(0, 1_000, 7, "sys_enter", nr=1)
    made.record(0, 3_500, 7, "sys_exit", nr=1, ret=-2)
    made.record(1, 4_000, 9, "sched_process_exit", comm=HOSTILE[:9])
    path = tmp_path_factory.mktemp("sql") / "a.lkst"
    save_trace(made.trace(), path)
    return path


@pytest.fixture
def lkst(capsys: pytest.CaptureFixture[str]) -> Run:
    return partial(run_here, capsys)


def test_formats(saved: Path, lkst: Run, tmp_path: Path) -> None:
    query = "SELECT nr, duration_ns, error FROM syscalls"
    assert lkst("sql", saved, query).stdout.split("\n") == [
        "  nr    duration_ns  error",
        "   1           2500  -ENOENT",
        "",
    ]
    assert lkst("sql", saved, query, "--format", "csv").stdout == (
        "nr,duration_ns,error\n1,2500,-ENOENT\n"
    )
    row = {"nr": 1, "duration_ns": 2500, "error": "-ENOENT"}
    assert json.loads(lkst("sql", saved, query, "--format", "json").stdout) == [row]
    assert json.loads(lkst("sql", saved, query, "--format", "jsonl").stdout) == row
    output = tmp_path / "a.parquet"
    assert lkst("sql", saved, query, "--format", "parquet", "-o", output).status == 0
    assert pq.read_table(output).to_pylist() == [row]
    assert lkst("sql", saved, query, "--format", "parquet").status == 2


@pytest.mark.parametrize("form", ["text", "csv", "json", "jsonl"])
def test_names_do_nothing_to_a_terminal(saved: Path, lkst: Run, form: str) -> None:
    told = lkst("sql", saved, "SELECT comm FROM events WHERE pid = 9", "--format", form).stdout
    assert "evil" in told or "\\u202e" in told
    assert all(char.isprintable() or char == "\n" for char in told)


def test_error_has_its_position(saved: Path, lkst: Run, tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.write_text("old")
    result = lkst("sql", saved, "SELECT nr,\n  nothing FROM syscalls", "-o", output)
    lines = result.stderr.splitlines()
    assert result.status == 2
    assert "nothing" in lines[0]
    assert lines[-2] == "LINE 2:   nothing FROM syscalls"
    assert lines[-1].strip() == "^^^^^^^"
    assert lines[-1].index("^") == lines[-2].index("nothing")
    assert output.read_text() == "old"
    assert "Did you mean" in lkst("sql", saved, "FROM syscall").stderr


def test_statements_from_standard_input(saved: Path) -> None:
    text = "CREATE TABLE mine AS SELECT nr + 1 AS n FROM syscalls; SELECT n FROM mine; SELECT 3 a"
    command = [sys.executable, "-m", "lkst", "sql", str(saved)]
    result = subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout.split()) == (0, ["n", "2", "a", "3"])


def test_no_query_where_none_can_be_asked_for(saved: Path) -> None:
    command = [sys.executable, "-m", "lkst", "sql", str(saved)]
    result = subprocess.run(command, input="", capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("lkst: QUERY is missing")
    assert result.stderr.count("\n") == 1


def test_prompt_goes_on_behind_an_error(
    saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT\nwrong;\nSELECT 40 +\n2 AS a;\n.quit\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert run(["sql", str(saved)]) == 0
    told = capsys.readouterr()
    assert "wrong" in told.err
    assert "42" in told.out


def test_schema(saved: Path, lkst: Run) -> None:
    tables = json.loads(lkst("sql", "--schema", "--format", "json").stdout)
    assert [table["name"] for table in tables] == list(VIEWS)
    text = lkst("sql", saved, "--schema", "sys_enter").stdout
    assert "nr_name" in text
    for view in VIEWS.values():
        assert view.meaning
        for column in view.columns:
            assert column.meaning
            assert (column.unit == "ns") == column.name.endswith("_ns")
    assert lkst("sql", saved, "--schema", "sys_entr").status == 1


def test_extra_is_asked_for_by_name(saved: Path) -> None:
    code = (
        "import sys; sys.modules['duckdb'] = None; from lkst.cli.main import run;"
        f" sys.exit(run(['sql', {str(saved)!r}, 'SELECT 1']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "lkst[sql]" in result.stderr
