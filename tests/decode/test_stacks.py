# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks in the last slots of records."""

import numpy as np
import pytest
from synthetic import Synthetic

from lkst.abi import layout
from lkst.decode.ring import IN_FLIGHT, STACK, TORN
from lkst.trace.trace import Trace

FRAMES = [0xFFFF_FFFF_8100_0000 + 16 * n for n in range(1, 25)]


def stacks(trace: Trace) -> list[list[int]]:
    return trace.stack(np.arange(len(trace)))


def texts(trace: Trace) -> list[str]:
    (event,) = [e for e in trace.catalogue.events.values() if e.name == "console"]
    return trace.texts(event.fields[0], trace.rows(event))


@pytest.mark.parametrize("depth", [1, 5, 6, 7, 23, 24])
def test_depths(depth: int) -> None:
    story = Synthetic()
    story.record(0, 1, 7, "sys_enter", arg0=1)
    story.record(0, 2, 7, "sys_enter", stack=FRAMES[:depth], arg0=2)
    story.record(1, 3, 7, "sys_enter", arg0=3)
    trace = story.trace()
    assert stacks(trace) == [[], FRAMES[:depth], []]
    assert trace.flags.tolist() == [0, STACK, 0]


@pytest.mark.parametrize("length", [10, 38, 39, 200, 1000])
def test_text_comes_before_the_stack(length: int) -> None:
    story = Synthetic(nr_slots=64)
    text = "".join(chr(ord("a") + n % 26) for n in range(length))
    # Over the ring's end, and not.
    for ts in range(1, 5):
        story.record(0, ts, 7, "console", stack=FRAMES, text=text)
    trace = story.trace()
    assert texts(trace) == [text] * len(trace)
    assert stacks(trace) == [FRAMES] * len(trace)
    assert len(trace) >= 2
    assert trace.records.losses[0].torn == 0


def test_text_that_claims_to_be_longer_does_not_take_the_stack() -> None:
    story = Synthetic()
    seq = story.record(0, 1, 7, "console", stack=FRAMES, text="short")
    at = seq * 64 + layout.PAYLOAD_OFFSET
    story.rings[at : at + 2] = (1000).to_bytes(2, "little")
    assert texts(story.trace()) == ["short".ljust(38, "\0")]


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_slot_of_the_stack_is_damaged(lost: int) -> None:
    story = Synthetic()
    seq = story.record(0, 1, 7, "sys_enter", stack=FRAMES)
    story.record(0, 2, 7, "sys_enter", arg0=2)
    at = (seq + lost) * 64
    story.rings[at : at + 8] = b"\xaa" * 8
    trace = story.trace()
    assert trace.flags.tolist() == [STACK | TORN, 0]
    # Up to where it is lost.
    assert stacks(trace) == [FRAMES[: 6 * (lost - 1)], []]


@pytest.mark.parametrize("nr", range(5))
def test_flag_with_too_few_slots(nr: int) -> None:
    story = Synthetic()
    seq = story.record(0, 1, 7, "console", text="x" * 150)
    story.record(0, 2, 7, "sys_enter", arg0=2)
    what = int.from_bytes(story.rings[seq * 64 + 8 : seq * 64 + 16], "little")
    what &= ~(layout.NR_MASK << layout.NR_SHIFT)
    what |= nr << layout.NR_SHIFT | layout.FLAG_STACK << layout.FLAGS_SHIFT
    story.rings[seq * 64 + 8 : seq * 64 + 16] = what.to_bytes(8, "little")
    trace = story.trace()
    assert stacks(trace) == [[]] * len(trace)
    if nr:
        assert trace.flags.tolist() == [STACK | TORN, 0]
        assert texts(trace) == ["x" * 38]


def test_in_flight() -> None:
    story = Synthetic()
    story.record(0, 1, 7, "sys_enter", arg0=1)
    story.record(0, 2, 7, "sys_enter", stack=FRAMES, committed=False)
    trace = story.trace()
    assert trace.flags.tolist() == [0, IN_FLIGHT]
    assert stacks(trace) == [[], []]
    assert trace.records.losses[0].in_flight == 5
