# SPDX-License-Identifier: GPL-2.0-or-later
"""Converting sched_clock() to other clocks."""

from lkst.locate.schedclock import SchedClock

S = 10**9


def test_a_stable_one_is_a_constant_away() -> None:
    assert SchedClock("local", offset=-5).convert(100, 3) == (95, 0)


def test_of_an_unstable_one_the_last_tick_is_known() -> None:
    # It runs one part in ten too fast, on CPU 1.
    clock = SchedClock("mono", ticks=((0, 0), (110 * S, 100 * S)))
    assert clock.convert(110 * S, 1) == (100 * S, 0)
    ts, error = clock.convert(99 * S, 1)
    assert abs(ts - 90 * S) < 1000
    # Older ones are less sure.
    assert 0 < error < clock.convert(50 * S, 1)[1] < S
