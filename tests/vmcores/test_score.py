# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparing suspicions with the truth."""

import pytest
from score import Score, names_of, place_of

TRUTH = {"when": 12.5, "task": ["keeper", "odd name"], "lock": ["kept_mutex"], "device": ["8:0"]}


def test_all_names_of_a_truth_count() -> None:
    assert names_of(TRUTH) == {"keeper", "odd name", "kept_mutex", "8:0"}


@pytest.mark.parametrize(
    ("culprits", "place"),
    [
        (["keeper:12"], 1),
        (["other:3", "kept_mutex"], 2),
        (['"odd name":7'], 1),
        (["8:0"], 1),
        (["8:01", "gatekeeper:1", "kept_mutex2"], None),
        ([], None),
    ],
)
def test_the_place_of_the_culprit(culprits: list[str], place: int | None) -> None:
    assert place_of(culprits, names_of(TRUTH)) == place


def test_only_the_first_ones_count() -> None:
    assert Score("7", "x", 3, ["a", "b", "c"]).is_right
    assert not Score("7", "x", 4, ["a", "b", "c", "d"]).is_right
    assert "MISSED" in str(Score("7", "x", None, ["a"]))
    assert "no kernel" in str(Score("7", "x", problem="no kernel"))
