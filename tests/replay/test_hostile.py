# SPDX-License-Identifier: GPL-2.0-or-later
"""
Whatever lies in memory, it is shown without harm: nothing raises, no control
character comes out, and every record is one line.
"""

import csv
import io
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import EventSpec, FieldSpec, Synthetic

from lkst.abi import layout
from lkst.abi.layout import Place
from lkst.decode.counts import read_counts
from lkst.errors import Damaged
from lkst.replay.counts import show_counts
from lkst.replay.events import show_events
from lkst.replay.formats import PRINTED
from lkst.replay.listing import list_json, list_text
from lkst.replay.numbers import NAMERS
from lkst.replay.serialize import replay_csv, replay_jsonl
from lkst.replay.stacks import Stacks, has_stacks
from lkst.replay.text import replay_text, text_lines
from lkst.replay.times import TIMES
from lkst.trace.facts import Facts, Names
from lkst.trace.filters import Filters, apply
from lkst.trace.trace import Trace, build_trace

TYPES = [
    *NAMERS,
    "event",
    "bool",
    "u16",
    "u64",
    "s16",
    "s64",
    "hex",
    "pid",
    "comm",
    "name",
    "text",
    "?",
]
FIELDS = ["a", "b", "compat", "pid"]

nasty = st.text(st.sampled_from("ab=\" \\'\x1b\n\0\x7f\x9b\u202e,é") | st.characters(), max_size=12)
garbage = st.binary(max_size=layout.SLOT_SIZE - 8) | st.integers(0, 255).map(
    lambda x: bytes([x]) * 56
)


words = st.integers(0, 12) | st.integers(-(2**64), 2**64)


@st.composite
def events(draw: st.DrawFn) -> list[EventSpec]:
    made = []
    for index in range(draw(st.integers(1, 3))):
        fields = []
        room = layout.PAYLOAD_SIZE
        for _ in range(draw(st.integers(0, 4))):
            size = draw(st.sampled_from([1, 2, 4, 8, 16, 3, 20]))
            if size <= room:
                room -= size
                names = draw(st.sampled_from(FIELDS)), draw(st.sampled_from([*FIELDS, ""]))
                fields.append(FieldSpec(draw(st.sampled_from(TYPES)), *names, size))
        category = draw(st.sampled_from(["trouble", "console", "sched", 'a"b,{}%s']))
        name = draw(st.sampled_from(["panic", f"event{index}"])) if index == 0 else f"event{index}"
        made.append(EventSpec(name, category, "OLD_%d{}", fields=tuple(fields)))
    return made


def what(cpu: int) -> st.SearchStrategy[int]:
    """Make second words of slots that may well be taken for a record's."""
    return st.builds(
        lambda event, pid, nr, flags: (
            event
            | cpu << layout.CPU_SHIFT
            | pid << layout.PID_SHIFT
            | nr << layout.NR_SHIFT
            | flags << layout.FLAGS_SHIFT
        ),
        st.integers(0, 3),
        st.integers(0, 3) | st.integers(0, layout.PID_MASK),
        st.integers(0, 4) | st.integers(0, 31),
        st.integers(0, 31),
    )


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    made = Synthetic(
        draw(events()), nr_cpus=2, nr_slots=8, more=draw(st.just({}) | st.just({"b": 4}))
    )
    made.real_offset = draw(st.integers(-(2**63), 2**63 - 1))
    made.start = draw(st.integers(0, 2**64 - 1))
    for cpu in range(2):
        made.heads[cpu] = count = draw(st.integers(0, 10))
        for seq in range(count):
            contents = draw(what(cpu)).to_bytes(8, "little")
            contents += draw(st.integers(0, 100) | st.integers(0, 2**64 - 1)).to_bytes(8, "little")
            rest = (contents + draw(garbage))[:56]
            buffer = draw(st.integers(0, len(made.buffers) - 1))
            made.buffers[buffer].heads[cpu] = max(made.buffers[buffer].heads[cpu], seq)
            made.slot(cpu, seq, rest, committed=draw(st.booleans()), buffer=buffer)
    image = made.image()
    image.suppressed = draw(st.none() | st.dictionaries(st.integers(0, 300), st.integers(0, 2**64)))
    image.control = draw(st.just(image.control) | st.binary())
    image.cpus = draw(st.just(image.cpus) | st.binary())
    image.counts = draw(st.just(image.counts) | st.binary())
    for told in image.buffers:
        told.name = draw(st.just(told.name) | nasty)
        told.state = draw(st.sampled_from(layout.BUFFER_STATES))
        told.places = draw(
            st.just(told.places) | st.lists(st.builds(Place, words, words), max_size=3)
        )
        told.heads_before = draw(st.none() | st.lists(words, max_size=3))
        told.lows = draw(st.none() | st.lists(words, max_size=3))
        told.unreadable = draw(st.lists(st.tuples(words, words), max_size=2))
    image.buffers += draw(st.lists(st.sampled_from(image.buffers), max_size=1))
    image.faults = draw(st.lists(nasty, max_size=2))
    names = Names(
        syscalls=draw(st.dictionaries(st.integers(0, 3), nasty)),
        softirqs=draw(st.lists(nasty, max_size=3)),
        gfp_flags=draw(st.lists(st.tuples(st.integers(0, 15), nasty), max_size=3)),
        enums={"req_op": draw(st.dictionaries(st.integers(0, 3), nasty))},
        symbol=draw(st.sampled_from([lambda address: None, lambda address: "f\x1b[0m \u202e="])),
    )
    comm = draw(nasty)
    facts = Facts(
        source=draw(nasty),
        kind=draw(nasty),
        release=draw(nasty),
        version=draw(nasty),
        machine=draw(nasty),
        arch=draw(nasty),
        panic_message=draw(nasty),
        task_name=lambda pid: comm,
        notes=[comm],
        names=names,
    )
    return build_trace(image, facts)


