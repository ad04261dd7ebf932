# SPDX-License-Identifier: GPL-2.0-or-later
"""crash(8) with the extension, on real dumps."""

from collections.abc import Iterator
from pathlib import Path
import subprocess

from crashes import Crash, gone
from dumps import ROOT, Dump
import pytest


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the extension."""
    path = tmp_path_factory.mktemp("crash") / "lkst.so"
    subprocess.run([ROOT / "dev", "crash-ext", path], check=True)
    return path


@pytest.fixture
def crash(extension: Path, story_6_1: Dump, tmp_path: Path) -> Iterator[Crash]:
    """Give crash on the dump of the oldest kernel; it is to leave no process behind."""
    session = Crash(extension, story_6_1, tmp_path)
    yield session
    assert session.pids(), "no process was started: nothing is tested here"
    assert gone(session.pids())
