# SPDX-License-Identifier: GPL-2.0-or-later
"""Replay as text: whole lines, as a reader sees them."""

import dataclasses

import numpy as np
import pytest
from synthetic import EventSpec, Synthetic

from lkst.decode.ring import IN_FLIGHT, TORN, TRUNCATED
from lkst.replay import rows
from lkst.replay.text import replay_text, text_lines
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace

T = 100_000_000_000


def made() -> Synthetic:
    story = Synthetic()
    story.record(0, T - 1_500_000_000, 318, "sched_switch", prev_comm="sh", next_comm="swapper/0")
    story.record(1, T - 120_437, 0, "sched_wakeup", comm="Web Content", pid=77, prio=-5)
    story.record(0, T - 1000, 318, "sys_enter", arg0=1, arg1=0x7FFE, nr=1)
    story.record(0, T - 900, 318, "console", text="[   1.0] héllo \x1b[2Jworld\n")
    story.record(0, T, 318, "panic", message="sysrq triggered crash")
    story.record(1, T + 2_000_000_007, 77, "sys_exit", ret=-2, nr=257)
    return story


def lines(trace: Trace, **options: object) -> list[str]:
    return "".join(text_lines(trace, **options)).split("\n")  # type: ignore[arg-type]


def test_lines() -> None:
    trace = made().trace(Facts(names=Names(syscalls={1: "write"})))
    assert lines(trace) == [
        "-1.500000000 [0] sh:318                 sched_switch         prev_comm=sh"
        " next_comm=swapper/0 prev_state=R next_pid=0",
        '-0.000120437 [1] swapper/1:0            sched_wakeup         comm="Web Content" pid=77'
        " prio=-5 target_cpu=0",
        "-0.000001000 [0] sh:318                 sys_enter            nr=write arg0=0x1"
        " arg1=0x7ffe arg2=0x0 arg3=0x0",
        "-0.000000900 [0] sh:318                 console              [   1.0] héllo"
        r" \x1b[2Jworld",
        " 0.000000000 [0] sh:318                 panic                sysrq triggered crash",
        '+2.000000007 [1] "Web Content":77       sys_exit             nr=257 ret=-ENOENT',
        "",
    ]


@pytest.mark.parametrize(
    ("time", "stamps"),
    [
        ("mono", ["98.500000000", "99.999879563", "99.999999000"]),
        (
            "wall",
            [
                "2023-11-14T22:14:58.500000000Z",
                "2023-11-14T22:14:59.999879563Z",
                "2023-11-14T22:14:59.999999000Z",
            ],
        ),
    ],
)
def test_other_times(time: str, stamps: list[str]) -> None:
    assert [line.split(" ")[0] for line in lines(made().trace(), time=time)[:3]] == stamps


def test_stamps_are_as_wide_as_the_longest() -> None:
    story = made()
    story.record(0, T + 123_000_000_000, 1, "softirq_exit")
    assert lines(story.trace())[0].startswith("  -1.500000000 [0] ")
    assert lines(story.trace())[-2].startswith("+123.000000000 [0] ")


def test_without_a_panic_times_count_from_the_last_record() -> None:
    story = Synthetic(nr_cpus=11)
    story.record(10, 5, 1, "softirq_exit", vec=3)
    story.record(2, 105, 2, "softirq_exit", vec=3)
    assert lines(story.trace())[:2] == [
        "-0.000000100 [10] ?:1                    softirq_exit         vec=NET_RX",
        " 0.000000000 [ 2] ?:2                    softirq_exit         vec=NET_RX",
    ]


def test_flags_trail() -> None:
    story = Synthetic()
    story.record(0, 1, 0, "console", text="long", truncated=True)
    story.record(0, 2, 0, "sys_exit", nr=3, committed=False)
    trace = story.trace()
    assert lines(trace)[0].endswith("console              long [truncated]")
    assert lines(trace)[1].endswith("nr=3 ret=0 [in-flight]")
    trace.records.flags[:] = TRUNCATED | TORN | IN_FLIGHT
    assert lines(trace)[0].endswith("long [in-flight] [torn] [truncated]")