_settings = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def is_harmless(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


@_settings
@given(trace=traces(), time=st.sampled_from(TIMES))
def test_replay(trace: Trace, time: str) -> None:
    assert is_harmless("".join(replay_text(trace, time=time)))
    written = "".join(text_lines(trace)).splitlines()
    stacks = sum(map(len, Stacks(trace.facts.names).write(trace)[1]))
    assert len(written) == len(trace) + stacks
    assert sum(line.startswith(" " * 16) for line in written) == stacks
    # With colours there is no escape but ours.
    shown = "".join(text_lines(trace, colour=True))
    for code in (0, 1, 32, 33, 34, 35, 36, "1;31"):
        shown = shown.replace(f"\x1b[{code}m", "")
    assert shown == "".join(text_lines(trace))


@_settings
@given(trace=traces())
def test_replay_for_programs(trace: Trace) -> None:
    text = "".join(replay_jsonl(trace))
    assert is_harmless(text)
    records = [json.loads(line) for line in text.splitlines()]
    assert [record["ts"] for record in records] == trace.ts.tolist()
    text = "".join(replay_csv(trace))
    assert is_harmless(text)
    rows = list(csv.reader(io.StringIO(text), strict=True))
    assert [len(row) for row in rows] == [7 + has_stacks(trace)] * (1 + len(trace))
    assert [int(row[2]) for row in rows[1:]] == trace.pid.tolist()


@_settings
@given(trace=traces())
def test_lists(trace: Trace) -> None:
    for text in (list_text(trace), list_json(trace)):
        assert is_harmless(text)
    for text in (show_events(trace.catalogue, None, form) for form in PRINTED):
        assert is_harmless(text)
    counts = read_counts(trace.image, trace.catalogue)
    for text in (show_counts(counts, trace.catalogue, form) for form in PRINTED):
        assert is_harmless(text)


@_settings
@given(
    trace=traces(),
    filters=st.builds(
        Filters,
        cpus=st.none() | st.frozensets(st.integers(0, 3)),
        pids=st.none() | st.frozensets(st.integers(0, 3)),
        comms=st.none() | st.just(("*a*",)),
        last=st.none() | st.integers(1, 5),
        since=st.none() | st.integers(-50, 50),
    ),
)
def test_filters(trace: Trace, filters: Filters) -> None:
    chosen = apply(trace, filters)
    assert len(chosen) <= len(trace)
    assert is_harmless("".join(replay_text(chosen)))


@_settings
@given(st.binary(max_size=300), st.integers(0, 2048))
def test_a_catalogue_with_random_bytes_in_it(junk: bytes, at: int) -> None:
    made = Synthetic(nr_slots=8)
    made.record(0, 1, 1, "sched_switch", prev_comm="a\x1b")
    made.record(1, 2, 0, "console", text="b\x1b")
    image = made.image()
    image.catalogue = image.catalogue[: 2048 + at] + junk + image.catalogue[2048 + at + len(junk) :]
    try:
        trace = build_trace(image, Facts())
    except Damaged:
        return
    for text in (
        "".join(replay_text(trace)),
        list_text(trace),
        show_events(trace.catalogue, None, "text"),
    ):
        assert is_harmless(text)
    assert len("".join(replay_jsonl(trace)).splitlines()) == len(trace)
