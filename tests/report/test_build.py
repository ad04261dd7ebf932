# SPDX-License-Identifier: GPL-2.0-or-later
"""What a report consists of, and what happens where it cannot be written."""

import base64
import hashlib
from html.parser import HTMLParser
import json
from pathlib import Path
import subprocess
import sys
from typing import Any
import zlib

from dumps import ROOT, SAMPLE, Run
import numpy as np
import pytest
from synthetic import Synthetic

from lkst.report.build import build_report, write_report
from lkst.report.page_columns import PageColumns
from lkst.source.saved import save_trace
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace

pytestmark = pytest.mark.slow


class _Reader(HTMLParser):
    """Takes a page apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.policy = ""
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.styles: list[str] = []
        self.addresses: list[str] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        own = dict(attributes)
        if tag == "meta" and own.get("http-equiv") == "Content-Security-Policy":
            self.policy = own["content"] or ""
        assert "style" not in own
        assert not [name for name in own if name.startswith("on")]
        self.addresses += [own[name] or "" for name in ("src", "href") if name in own]
        self._open = tag
        if tag == "script":
            self.scripts.append((own, ""))

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            own, text = self.scripts[-1]
            self.scripts[-1] = own, text + data
        elif self._open == "style":
            self.styles.append(data)

    def data(self, id_: str) -> str:
        return next(text for own, text in self.scripts if own.get("id") == id_)


def _made(count: int = 50) -> Trace:
    made = Synthetic(nr_cpus=2)
    for number in range(count):
        event = "sys_enter" if number % 4 < 2 else "sys_exit"
        made.record(number % 2, 10**9 + number * 1000, 7 + number % 2, event, nr=number)
    return made.trace(Facts(source="/tmp/made", release="6.0"))


def _read(trace: Trace, shown: Trace | None = None) -> _Reader:
    return _Reader("".join(build_report(trace, shown)))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _numbers(page: _Reader, name: str) -> list[int]:
    about: dict[str, Any] = json.loads(page.data("data"))["columns"][name]
    text = page.data("columns")[about["at"] : about["at"] + about["size"]]
    types = {"Uint8Array": "<u1", "Uint16Array": "<u2", "Uint32Array": "<u4"}
    values = np.frombuffer(zlib.decompress(base64.b64decode(text)), types[about["type"]])
    if about["delta"]:
        values = np.cumsum(values, dtype=np.uint32)
    return [int(value) for value in values]


def test_the_policy_allows_the_pages_own_scripts_and_no_more() -> None:
    page = _read(_made())
    run = [text for own, text in page.scripts if "type" not in own]
    plotly = zlib.decompress(base64.b64decode(page.data("plotly"))).decode()
    allowed = dict(part.split(" ", 1) for part in page.policy.split("; "))
    assert allowed.pop("script-src").split() == [_hash(text) for text in (*run, plotly)]
    assert allowed.pop("style-src").split() == [_hash(text) for text in page.styles]
    assert allowed == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert all(address.startswith("#") for address in page.addresses)


def test_columns() -> None:
    trace = _made()
    page = _read(trace)
    low, high = (np.array(_numbers(page, f"time_{end}"), object) for end in ("low", "high"))
    times = np.cumsum(low + high * 2**32) - 2**52
    assert (times + trace.end).tolist() == trace.ts.tolist()
    assert _numbers(page, "cpu") == trace.cpu.tolist()
    assert _numbers(page, "syscall_begin") == [*range(0, 50, 4), *range(1, 50, 4)]


@pytest.mark.parametrize(
    ("values", "type_"),
    [([], "Uint8Array"), ([255], "Uint8Array"), ([256], "Uint16Array"), ([1 << 16], "Uint32Array")],
)
def test_a_column_is_no_wider_than_it_needs_to_be(values: list[int], type_: str) -> None:
    columns = PageColumns()
    columns.add("a", np.array(values, np.int64))
    assert columns.described["a"]["type"] == type_


def test_times_that_are_damaged() -> None:
    made = Synthetic(nr_cpus=1)
    for ts in (1, 10**9, (1 << 63) - 1):
        made.record(0, ts, 7, "sys_enter")
    trace = made.trace()
    low, high = (np.array(_numbers(_read(trace), f"time_{end}"), object) for end in ("low", "high"))
    times = np.cumsum(low + high * 2**32) - 2**52
    assert (np.diff(times) >= 0).all() and (abs(times) <= 2**52).all()
    assert times[-1] == 0


def test_a_part_of_the_records() -> None:
    trace = _made()
    text = "".join(build_report(trace, trace.select(slice(40, 50))))
    assert "Shows 10 of 50 records; the state is computed from all." in text
    assert len(_numbers(_Reader(text), "cpu")) == 10


def test_without_a_log() -> None:
    made = Synthetic(nr_cpus=1)
    text = "".join(build_report(made.trace()))
    assert "no console line was recorded" in text
    made.record(0, 10**9, 7, "console", text="the kernel speaks\n")
    text = "".join(build_report(made.trace()))
    assert "these are the recorded console lines" in text
    assert "<span>the kernel speaks</span>" in text


def test_a_failed_write_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Exception, match=r"report\.html: No space left on device"):
        write_report(_made(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_command(lkst: Run, tmp_path: Path) -> None:
    saved = tmp_path / "made.lkst"
    save_trace(_made(), saved)
    path = tmp_path / "report.html"
    result = lkst("report", saved, "-o", path, "--last", "20")
    assert (result.status, result.stdout, result.stderr) == (0, "", "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Shows 20 of 50 records" in path.read_text()
    assert lkst("report", saved).status == 2
    result = lkst("report", saved, "-o", tmp_path / "none.html", "--until", "-9s")
    assert (result.status, result.stderr) == (1, "lkst: no record matched\n")
    assert not (tmp_path / "none.html").exists()
    result = lkst("report", saved, "-o", path, "--since", "soon")
    assert result.status == 2
    assert result.stderr.startswith("lkst: --since: 'soon' is not a time")


def test_a_recorder_without_a_record(lkst: Run, tmp_path: Path) -> None:
    save_trace(Synthetic().trace(), tmp_path / "empty.lkst")
    result = lkst("report", tmp_path / "empty.lkst", "-o", tmp_path / "report.html")
    assert (result.status, result.stderr) == (1, "lkst: the recorder has no records\n")
    assert "The recorder has no records." in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("missing", ["jinja2", "plotly", "duckdb"])
def test_what_is_missing_is_named(missing: str, tmp_path: Path) -> None:
    script = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv[0] = 'lkst';"
        "from lkst.cli.main import main; main()"
    )
    path = tmp_path / "report.html"
    words = [sys.executable, "-c", script, "report", str(SAMPLE), "-o", str(path)]
    result = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"needs {missing}" in result.stderr and "Traceback" not in result.stderr
    assert not path.exists()
