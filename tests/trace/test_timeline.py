# SPDX-License-Identifier: GPL-2.0-or-later
"""What foreign have left, on the clock of the records; all made by hand."""

import json

import pytest
from synthetic import Synthetic

from lkst.errors import NotFound
from lkst.replay.timeline import timeline_jsonl, timeline_text
from lkst.trace.clocks import Offset, Tie, tie_local
from lkst.trace.facts import Facts
from lkst.trace.filters import Filters
from lkst.trace.foreign import Entry, ForeignTrace
from lkst.trace.timeline import Timeline, build_timeline
from lkst.trace.trace import Trace

S = 10**9
#: CLOCK_MONOTONIC - local_clock() of the machine that is made up.
OFFSET = 3 * S + 5


def line(text: str, ts: int) -> Entry:
    return Entry(ts - OFFSET, "dmesg", text)


LOG = [
    line("long before the recorder", 1 * S),
    line("one", 10 * S),
    line("twice", 10 * S + 400),
    line("two", 10 * S + 1000),
    line("twice", 10 * S + 1200),
    line("elsewhere", 10 * S + 1500),
    line("three", 10 * S + 9000),
]


def recorded(log: list[Entry] | None = None, foreign: list[ForeignTrace] | None = None) -> Trace:
    made = Synthetic(nr_cpus=2)
    made.record(0, 9 * S, 7, "sys_enter", nr=1)
    for ts, text in ((700, "one"), (900, "twice"), (1010, "two"), (9900, "three")):
        made.record(0, 10 * S + ts, 7, "console", text=text + "\n")
    made.record(1, 10 * S + 1600, 8, "console", text="elsewhere")
    made.record(0, 11 * S, 7, "panic", message="so it is")

    def read(kind: str) -> list[ForeignTrace]:
        if kind == "dmesg":
            return [ForeignTrace("dmesg", "local", LOG if log is None else log)]
        return [other for other in foreign or [] if other.origin.startswith(kind)]

    return made.trace(Facts(source="made", foreign=read))


def only(tie: Tie | None) -> Offset | None:
    """Give the offset of a machine that did not sleep."""
    if tie is None:
        return None
    assert tie.wakes == ()
    (offset,) = tie.offsets
    return offset


def test_lines_that_are_records_as_well_tie_the_clocks() -> None:
    tie = only(tie_local(recorded(), LOG))
    assert tie
    # "two" was recorded 10 ns after it got its time; "one" was recorded 300 ns before that.
    assert tie.offset == OFFSET + 10
    assert tie.offset - (tie.error or 0) == OFFSET - 300
    assert tie.lines == 4


def test_lines_after_the_panic_tie_nothing() -> None:
    # The clock of the log stands still then.
    stopped = [*LOG, Entry(9 * S - OFFSET, "dmesg", "Call Trace:")]
    made = Synthetic(nr_cpus=1)
    made.record(0, 10 * S + 300, 7, "console", text="one")
    made.record(0, 10 * S + 500, 7, "panic", message="so it is")
    made.record(0, 10 * S + 600, 7, "console", text="Call Trace:")
    assert only(tie_local(made.trace(), stopped)) == Offset(OFFSET + 300, None, 1)


def test_a_clock_that_drifts_has_no_bound() -> None:
    drifted = [Entry((e.ts or 0) + (5000 if e.text == "three" else 0), "d", e.text) for e in LOG]
    tie = only(tie_local(recorded(), drifted))
    assert tie and tie.error is None
    text = "".join(timeline_text(build_timeline(recorded(drifted), ["dmesg"], Filters())))
    assert "error not known" in " ".join(text.split())


def test_nothing_ties_them() -> None:
    assert tie_local(recorded(), [line("x", S)]) is None
    assert tie_local(recorded(), []) is None
    assert only(tie_local(recorded(), [line("one", 10 * S)])) == Offset(OFFSET + 700, None, 1)


#: How much further local_clock() goes in each suspend.
JUMP = 2 * S


