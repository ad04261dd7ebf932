# SPDX-License-Identifier: GPL-2.0-or-later
"""When there are colours."""

import io

import pytest

from lkst.replay.colour import category_colour, use_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"TERM": "xterm"}, True),
        ({}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_on_a_terminal(
    environment: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert use_colour(Terminal()) is wanted
    assert use_colour(io.StringIO()) is False


def test_categories() -> None:
    assert category_colour("sched") == "\x1b[32m"
    assert category_colour("no such") == ""
