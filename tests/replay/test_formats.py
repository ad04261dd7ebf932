# SPDX-License-Identifier: GPL-2.0-or-later
"""A format has the same name and meaning in all commands."""

import csv
import io
import json
from typing import Any

from dumps import RECORDS, SAMPLE, run_here
import pytest

from lkst.cli.main import COMMANDS, cli
from lkst.replay.formats import json_array

#: Command -> which list of its JSON the rows are of; None: all of it.
TABLES = {"list": "cpus", "events": None, "state": "suspicions", "replay": None}


def same(cell: str, value: Any) -> bool:
    """Tell whether a cell of CSV is what JSON has for it."""
    if value is None:
        return cell == ""
    if isinstance(value, list):
        items = [each["name"] if isinstance(each, dict) else each for each in value]
        return cell == " ".join(map(str, items))
    return cell == str(value)


@pytest.mark.slow
@pytest.mark.parametrize("command", TABLES)
def test_rows_are_those_of_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    results = {
        form: run_here(capsys, command, SAMPLE, "--format", form)
        for form in ("json", "jsonl", "csv")
    }
    assert {(result.status, result.stderr) for result in results.values()} == {(0, "")}
    told = json.loads(results["json"].stdout)
    wanted = told[TABLES[command]] if TABLES[command] else told
    assert len(wanted) == RECORDS if command == "replay" else wanted
    rows = [json.loads(line) for line in results["jsonl"].stdout.splitlines()]
    assert len(rows) == len(wanted)
    assert all(one.items() <= row.items() for one, row in zip(wanted, rows, strict=True))
    cells = list(csv.DictReader(io.StringIO(results["csv"].stdout), strict=True))
    assert len(cells) == len(wanted)
    if command != "replay":  # Whose fields are written as in the text.
        assert all(
            same(row[name], one[name])
            for one, row in zip(wanted, cells, strict=True)
            for name in one
        )


def test_with_other_records(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("replay", SAMPLE, "--with", "dmesg", "--last", "20", "--format")
    lines = run_here(capsys, *words, "jsonl").stdout.splitlines()
    assert json.loads(run_here(capsys, *words, "json").stdout) == [
        json.loads(line) for line in lines
    ]
    assert run_here(capsys, *words, "csv").status == 2


def commands_with_a_format() -> list[str]:
    with_context = cli.make_context("lkst", [], resilient_parsing=True)
    return [
        name
        for name in COMMANDS
        if (command := cli.get_command(with_context, name))
        and any("--format" in option.opts for option in command.params)
    ]


def test_others_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    names = commands_with_a_format()
    assert {*TABLES, "counts", "status", "sql", "measure"} == set(names)
    for name in names:
        for form in ("yaml", "CSV"):
            result = run_here(capsys, name, SAMPLE, "--format", form)
            assert (result.status, result.stdout) == (2, ""), name
            for known in ("text", "jsonl", "csv", "json"):
                assert f"'{known}'" in result.stderr, name
    assert run_here(capsys, "list", SAMPLE, "--format", "parquet").status == 2


@pytest.mark.parametrize("pieces", [[], [""], ['{"a": 1}\n', "", '{"a": 2}\n{"a": 3}\n']])
def test_array(pieces: list[str]) -> None:
    wanted = [json.loads(line) for line in "".join(pieces).splitlines()]
    assert json.loads("".join(json_array(pieces))) == wanted
