# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of parts that are alike and of texts of any length."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from lkst.replay.cells import Part, decimal, matrix
from lkst.replay.lines import Lines

#: The same for all: what was there before makes no difference.
LINES = Lines()

texts = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=5)


@pytest.mark.slow
@given(st.data())
def test_as_written_one_by_one(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 20))
    column = st.lists(texts, min_size=count, max_size=count)

    def draw(rows: int) -> tuple[list[Part], list[str]]:
        parts: list[Part] = []
        lines = [""] * rows
        for kind in data.draw(st.lists(st.sampled_from(["same", "cells", "number", "any"]))):
            own = data.draw(column)[:rows]
            if kind == "same":
                own = [own[0]] * rows
                parts.append(own[0].encode())
            elif kind == "cells":
                parts.append(matrix([text.encode() for text in own]))
            elif kind == "any":
                parts.append([text.encode() for text in own])
            else:
                numbers = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=1))
                own = [str(numbers[0] >> row) for row in range(rows)]
                parts.append(decimal(np.array([int(text) for text in own], np.uint64)))
            lines = [line + text for line, text in zip(lines, own, strict=True)]
        return parts, lines

    before, lines = draw(count)
    which = data.draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    groups = []
    for group in range(3):
        rows = np.flatnonzero(np.array(which) == group)
        if len(rows):
            parts, own = draw(len(rows))
            groups.append((rows, parts))
            for row, text in zip(rows.tolist(), own, strict=True):
                lines[row] += text
    ends = data.draw(st.dictionaries(st.integers(0, count - 1), texts))
    meant = "".join(line + ends.get(row, "|end") for row, line in enumerate(lines))
    encoded = {row: text.encode() for row, text in ends.items()}
    assert LINES.assemble(count, before, groups, b"|end", encoded) == meant
