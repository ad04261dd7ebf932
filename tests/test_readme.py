# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/README.md says of each folder where its tests are."""

from pathlib import Path
import re

TESTS = Path(__file__).parent
ROOT = TESTS.parent
ROW = re.compile(r"^\| `([\w/]+)` \| (.*) \|$", re.MULTILINE)


def rows() -> dict[str, list[str]]:
    return {
        folder: re.findall(r"`([\w*/.]+)`", tests)
        for folder, tests in ROW.findall((TESTS / "README.md").read_text())
    }


def test_each_folder_has_its_tests() -> None:
    folders = {
        str(module.parent.relative_to(ROOT))
        for module in ROOT.glob("lkst/**/*.py")
        if module.name != "__init__.py" and module.parent != ROOT / "lkst"
    }
    assert folders - rows().keys() == set()


def test_what_it_names_is_there() -> None:
    missing = [
        (folder, name)
        for folder, names in rows().items()
        for name in [f"../{folder}", *names]
        if not list(TESTS.glob(name)) and not (TESTS / name).exists()
    ]
    assert not missing
    assert all(rows().values())
