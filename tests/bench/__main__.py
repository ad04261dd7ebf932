# SPDX-License-Identifier: GPL-2.0-or-later
"""
``./dev bench [NAME ...]``: how fast it is, as ratios where the machine is noisy.

What is compared is measured in turns, in the same run.
"""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import platform
import sys

from bench import crash, grabbing, opening, reading, recording, steering
from bench.result import Result
import click
from tabulate import tabulate

SUITES: dict[str, Callable[[], Iterator[Result]]] = {
    "recording": recording.measure,
    "steering": steering.measure,
    "reading": reading.measure,
    "opening": opening.measure,
    "crash": crash.measure,
    "grabbing": grabbing.measure,
}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SUITES)))
def main(names: tuple[str, ...]) -> None:
    """Measure, and say what was to be reached."""
    print(f"{_processor()}, {os.cpu_count()} CPUs, Linux {platform.release()}")
    rows = []
    for name in names or SUITES:
        for result in SUITES[name]():
            rows.append(result.row())
            print(f"  {name}: {result.name}: {result.text}", file=sys.stderr)
    print(tabulate(rows, ["what", "median", "min .. max", "target", ""], disable_numparse=True))


main()
