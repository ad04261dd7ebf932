# SPDX-License-Identifier: GPL-2.0-or-later
"""What whole loads cost with the default maskset. Loads BPF for some minutes; needs root."""

from collections.abc import Callable, Iterator
import contextlib
from functools import partial
import http.client
import http.server
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import threading
import time

from bench.result import Result
from bench.ways import (
    Way,
    bpf_program,
    cpu_seconds,
    ftrace,
    hooks_of,
    mounted,
    needs,
    recorder,
    tools,
)

from lkst.record.maskset.text import built_in
from lkst.record.programs.catalogue import built_catalogue

__all__ = ("measure",)

ROUNDS = 7
ROOT = Path(__file__).resolve().parents[2]
REQUESTS = 1500


def _hackbench(folder: Path) -> float:
    return cpu_seconds(["perf", "bench", "sched", "messaging", "-g", "4", "-l", "400"])


def _compile(folder: Path) -> float:
    """Compile the project's C files."""
    sources = [*sorted(ROOT.glob("kdump/*.c")), *sorted(ROOT.glob("crash_ext/*.c"))]
    flags = ["-O2", "-c", "-isystem", "/usr/include/crash", '-DLKST_PYTHON="python3"']
    return sum(cpu_seconds(["cc", *flags, path, "-o", folder / "object"]) for path in sources)


def _fsync(folder: Path) -> float:
    """Write small blocks, each to the disk: mostly waiting, so the time by the wall counts."""
    words = ["dd", "if=/dev/zero", f"of={folder / 'file'}", "bs=4k", "count=8000", "oflag=dsync"]
    start = time.perf_counter()
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def _http(folder: Path) -> float:
    """Ask a server on the loopback for a small page, each time by a new connection."""
    return cpu_seconds([sys.executable, __file__, str(folder)])


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _serve_and_ask(folder: str) -> None:
    os.chdir(folder)
    Path("page").write_bytes(b"x" * 4000)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for _ in range(REQUESTS):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
            connection.request("GET", "/page")
            connection.getresponse().read()
            connection.close()
        server.shutdown()


LOADS: dict[str, Callable[[Path], float]] = {
    "hackbench": _hackbench,
    "compile": _compile,
    "dd with fsync": _fsync,
    "HTTP on the loopback": _http,
}


def measure() -> Iterator[Result]:
    """Run each load without a recorder, with one, and with ftrace, in turns."""
    needs("perf", "cc", "dd")
    mounted()
    maskset = built_in(built_catalogue())["default"]
    hooks = hooks_of(maskset)
    with tools(hooks) as (_, floor), tempfile.TemporaryDirectory(dir=ROOT) as name:
        ways: dict[str, Way] = {
            "none": contextlib.nullcontext,
            "empty": partial(bpf_program, floor, "empty", hooks),
            "clock": partial(bpf_program, floor, "clock", hooks),
            "recorder": partial(recorder, maskset),
            "ftrace": partial(ftrace, hooks),
        }
        for load, run in LOADS.items():
            run(Path(name))
            taken: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, enter in ways.items():
                    with enter():
                        taken[way].append(run(Path(name)))
            yield Result(f"{load}, nothing traced", taken["none"], "s")
            empty, clock, ours, theirs = (
                [100 * (a / b - 1) for a, b in zip(taken[way], taken["none"], strict=True)]
                for way in ("empty", "clock", "recorder", "ftrace")
            )
            yield Result(f"{load}, empty programs on the same hooks", empty, "%")
            yield Result(f"{load}, programs that read the clock there", clock, "%")
            yield Result(f"{load}, default maskset, over that", ours, "%", 2)
            yield Result(f"{load}, the same", ours, "%", 0.33, against="ftrace", others=theirs)


if __name__ == "__main__":
    _serve_and_ask(sys.argv[1])
