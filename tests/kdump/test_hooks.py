# SPDX-License-Identifier: GPL-2.0-or-later
"""
The hooks in a capture kernel, as the services of the distributions call them, and
all that can go wrong there: capture.sh. The systems themselves are not to be had: what is
kept to is their contract.
"""

from dataclasses import dataclass
from pathlib import Path

from dumps import Dump, run_lkst
import pytest

#: What hooks may take, and what the emulated machine may take to end them, busy as it may be:
#: one that hangs does so for ever.
SECONDS = 20
SLACK = 100
#: What that may take which hangs.
IMPATIENT = 3


@dataclass
class Said:
    """What came of a hook."""

    status: int
    seconds: int
    text: str
    #: On the target, afterwards.
    files: list[str]


class Capture:
    """What the capture kernel has left."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.folder = dump.out / "capture"

    def __getitem__(self, name: str) -> Said:
        def read(end: str) -> str:
            return (self.folder / f"{name}.{end}").read_text()

        said = Said(int(read("status")), int(read("seconds")), read("said"), read("files").split())
        # Whatever happened, the dump goes on, and soon.
        assert said.status == 0, said.text
        assert said.seconds <= SECONDS + SLACK
        return said

    def records(self, name: str, status: int = 0) -> str:
        return _records(self.folder / "saved" / name, status)


def _records(source: Path, status: int = 0) -> str:
    result = run_lkst("replay", source, "--format", "jsonl")
    assert result.status == status, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def capture(kdump_6_1: Dump) -> Capture:
    """Give what came of all hooks, run one after the other before one dump."""
    return Capture(kdump_6_1)


@pytest.fixture(scope="module")
def whole(capture: Capture) -> str:
    """Give the records of the dump, which nothing has kept from being taken."""
    records = _records(capture.dump.vmcore)
    assert '"event":"panic"' in records
    return records


def test_fedora(capture: Capture, whole: str) -> None:
    (grab,) = [name for name in capture["fedora-before"].files if name.endswith("/grab")]
    assert grab.startswith("./var/crash/lkst-")
    # Afterwards it is beside the dump.
    (grab,) = [name for name in capture["fedora-after"].files if name.endswith("/grab")]
    assert grab.startswith("./var/crash/127.0.0.1-")
    assert capture.records("fedora") == whole


def test_suse(capture: Capture, whole: str) -> None:
    assert "by the list of its pages" in capture["suse-before"].text
    assert capture.records("suse") == whole


def test_a_dump_that_fails(capture: Capture, whole: str) -> None:
    """The target is full; what was saved before is there."""
    assert int((capture.folder / "makedumpfile.status").read_text()) != 0
    assert any(name.endswith("/grab") for name in capture["dump-fails"].files)
    assert capture.records("dump-fails") == whole


@pytest.mark.parametrize("name", ["no-list", "wrong-list"])
def test_without_a_good_list(name: str, capture: Capture, whole: str) -> None:
    assert "by looking at all memory" in capture[name].text
    assert capture.records(name, status=3) == whole


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("full", "No space left on device"),
        ("read-only", "Read-only file system"),
        ("hang", f"not done after {IMPATIENT - 1} s"),
        ("stuck", f"the hook was not done after {IMPATIENT} s"),
        ("no-dumps", "no /var/crash"),
        ("no-program", "not found"),
    ],
)
def test_nothing_is_saved_and_it_is_said(name: str, said: str, capture: Capture) -> None:
    result = capture[name]
    assert said in result.text
    assert not [file for file in result.files if "grab" in file]


@pytest.mark.parametrize("name", ["hang", "stuck"])
def test_what_hangs_is_ended_by_a_timer(name: str, capture: Capture) -> None:
    assert IMPATIENT - 2 <= capture[name].seconds < SECONDS


def test_without_a_place_for_its_log(capture: Capture) -> None:
    assert any(name.endswith("/grab") for name in capture["no-run"].files)


def test_no_target_has_changed_the_dump(whole: str, capture: Capture) -> None:
    """It is as large as it is without hooks, and holds the story."""
    ends = {step["comm"] for step in capture.dump.story if step["step"] == "fork"}
    assert ends
    assert all(f'"{comm}"' in whole for comm in ends)
