# SPDX-License-Identifier: GPL-2.0-or-later
"""Rings become one sequence in the order of time, in pieces and in threads as at once."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest
from synthetic import Synthetic

from lkst.decode import merge, records, scan
from lkst.decode.merge import RingColumns, put_in_order
from lkst.trace.trace import Trace

#: Mostly in order, as a CPU writes them.
ring = st.lists(
    st.integers(0, 40) | st.integers(0, 2**64 - 1) | st.integers(30, 60), max_size=60
) | st.lists(st.integers(0, 100), max_size=60).map(sorted)


def columns(times: list[int], start: int) -> RingColumns:
    first = np.arange(start, start + len(times))
    return RingColumns(
        np.array(times, np.uint64), first.astype(np.uint64) * 3, first, first.astype(np.uint8)
    )


@given(st.lists(ring, max_size=5), st.integers(1, 50), st.integers(1, 9))
def test_as_a_stable_sort(rings: list[list[int]], piece: int, sample: int) -> None:
    parts: list[RingColumns] = []
    start = 0
    for ring_times in rings:
        parts.append(columns(ring_times, start))
        put_in_order(parts[-1])
        start += len(ring_times)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merge, "_PIECE", piece)
        patch.setattr(merge, "_SAMPLE", sample)
        merged = merge.merge(parts)
    times = [ts for ring_times in rings for ts in ring_times]
    order = sorted(range(len(times)), key=lambda row: times[row])
    assert merged.first.tolist() == order
    assert merged.ts.tolist() == [times[row] for row in order]
    assert merged.what.tolist() == [row * 3 for row in order]
    assert merged.flags.tolist() == [row % 256 for row in order]


def shown(trace: Trace) -> list[object]:
    words = [trace.records.slots[part].tolist() for part in trace.records.parts()]
    return [words, trace.flags.tolist(), trace.ts.tolist(), trace.records.losses]


def test_blocks_and_threads_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Synthetic(nr_slots=128)
    for number in range(150):
        text = "x" * (number % 300)
        late = 40 * (number % 7 == 0)
        made.record(number % 2, 1000 + 10 * number - late, 7, "console", text=text)
    made.record(0, 9000, 7, "sys_exit", committed=False)
    made.slot(1, 5, b"\xff" * 40)
    whole = made.trace()
    assert whole.records.losses[0].in_flight == 1
    monkeypatch.setattr(records, "_LARGE", 1)
    monkeypatch.setattr(merge, "_PIECE", 8)
    monkeypatch.setattr(scan, "BLOCK", 7)
    assert (shown(made.trace()) == shown(whole)) is True


def test_what_the_columns_say() -> None:
    made = Synthetic(nr_cpus=3, more={"other": 64})
    for number in range(30):
        made.record(number % 3, number, 4_000_000 + number, "sys_enter", buffer=number % 2)
    trace = made.trace()
    assert trace.ts.tolist() == list(range(30))
    assert trace.cpu.tolist() == [number % 3 for number in range(30)]
    assert trace.pid.tolist() == [4_000_000 + number for number in range(30)]
    assert trace.buffer.tolist() == [number % 2 for number in range(30)]
    assert set(trace.event.tolist()) == {made.id("sys_enter")}
    backwards = trace.select(slice(None, None, -1))
    assert backwards.pid.tolist() == trace.pid.tolist()[::-1]
    assert backwards.position.tolist() == list(range(29, -1, -1))
