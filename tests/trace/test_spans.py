# SPDX-License-Identifier: GPL-2.0-or-later
"""Records are summed up by a column."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from lkst.trace import spans


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_as_counted_one_by_one(column: list[int], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_BLOCK", block)
        times = np.arange(100, 100 + len(column))
        found = spans.find_spans(np.array(column, np.int64), times)
    assert found == {
        value: (
            column.count(value),
            100 + column.index(value),
            99 + len(column) - column[::-1].index(value),
        )
        for value in set(column)
    }
