# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever the records hold, every table and every measure has an answer."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import Synthetic, recorder_events

from lkst.measure.find import find_measures
from lkst.measure.run import run_measure
from lkst.sql.connect import connect
from lkst.sql.views import VIEWS

EVENTS = recorder_events()
EXTREMES = (0, 1, 7, 1 << 21, (1 << 22) - 1, 1 << 31, 1 << 32, 1 << 63, (1 << 64) - 1)
NAMES = (b"", b"\0", b"\x1b[2J", b"\xff\xfe" * 8, "\u202e\u2028".encode(), b"'; DROP TABLE events")


@st.composite
def recorders(draw: st.DrawFn) -> Synthetic:
    made = Synthetic(nr_cpus=2, nr_slots=64)
    choices = st.tuples(
        st.sampled_from(EVENTS),
        st.integers(0, 1),
        st.sampled_from(EXTREMES) | st.integers(0, 40),
        st.sampled_from((0, 7, 8, (1 << 22) - 1)),
        st.booleans(),
    )
    for event, cpu, ts, pid, lost in draw(st.lists(choices, max_size=40)):
        values: dict[str, Any] = {}
        for field in event.fields:
            named = field.type in ("comm", "name", "text")
            values[field.name] = draw(st.sampled_from(NAMES if named else EXTREMES))
        made.record(cpu, ts, pid, event.name, **values)
        made.heads[cpu] += lost
    return made


@given(recorders())
@settings(max_examples=8)
def test_records_hold_anything(made: Synthetic) -> None:
    trace = made.trace()
    connection = connect(trace)
    for name in VIEWS:
        connection.execute(f"SELECT * FROM {name}").fetchall()
    for measure in find_measures().values():
        run_measure(connection, trace, measure)
