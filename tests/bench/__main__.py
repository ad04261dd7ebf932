# SPDX-License-Identifier: GPL-2.0-or-later
"""
``./dev bench [--json FILE] [NAME ...]``: how fast it is, beside what people use today.

What is compared is measured in turns, in the same run, so that the ratios hold
on a machine that is noisy.
"""

from collections.abc import Callable, Iterator
import json
import os
from pathlib import Path
import platform
import sys

from bench import (
    crash,
    grabbing,
    loads,
    measuring,
    opening,
    probing,
    reading,
    recording,
    reporting,
    steering,
)
from bench.result import Result
import click
from tabulate import tabulate

SUITES: dict[str, Callable[[], Iterator[Result]]] = {
    "recording": recording.measure,
    "loads": loads.measure,
    "steering": steering.measure,
    "probing": probing.measure,
    "reading": reading.measure,
    "opening": opening.measure,
    "crash": crash.measure,
    "grabbing": grabbing.measure,
    "reporting": reporting.measure,
    "measuring": measuring.measure,
}

HEADERS = ["what", "median [range]", "against", "its median [range]", "ratio [range]", "target", ""]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def _machine() -> dict[str, object]:
    return {
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load": round(os.getloadavg()[0], 1),
    }


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SUITES)))
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(names: tuple[str, ...], file: Path | None) -> None:
    """Measure, and say what was to be reached."""
    machine = _machine()
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    rows, raw = [], []
    for name in names or SUITES:
        for result in SUITES[name]():
            rows.append(result.row())
            raw.append({"suite": name, **result.raw(), "machine": machine})
            print(f"  {name}: {' '.join(filter(None, result.row()))}", file=sys.stderr)
            if file:
                # After each: what was measured is there even if the rest is interrupted.
                file.write_text(json.dumps(raw, indent=1) + "\n")
    print(tabulate(rows, HEADERS, disable_numparse=True))


main()