class Sleeper:
    """A machine that sleeps once or twice, and prints a line now and then."""

    def __init__(self, *wakes: int) -> None:
        steps = [(ts, ts, 4 * S * (n + 1), 4 * S * (n + 1)) for n, ts in enumerate(wakes)]
        self.made = Synthetic(nr_cpus=1, clock=True, steps=steps)
        self.wakes = wakes
        self.log: list[Entry] = []
        self.truth: dict[str, int] = {}

    def print(self, text: str, ts: int, *, recorded: bool, frozen: int = 0) -> None:
        """
        Print a line.

        :param frozen: for how long CLOCK_MONOTONIC stands still already
        """
        jumps = JUMP * sum(ts >= wake for wake in self.wakes)
        self.log.append(Entry(ts - OFFSET + jumps + frozen, "dmesg", text))
        self.truth[text] = ts
        if recorded:
            self.made.record(0, ts + (0 if frozen else 50), 7, "console", text=text + "\n")

    def shown(self) -> dict[str, tuple[int, list[str]]]:
        """Give how far each line is from the truth, in ns, and its flags."""
        facts = Facts(
            source="made", foreign=lambda kind: [ForeignTrace("dmesg", "local", self.log)]
        )
        line = build_timeline(self.made.trace(facts), ["dmesg"], Filters())
        self.text = " ".join("".join(timeline_text(line)).split())
        records = [json.loads(text) for text in "".join(timeline_jsonl(line)).splitlines()]
        return {
            record["fields"]["text"]: (
                abs(record["ts"] - self.truth[record["fields"]["text"]]),
                record.get("flags", []),
            )
            for record in records
            if record["origin"] == "dmesg"
        }


