# SPDX-License-Identifier: GPL-2.0-or-later
"""Real dumps for the tests, each made once, whoever asks first."""

from collections.abc import Callable
import fcntl
from functools import partial
import hashlib
from pathlib import Path
import shutil
import signal

from captures import capture_words
from dumps import KERNELS, Dump, Lab, Once, Run, run_lab, run_lkst
from hypothesis import HealthCheck, settings
import pytest
from schedule import Scheduling, in_order

# In the background a shell has SIGINT ignored, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Guests run at the same time: that something took long says nothing.
settings.register_profile("lkst", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lkst")

#: Words for the lab. One of the dumps has its vmlinux beside it: crash(8) wants one, and that
#: of Debian 12 is too old to open the later kernels without help and without dying of it.
STORY = {kernel: ["--scenario", "story"] for kernel in KERNELS}
STORY["6.1"].append("--debuginfo")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    config.option.loadscopereorder = False
    return Scheduling(config, log)


#: Mark of a test, by a fixture that it uses.
MARKS = {"once": "guest", "lkst": "slow"}
#: A test without any of these is quick.
LONG = {"guest", "browser", "slow"}


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    fixtures = getattr(item, "fixturenames", ())
    marks = {mark for fixture, mark in MARKS.items() if fixture in fixtures}
    # hypothesis tries a hundred inputs. It marks its tests, but later.
    if getattr(getattr(item, "function", None), "is_hypothesis_test", False):
        marks.add("slow")
    if not marks and not LONG & {mark.name for mark in item.iter_markers()}:
        marks.add("quick")
    for mark in marks:
        item.add_marker(mark)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = in_order(items)


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """Give a function that has a folder filled by whoever asks for it first, of all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "shared"
    shared.mkdir(exist_ok=True)

    def fill(name: str, make: Callable[[Path], object]) -> Path:
        folder = shared / name
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            made = shared / f"{name}.made"
            if not made.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                made.touch()
        return folder

    return fill


@pytest.fixture(scope="session")
def lab(once: Once) -> Lab:
    """Give a function that makes a dump, or gives the one made of the same words before."""

    def run(kernel: str, *words: str, script: str | None = None) -> Dump:
        key = hashlib.sha256("\0".join((kernel, *words, script or "")).encode()).hexdigest()[:16]
        make = partial(run_lab, kernel, words, script)
        return Dump(kernel, once(f"{kernel}-{key}", make))

    return run


@pytest.fixture(scope="session", params=KERNELS)
def story(request: pytest.FixtureRequest, lab: Lab) -> Dump:
    """Give a dump of each kernel with a known story in it."""
    return lab(request.param, *STORY[request.param])


@pytest.fixture(scope="session")
def story_6_1(lab: Lab) -> Dump:
    """Give the one of the oldest kernel, with its vmlinux."""
    return lab("6.1", *STORY["6.1"])


@pytest.fixture(scope="session")
def kdump_6_1(lab: Lab, once: Once) -> Dump:
    """Give one that its own capture kernel has taken, flattened, when the hooks had run there."""
    return lab("6.1", *capture_words(once))


@pytest.fixture(scope="session")
def lkst() -> Run:
    """Give a function that runs the program as its user would."""
    return run_lkst
