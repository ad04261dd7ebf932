# SPDX-License-Identifier: GPL-2.0-or-later
"""Real dumps for the tests, each made once, whoever asks first."""

import fcntl
import hashlib

from dumps import KERNELS, Dump, Lab, Run, run_lab, run_lkst
from hypothesis import HealthCheck, settings
import pytest

# Guests run at the same time: that something took long says nothing.
settings.register_profile("lkst", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lkst")

#: Words for the lab; crash(8) wants a vmlinux.
STORY = ("--scenario", "story", "--debuginfo")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Lab:
    """Give a function that makes a dump, or gives the one made of the same words before."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "dumps"
    shared.mkdir(exist_ok=True)

    def run(kernel: str, *words: str, script: str | None = None) -> Dump:
        key = hashlib.sha256("\0".join((kernel, *words, script or "")).encode()).hexdigest()[:16]
        folder = shared / f"{kernel}-{key}"
        with (shared / f"{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "console.log").exists():
                run_lab(kernel, words, script, folder)
        return Dump(kernel, folder)

    return run


@pytest.fixture(scope="session", params=KERNELS)
def story(request: pytest.FixtureRequest, lab: Lab) -> Dump:
    """Give a dump of each kernel with a known story in it."""
    return lab(request.param, *STORY)


@pytest.fixture(scope="session")
def story_6_1(lab: Lab) -> Dump:
    """Give the one of the oldest kernel, with its vmlinux."""
    return lab("6.1", *STORY)


@pytest.fixture(scope="session")
def lkst() -> Run:
    """Give a function that runs the program as its user would."""
    return run_lkst
