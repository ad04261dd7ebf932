# SPDX-License-Identifier: GPL-2.0-or-later
"""Each file of recorder/ includes what it uses, and only files above it."""

from graphlib import TopologicalSorter
from pathlib import Path
import platform
import re
import subprocess

import pytest

pytestmark = pytest.mark.slow

RECORDER = Path(__file__).parents[2] / "recorder"
#: A table that others include several times: it has no guard and does not compile alone.
TABLE = "events.h"
FILES = sorted(path.name for path in RECORDER.glob("*.[ch]") if path.name != TABLE)


def included(name: str) -> list[str]:
    """Return the files of recorder/ that a file includes."""
    return re.findall(r'^#include "(.*)"', (RECORDER / name).read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_compiles_alone(name: str) -> None:
    """A header compiles twice as well: it has a guard."""
    times = 2 if name.endswith(".h") else 1
    command = "clang -fsyntax-only -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wextra -Werror"
    folders = f"-I/usr/include/{platform.machine()}-linux-gnu -I{RECORDER}"
    result = subprocess.run(
        [*command.split(), "-Wno-unused-parameter", *folders.split(), "-xc", "-"],
        input=f'#include "{name}"\n' * times,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_no_circle_of_includes() -> None:
    graph = {path.name: included(path.name) for path in RECORDER.glob("*.[ch]")}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("slot.h") < order.index("record.h")