def test_a_long_text_is_one_line_over_all_its_slots() -> None:
    story = Synthetic()
    story.record(0, 1, 0, "sched_process_exec", comm="x", filename="/a b/" + "é" * 300 + "\n")
    (line, _) = lines(story.trace())
    assert line.endswith('filename="/a b/' + "é" * 300 + r'\n"')


def test_colours() -> None:
    trace = made().trace()
    shown = lines(trace, colour=True)
    assert "\x1b[32msched_switch        \x1b[0m prev_comm" in shown[0]
    assert shown[4].startswith("\x1b[1;31m 0.000000000") and shown[4].endswith("crash\x1b[0m")
    plain = "\n".join(shown)
    for code in ("\x1b[0m", "\x1b[1;31m", "\x1b[32m", "\x1b[34m", "\x1b[1m"):
        plain = plain.replace(code, "")
    assert plain.split("\n") == lines(trace)


def test_an_event_that_the_catalogue_does_not_have() -> None:
    trace = made().trace()
    del trace.catalogue.events[int(trace.event[1])]
    assert lines(trace)[1] == f"-0.000120437 [1] swapper/1:0            event#{trace.event[1]}"


def test_an_event_without_fields() -> None:
    story = Synthetic([EventSpec("nothing")])
    story.record(0, 1, 0, "nothing")
    assert lines(story.trace())[0] == " 0.000000000 [0] swapper/0:0            nothing"


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = made().trace()
    whole = lines(trace)
    monkeypatch.setattr(rows, "_FIRST", 1)
    monkeypatch.setattr(rows, "_CHUNK", 2)
    assert len(list(text_lines(trace))) == 4
    assert lines(trace) == whole


def test_the_first_piece_is_small() -> None:
    story = Synthetic(nr_slots=2048)
    for ts in range(2000):
        story.record(0, 1 + ts, 0, "softirq_exit")
    pieces = [piece.count("\n") for piece in text_lines(story.trace())]
    assert pieces == [500, 1500]


def test_an_empty_trace() -> None:
    trace = Synthetic().trace()
    assert list(text_lines(trace)) == []
    assert "no panic was recorded\n" in list(replay_text(trace))[-1]


def test_wild_times_are_shown() -> None:
    trace = made().trace()
    ts = trace.records.ts.copy()
    ts[:2] = 2**64 - 1, 2**63
    records = dataclasses.replace(trace.records, ts=ts)
    wild = Trace(trace.image, trace.catalogue, trace.facts, records=records)
    assert lines(wild)[0].startswith("-100.000000001 [0]")
    for time in ("wall", "mono"):
        assert len(lines(wild, time=time)) == 7


def test_replay_has_a_header_and_ends_with_the_panic() -> None:
    trace = made().trace()
    pieces = "".join(replay_text(trace)).split("\n\n")
    assert pieces[0].startswith("kernel ")
    assert pieces[1] == "\n".join(lines(trace)[:-1])
    assert pieces[2] == "panic  sysrq triggered crash  CPU 0  sh:318\n"


def test_rows_in_any_order_keep_their_own_fields() -> None:
    trace = made().trace()
    order = np.array([4, 0, 2, 2])
    whole = lines(trace)
    # Only stamps may be narrower.
    assert [line.split(None, 1)[1] for line in lines(trace.select(order))[:-1]] == [
        whole[row].split(None, 1)[1] for row in order
    ]


def test_a_flag_shows_where_it_is_set() -> None:
    made = Synthetic()
    for number, compat in enumerate((0, 1, 0)):
        made.record(0, number, 7, "sys_exit", nr=3, compat=compat)
    shown = ["compat=1" in line for line in lines(made.trace())]
    assert shown[:3] == [False, True, False]