@pytest.mark.parametrize("wakes", [(20 * S,), (20 * S, 30 * S)])
def test_each_stretch_between_suspends_has_its_offset(wakes: tuple[int, ...]) -> None:
    machine = Sleeper(*wakes)
    machine.print("first", 9 * S, recorded=False)
    for wake in wakes:
        machine.print(f"before {wake}", wake - 5 * S, recorded=True)
        machine.print(f"just before {wake}", wake - 2 * S, recorded=True)
        machine.print(f"unrecorded {wake}", wake - 10**8, recorded=False)
        # CLOCK_MONOTONIC stands still at its value when it goes on.
        machine.print(f"asleep {wake}", wake - 1000, recorded=True, frozen=JUMP // 3)
        machine.print(f"awake {wake}", wake + 2000, recorded=False)
        machine.print(f"after {wake}", wake + S, recorded=True)
        machine.print(f"later {wake}", wake + 2 * S, recorded=True)
    shown = machine.shown()
    assert {text: flags for text, (_, flags) in shown.items() if flags} == {}
    assert len(shown) == len(machine.log)
    assert {text: error for text, (error, _) in shown.items() if error > 1000} == {}
    assert "time-unsure" not in machine.text


def test_what_no_line_ties_is_marked() -> None:
    machine = Sleeper(20 * S)
    machine.print("before", 12 * S, recorded=False)
    machine.print("after", 21 * S, recorded=True)
    machine.print("later", 22 * S, recorded=False)
    shown = machine.shown()
    assert shown["before"] == (JUMP - 50, ["time-unsure"])
    assert shown["after"] == shown["later"] == (50, [])
    assert "1 lines marked time-unsure" in machine.text
    assert "before [time-unsure]" in machine.text


def test_the_last_stretch_is_marked_if_no_line_ties_it() -> None:
    machine = Sleeper(20 * S)
    machine.print("before", 12 * S, recorded=True)
    machine.print("after", 21 * S, recorded=False)
    shown = machine.shown()
    assert shown["before"] == (50, [])
    assert shown["after"][1] == ["time-unsure"]


def shown(line: Timeline) -> list[tuple[str, str]]:
    records = [json.loads(text) for text in "".join(timeline_jsonl(line)).splitlines()]
    return [(record["origin"], record["fields"].get("text", record["event"])) for record in records]


def test_entries_stand_between_records() -> None:
    timeline = build_timeline(recorded(), ["dmesg"], Filters())
    assert shown(timeline) == [
        ("dmesg", "long before the recorder"),
        ("lkst", "sys_enter"),
        ("dmesg", "one"),
        ("dmesg", "twice"),
        ("lkst", "one\n"),
        ("lkst", "twice\n"),
        ("lkst", "two\n"),
        ("dmesg", "two"),
        ("dmesg", "twice"),
        ("dmesg", "elsewhere"),
        ("lkst", "elsewhere"),
        ("dmesg", "three"),
        ("lkst", "three\n"),
        ("lkst", "panic"),
    ]
    text = "".join(timeline_text(timeline))
    assert "7 from dmesg" in text
    assert "within 0.3 us" in text
    body = text.split("\n\n")[1].splitlines()
    assert len(body) == 14
    # Times and events stand in the same columns.
    assert {row.index("[") if "[" in row else None for row in body} == {
        body[1].index("["),
        None,
    }
    assert body[2].index("dmesg") == body[1].index("sys_enter")


TRACE = ForeignTrace(
    "ftrace:mine",
    "mono",
    [
        Entry(9 * S + 1, "sched_waking", fields={"comm": "a b", "pid": 3}, cpu=1, pid=7),
        Entry(12 * S, "sched_waking", cpu=0, pid=0, flags=("lost-before",)),
    ],
    notes=["CPU 1 is damaged"],
)
RING = ForeignTrace(
    "ringbuf:events",
    "mono",
    [
        Entry(None, "record", fields={"size": 2, "data": "6869"}),
        Entry(9 * S + 2, "event", fields={"ts": 9 * S + 2}, flags=("in-flight",)),
    ],
)


def test_marks_and_flags() -> None:
    trace = recorded(foreign=[TRACE, RING])
    text = "".join(timeline_text(build_timeline(trace, ["ftrace", "ringbuf"], Filters())))
    body = text.split("\n\n")[1].splitlines()
    assert body[1].split()[1:] == [
        "[1]",
        "?:7",
        "ftrace:mine:sched_waking",
        'comm="a',
        'b"',
        "pid=3",
    ]
    assert body[2].endswith("[in-flight]")
    assert body[-2].split()[:4] == [
        "+1.000000000",
        "[0]",
        "swapper/0:0",
        "ftrace:mine:sched_waking",
    ]
    # What has no time comes last.
    assert body[-1].split() == ["?", "ringbuf:events:record", "size=2", "data=6869"]
    assert "2 from ftrace:mine, timed by CLOCK_MONOTONIC like the records, exactly" in text
    assert "CPU 1 is damaged" in text
    assert "2 from ringbuf:events, timed by a field whose name suggests a time" in text


def test_what_tells_no_time() -> None:
    ring = ForeignTrace("ringbuf:raw", "mono", [Entry(None, "record")])
    odd = ForeignTrace("ftrace:odd", "unknown", [Entry(5, "print")])
    timeline = build_timeline(recorded(foreign=[ring, odd]), ["ringbuf", "ftrace"], Filters())
    text = " ".join("".join(timeline_text(timeline)).split())
    assert "1 from ringbuf:raw, without times, shown last with" in text
    assert "1 from ftrace:odd, timed by an unknown clock, shown last -" in text
    assert [origin for origin, _ in shown(timeline)][-2:] == ["ringbuf:raw", "ftrace:odd"]


def test_marks_in_json() -> None:
    trace = recorded(foreign=[TRACE, RING])
    records = [
        json.loads(t)
        for t in "".join(timeline_jsonl(build_timeline(trace, ["ringbuf"], Filters()))).splitlines()
    ]
    assert records[-1]["ts"] is None
    assert records[1]["flags"] == ["in-flight"]


@pytest.mark.parametrize(
    ("filters", "origins"),
    [
        (Filters(cpus=frozenset({1})), ["ftrace:mine", "lkst"]),
        (Filters(events=("sched_wak*",)), ["ftrace:mine", "ftrace:mine"]),
        (Filters(events=("ftrace",)), ["ftrace:mine", "ftrace:mine"]),
        (Filters(events=("sys_enter", "ftrace:mine")), ["lkst", "ftrace:mine", "ftrace:mine"]),
        (Filters(pids=frozenset({7}), until=-S), ["lkst", "ftrace:mine"]),
        (Filters(last=2), ["lkst", "ftrace:mine"]),
        (Filters(since=0), ["lkst", "ftrace:mine"]),
    ],
)
def test_filters_are_for_all(filters: Filters, origins: list[str]) -> None:
    timeline = build_timeline(recorded(foreign=[TRACE]), ["ftrace"], filters)
    until = filters.until is None
    assert [origin for origin, _ in shown(timeline)][: None if until else 2] == origins


def test_around_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkst.trace.timeline.AROUND", 1)
    timeline = build_timeline(recorded(foreign=[TRACE]), ["ftrace"], Filters(around=-2 * S + 1))
    assert shown(timeline) == [("lkst", "sys_enter"), ("ftrace:mine", "sched_waking")]


def test_a_source_with_nothing_but_records() -> None:
    trace = recorded()
    trace.facts.foreign = None
    with pytest.raises(NotFound, match="only the records"):
        build_timeline(trace, ["dmesg"], Filters())
