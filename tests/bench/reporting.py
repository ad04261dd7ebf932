# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a report of half a million records takes to write, to open, and to move in."""

from collections.abc import Iterator
from pathlib import Path
import tempfile
import time

from bench.result import Result
from browser import browser
from plenty import plenty

from lkst.report.build import write_report

ROUNDS = 5
FRAMES = 40


def measure() -> Iterator[Result]:
    """Write a page, and open it in Chromium, round by round."""
    trace = plenty(1 << 18)
    written, opened, moved, searched = [], [], [], []
    with tempfile.TemporaryDirectory() as name, browser() as page:
        path = Path(name) / "report.html"
        for _ in range(ROUNDS):
            start = time.perf_counter()
            write_report(trace, path)
            written.append(time.perf_counter() - start)
            start = time.perf_counter()
            page.open(path)
            opened.append(time.perf_counter() - start)
            moved.append(
                page.run(
                    f"""(() => {{
                      const {{ view, timeline }} = lkst.app;
                      const start = performance.now();
                      for (let frame = 0; frame < {FRAMES}; frame++) {{
                        view.zoom(frame % 20 < 10 ? 0.6 : 1 / 0.6, 0.3);
                        timeline.paint();
                      }}
                      return (performance.now() - start) / {FRAMES};
                    }})()"""
                )
            )
            start = time.perf_counter()
            page.run(
                "(lkst.byId('query').value = 'prev_state next_pid=150', lkst.app.search.run())"
            )
            page.wait("lkst.app.search.rows.length > 0")
            searched.append(time.perf_counter() - start)
        size = path.stat().st_size / 1e6
    yield Result(f"report of {len(trace):,} records, written", written, "s")
    yield Result("its size", [size], "MB")
    yield Result("opened and painted", opened, "s", 3.0)
    yield Result("zoomed, a frame", moved, "ms", 50.0)
    yield Result("searched in all fields", searched, "s")
