# SPDX-License-Identifier: GPL-2.0-or-later
"""
Building a page
---------------

The page contains everything that it needs. Its content security policy allows the
scripts and the style of this package, each by its hash, and nothing else.
"""

import base64
from collections.abc import Callable, Iterator
import hashlib
from importlib import resources
from pathlib import Path
from typing import Any
import zlib

import lkst
from lkst.errors import LkstError
from lkst.replay.rows import FLAGS
from lkst.report.intervals import Lane
from lkst.report.lanes import find_lanes, find_tasks, find_wakeups, states_left
from lkst.report.measures import STATISTICS, measure_all
from lkst.report.page_columns import PageColumns
from lkst.report.records import CHUNK, add_records, describe_events, describe_tasks
from lkst.report.sections import (
    describe_machine,
    describe_state,
    describe_suspicions,
    read_log,
)
from lkst.state.build import build_state
from lkst.state.rules import Suspicion, find_suspicions
from lkst.trace.trace import Trace
from lkst.util.files import replacing

__all__ = ("build_report", "write_report")

#: Scripts of the page, in the order in which they run.
_SCRIPTS = (
    "base", "columns", "trace", "colours", "levels", "view", "paint", "follow", "timeline", "input",
    "records", "search", "plots", "main",
)  # fmt: skip
_PAGE = resources.files("lkst.report") / "page"

Report = Callable[[str], None]


def write_report(
    trace: Trace, path: Path, shown: Trace | None = None, report: Report | None = None
) -> None:
    """
    Write a page to a file.

    :param trace: a whole trace
    :param shown: consecutive records of it that the timeline shows; None: all
    :param report: called with the name of each step when it begins
    :raises LkstError: if the file cannot be written (the old file is kept), or if a package
        that the page needs is not installed
    """
    pieces = build_report(trace, shown, report)
    first = next(pieces)
    with replacing(path) as file:
        file.write(first.encode())
        for piece in pieces:
            file.write(piece.encode())


def build_report(
    trace: Trace, shown: Trace | None = None, report: Report | None = None
) -> Iterator[str]:
    """
    Yield a page in pieces.

    :param trace: a whole trace
    :param shown: consecutive records of it that the timeline shows; None: all
    :param report: called with the name of each step when it begins
    :raises LkstError: if a package that the page needs is not installed
    """
    try:
        from jinja2 import Environment
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        name = (error.name or "").split(".")[0]
        raise LkstError(f"a report needs {name}: install lkst with the extra 'report'") from None
    report = report or (lambda text: None)
    shown = trace if shown is None else shown
    report("what looks wrong")
    state = build_state(trace, trace.facts.end())
    suspicions = find_suspicions(state)
    report("records")
    columns = PageColumns()
    tasks = find_tasks(shown)
    lanes = find_lanes(shown, tasks)
    add_records(columns, shown, tasks)
    for lane in lanes:
        _add_lane(columns, lane)
    states, left = states_left(shown, lanes[0])
    columns.add("task_left", left)
    woken = find_wakeups(shown)
    columns.add("woken_row", woken[0], delta=True)
    columns.add("woken_pid", woken[1])
    machine = describe_machine(trace)
    report("the kernel's log")
    log = read_log(trace)
    report("measures")
    measured = measure_all(trace)
    report("the page")
    style = _file("style.css")
    scripts = [_file(f"{name}.js") for name in _SCRIPTS]
    plotly = get_plotlyjs()
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return iter(
        environment.from_string(_file("page.html")).generate(
            policy=_policy(style, [*scripts, plotly]),
            version=lkst.__version__,
            title=_title(machine, trace),
            machine=machine,
            suspicions=describe_suspicions(state, suspicions),
            records=len(shown),
            cut=_cut(trace, shown),
            lane_notes=[f"{lane.kind}: {lane.note}" for lane in lanes if lane.note],
            state=describe_state(state),
            measured=measured,
            statistics=STATISTICS,
            zip=zip,
            log=log,
            data={
                "records": len(shown),
                "cpus": trace.header.nr_cpus,
                "chunk": CHUNK,
                "events": describe_events(shown),
                "tasks": describe_tasks(tasks),
                "flags": [[bit, name] for bit, name in FLAGS],
                "end": {"mono": str(trace.end), "wall": wall_pieces(trace)},
                "lanes": [{"kind": lane.kind, "names": lane.names} for lane in lanes],
                "states": states,
                "columns": columns.described,
                "evidence": sorted(
                    {int(trace.ts[r]) - trace.end for s in suspicions for r in s.rows}
                ),
                "panicked": machine["panicked"],
                "plots": measured.plots,
            },
            columns=columns.text,
            plotly=base64.b64encode(zlib.compress(plotly.encode(), 9)).decode(),
            style=style,
            scripts=scripts,
        )
    )


def _file(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _title(machine: dict[str, Any], trace: Trace) -> str:
    name = trace.facts.machine or trace.header.machine
    return " — ".join(part for part in (machine["message"], name, "LKST report") if part)


def _evidence(trace: Trace, suspicions: list[Suspicion]) -> list[int]:
    # Times of the evidence of all suspicions, in ns from the end.
    rows = {row for suspicion in suspicions for row in suspicion.rows}
    return sorted(int(trace.ts[row]) - trace.end for row in rows)


def wall_pieces(trace: Trace) -> list[list[str | None]]:
    """Return pairs: start in ns from the end, and the wall clock's time of the end from then on."""
    pieces = trace.wall_clock.pieces()
    return [
        [str(ts - trace.end), None if offset is None else str(trace.end + offset)]
        for ts, offset in pieces
    ]


def _cut(trace: Trace, shown: Trace) -> str:
    if len(shown) == len(trace):
        return ""
    return f"Shows {len(shown):,} of {len(trace):,} records; the state is computed from all."


def _add_lane(columns: PageColumns, lane: Lane) -> None:
    columns.add(f"{lane.kind}_cpu", lane.cpu)
    columns.add(f"{lane.kind}_begin", lane.begin, delta=True)
    columns.add(f"{lane.kind}_rows", lane.end - lane.begin)
    columns.add(f"{lane.kind}_name", lane.name)
    columns.add(f"{lane.kind}_cut", lane.cut)


def _policy(style: str, scripts: list[str]) -> str:
    # Content Security Policy Level 3, W3C.
    allowed = " ".join(map(_hash, scripts))
    parts = {
        "default-src": "'none'",
        "script-src": allowed,
        "style-src": _hash(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in parts.items())


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
