# SPDX-License-Identifier: GPL-2.0-or-later
"""Some records without the others: what is shown is the same as when all are decoded."""

from collections.abc import Iterator
import random

from plenty import plenty
import pytest
from synthetic import EventSpec, FieldSpec, Synthetic, recorder_events

from lkst.abi import layout
from lkst.cli.source import report_damage
from lkst.decode import scan
from lkst.decode import tail as rings
from lkst.decode.image import Image
from lkst.replay.text import replay_text
from lkst.trace import filters
from lkst.trace import trace as trace_module
from lkst.trace.facts import Facts
from lkst.trace.filters import Filters, apply
from lkst.trace.names import tail
from lkst.trace.trace import Trace, build_trace

HIT = (FieldSpec("u32", "n"),)

WAYS = (
    *(Filters(last=last) for last in (1, 2, 3, 7, 20, 60, 200, 10**6)),
    Filters(last=5, cpus=frozenset([1])),
    Filters(last=3, pids=frozenset([3, 5])),
    Filters(last=4, comms=("task[2-4]",)),
    Filters(last=2, events=("console",)),
    Filters(last=10, buffers=("main",)),
    Filters(last=4, until=-200),
    Filters(last=4, since=-50),
    Filters(since=-300),
    Filters(since=-10, events=("sched_*",)),
    Filters(since=-(10**12)),
    Filters(cpus=frozenset([1])),
    Filters(pids=frozenset([3, 5])),
    Filters(pids=frozenset([0, 4]), until=-200),
    Filters(pids=frozenset([7]), comms=("task[2-4]", "new*")),
    Filters(events=("console", "hit")),
    Filters(events=("sys_enter",), pids=frozenset([2]), around=-300),
    Filters(events=("sched_*",), buffers=("main",)),
    Filters(last=50, pids=frozenset([6]), events=("console",)),
)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have small traces looked at as large ones are."""
    monkeypatch.setattr(rings, "_MIN_SLOTS_FOR_TAIL", 1)
    monkeypatch.setattr(rings, "_TAIL_DIVISOR", 1)
    monkeypatch.setattr(rings, "_SELECTIVE_DIVISOR", 1)
    monkeypatch.setattr(rings, "SAMPLE", 1)
    monkeypatch.setattr(scan, "SAMPLE", 1)
    monkeypatch.setattr(scan, "BLOCK", 8)
    monkeypatch.setattr(tail, "_MIN_EXTRA_RECORDS", 8)
    monkeypatch.setattr(filters, "_FIRST_TAIL_RECORDS", 8)
    monkeypatch.setattr(trace_module, "_PANIC_SEARCH_ROWS", 8)


def story(seed: int) -> Image:
    """Make up a recorder in which all happens that can happen to records."""
    chance = random.Random(seed)
    # What a probe has recorded before it was there was recorded by another one.
    probe = EventSpec("hit", "probe", fields=HIT, since=chance.choice([0, 1, 2000]))
    made = Synthetic(
        events=(*recorder_events(), probe),
        nr_cpus=chance.choice([1, 2, 3]),
        nr_slots=chance.choice([64, 256, 512]),
        more=chance.choice([{}, {}, {"other": 64}]),
    )
    # Which CPU is busy, and which is hardly.
    cpus = chance.choices(range(made.nr_cpus), k=4)
    clock = 1000
    for number in range(chance.randrange(1000)):
        clock += chance.randrange(12)
        cpu, buffer = chance.choice(cpus), chance.randrange(len(made.buffers))
        # An interrupt's record lies before that of what it interrupted.
        ts = clock - chance.choice([0] * 9 + [60])
        pid, other = chance.randrange(8), chance.randrange(8)
        what = chance.random()
        stack = [1 << 63] * chance.choice([0] * 9 + [5, 24])
        committed = chance.random() > 0.02
        if what < 0.1:
            text = "x" * chance.randrange(300)
            made.record(
                cpu, ts, pid, "console", committed=committed, buffer=buffer, stack=stack, text=text
            )
        elif what < 0.4:
            named = {"prev_comm": f"task{pid}", "next_comm": f"task{other}", "next_pid": other}
            if chance.random() < 0.05:
                named["next_comm"] = f"new{number}"
            made.record(cpu, ts, pid, "sched_switch", buffer=buffer, **named)  # type: ignore[arg-type]
        elif what < 0.41:
            # Claimed, and nothing written; or no more than the first word.
            rings = made.buffers[buffer]
            seq = rings.heads[cpu]
            rings.heads[cpu] += chance.randrange(1, 4)
            if chance.random() < 0.5:
                start = (cpu * rings.nr_slots + seq % rings.nr_slots) * layout.SLOT_SIZE
                word = seq | ((made.tag | buffer) ^ 0xFFFF) << layout.SEQ_BITS
                rings.memory[start : start + 8] = word.to_bytes(8, "little")
        elif what < 0.5:
            made.record(cpu, ts, pid, "hit", buffer=buffer, n=number)
        else:
            made.record(cpu, ts, pid, "sys_enter", committed=committed, buffer=buffer, arg0=number)
    if chance.random() < 0.5:
        made.record(0, clock + 1, 3, "panic", message="it ends")
        made.record(0, clock + 9, 3, "console", text="after it")
    for _ in range(chance.choice([0, 0, 0, 1, 5])):
        rings = chance.choice(made.buffers)
        place = chance.randrange(len(rings.memory) // 64) * 64 + chance.choice([0, 8, 16])
        rings.memory[place : place + 5] = chance.randbytes(5)
    image = made.image()
    for each in image.buffers:
        if chance.random() < 0.1:
            each.unreadable = [(chance.randrange(len(each.rings)), 700)]
    return image


def shown(trace: Trace, way: Filters) -> list[object]:
    """Give all that a user sees, and the rows."""
    chosen = apply(trace, way)
    names, codes = chosen.comms()
    records = chosen.records.slots[chosen.records.first].tolist()
    return [
        "".join(replay_text(chosen)),
        [names[code] for code in codes.tolist()],
        [chosen.position.tolist(), chosen.flags.tolist(), records],
        report_damage(trace),
    ]


def difference(image: Image, whole: Trace, way: Filters) -> str:
    """Say which part of what is shown differs, "" if none does."""
    lazy = build_trace(image, Facts())
    pairs = zip(shown(lazy, way), shown(whole, way), strict=True)
    parts = zip(("text", "names", "records", "status"), pairs, strict=True)
    return ", ".join(name for name, (found, right) in parts if found != right)


def decoded(image: Image) -> Trace:
    trace = build_trace(image, Facts())
    assert trace.records is not None and trace.is_decoded
    return trace


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16))
def test_the_same_as_when_all_are_decoded(seed: int) -> None:
    image = story(seed)
    whole = decoded(image)
    differ = {str(way): what for way in WAYS if (what := difference(image, whole, way))}
    assert not differ


@pytest.fixture(name="large")
def _large() -> Iterator[Trace]:
    trace = plenty(1 << 11)
    yield build_trace(trace.image, trace.facts)


def test_no_more_is_decoded_than_needed(large: Trace) -> None:
    whole = decoded(large.image)
    ways = (
        Filters(last=20),
        Filters(last=5, cpus=frozenset([1])),
        Filters(since=-20_000),
        Filters(pids=frozenset([101])),
        Filters(events=("panic",), comms=("task*",)),
        Filters(last=10**4, events=("irq",), until=-1),
    )
    for way in ways:
        assert "".join(replay_text(apply(large, way))) == shown(whole, way)[0]
        assert not large.is_decoded
    assert len(large) == len(whole) == 1 << 12
    assert (large.cpu_spans, large.buffer_spans) == (whole.cpu_spans, whole.buffer_spans)
    assert not large.is_decoded


def test_all_is_decoded_once_if_all_is_wanted(large: Trace) -> None:
    assert "".join(replay_text(apply(large, Filters()))).count("\n") > 1 << 12
    assert large.is_decoded
    # It is not looked over before.
    assert large._lazy._summary is None


def test_all_is_decoded_if_much_is_chosen(large: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "_SELECTIVE_DIVISOR", 32)
    assert len(apply(large, Filters(events=("panic",)))) == 2
    assert not large.is_decoded
    assert len(apply(large, Filters(events=("sys_enter",)))) > len(large) // 32
    assert large.is_decoded


def test_no_ring_that_can_be_used(large: Trace) -> None:
    large.image.buffers[0].number = layout.MAX_BUFFERS
    chosen = apply(large, Filters(pids=frozenset([101])))
    assert (len(chosen), len(large)) == (0, 0)
    assert "invalid number" in "".join(replay_text(chosen))


def test_a_task_that_was_named_long_before() -> None:
    made = Synthetic(nr_cpus=1, nr_slots=1024)
    made.record(0, 1, 7, "sched_switch", prev_comm="old", next_comm="idle", next_pid=9)
    for number in range(900):
        made.record(0, 10 + number, 9, "sched_switch", next_comm=f"busy{number % 2}", next_pid=9)
    made.record(0, 2000, 7, "sys_enter")
    trace = made.trace()
    chosen = apply(trace, Filters(last=1))
    assert ":7 " in "".join(replay_text(chosen))
    assert " old:7 " in "".join(replay_text(chosen))


def test_names_are_not_looked_for_where_none_are_recorded() -> None:
    made = Synthetic(nr_cpus=1, nr_slots=1024)
    for number in range(900):
        made.record(0, 10 + number, 7, "sys_enter")
    trace = made.trace()
    assert " ?:7 " in "".join(replay_text(apply(trace, Filters(last=3))))
    assert not trace.is_decoded


def test_a_panic_long_before_the_end() -> None:
    made = Synthetic(nr_cpus=2, nr_slots=1024)
    made.record(0, 500, 7, "panic", message="early")
    for number in range(900):
        made.record(1, 1000 + number, 7, "sys_enter")
    assert "+0.000001399" in "".join(replay_text(apply(made.trace(), Filters(last=1))))


def test_a_slot_in_flight_that_holds_what_was_there_a_lap_ago() -> None:
    made = Synthetic(nr_cpus=1, nr_slots=64)
    for number in range(200):
        made.record(0, 1000 + number, 7, "sys_enter", arg0=number)
    seq = made.heads[0]
    made.heads[0] += 1
    start = seq % 64 * layout.SLOT_SIZE
    made.rings[start : start + 8] = (seq | (made.tag ^ 0xFFFF) << layout.SEQ_BITS).to_bytes(
        8, "little"
    )
    image = made.image()
    assert difference(image, decoded(image), Filters(last=3)) == ""
