# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said before and after the records."""

from synthetic import Synthetic

from lkst.abi.layout import ABI_MAJOR, ABI_MINOR
from lkst.replay.header import footer, header, ranges
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace

ABI = f"ABI {ABI_MAJOR}.{ABI_MINOR}"

T = 100_000_000_000


def facts() -> Facts:
    return Facts(
        source="/var/crash/vmcore",
        kind="vmcore",
        release="6.12.9",
        version="#1 SMP",
        arch="x86_64",
        machine="box",
        panic_message="",
        notes=["carved \x1b[31mout"],
    )


def made(given: Facts | None = None) -> Trace:
    story = Synthetic(
        nr_cpus=4, nr_slots=8, states={"tasklet_entry": "absent", "timer_start": "unattached"}
    )
    for ts in range(10):
        story.record(0, T - 3_000_000_000 + ts, 7, "sched_process_exit", comm="sh")
    story.record(0, T, 7, "panic", message="Fatal exception\n")
    story.record(2, T - 5, 0, "softirq_exit")
    image = story.image()
    image.suppressed = {story.id("sched_switch"): 3}
    image.faults = ["page at 0x1000 is missing"]

    return build_trace(image, given or facts())


def test_header() -> None:
    assert header(made()) == (
        "source     /var/crash/vmcore (vmcore)\n"
        "kernel     6.12.9 #1 SMP x86_64\n"
        "machine    box\n"
        "panic      Fatal exception  CPU 0  sh:7\n"
        "end        2023-11-14T22:15:00.000000000Z,"
        " by the steps of the clock that the recorder saw\n"
        f"recorder   lkst 0.1, {ABI}, 4 rings of 0.5 KiB, maskset default,"
        " started at -99.000000000 s\n"
        "CPU 0      8 records  -2.999999997 to  0.000000000  slots: 3 overwritten\n"
        "CPU 2       1 record  -0.000000005 to -0.000000005  nothing lost\n"
        "silent     CPU 1,3\n"
        "suppressed sched_switch 3\n"
        "absent     tasklet_entry\n"
        "unattached timer_start\n"
        "note       carved \\x1b[31mout\n"
        "fault      page at 0x1000 is missing\n"
    )


def test_what_was_suppressed_is_not_known() -> None:
    trace = made()
    trace.image.suppressed = None
    line = "suppressed not known: the kernel's counters were not found\n"
    assert line in header(trace)


def test_header_of_a_selection_says_so() -> None:
    trace = made()
    assert header(trace.select(slice(3, 5))) == header(trace) + "shown      2 of 9 records\n"


def test_the_kernels_own_message_comes_first() -> None:
    given = facts()
    given.panic_message = "as printed\x1b[0m"
    assert footer(made(given)) == "panic  as printed\\x1b[0m  CPU 0  sh:7\n"
    assert "panic      as printed\\x1b[0m  CPU 0" in header(made(given))


def test_footer() -> None:
    assert footer(made()) == "panic  Fatal exception  CPU 0  sh:7\n"
    assert footer(made(), colour=True) == "\x1b[1;31mpanic  Fatal exception  CPU 0  sh:7\x1b[0m\n"
    # Whatever is selected.
    assert footer(made().select(slice(0, 1))) == footer(made())


def test_no_panic() -> None:
    story = Synthetic()
    story.record(0, T, 7, "softirq_exit")
    assert footer(story.trace()) == "no panic was recorded\n"
    assert "panic      none was recorded\n" in header(story.trace())
    known = story.trace(Facts(panic_message="only the log knows"))
    assert footer(known) == "panic  only the log knows\n"


def test_what_is_missing_is_not_shown() -> None:
    trace = made(Facts())
    trace.image.control = b"\x01"
    trace.image.cpus = b""
    text = header(trace)
    assert "source" not in text
    assert "maskset" not in text
    assert "absent" not in text
    assert "kernel     6.12.1-test\nmachine    testhost\n" in text


def test_an_empty_trace() -> None:
    assert header(Synthetic().trace()) == (
        "kernel     6.12.1-test\n"
        "machine    testhost\n"
        "panic      none was recorded\n"
        f"recorder   lkst 0.1, {ABI}, 2 rings of 16 KiB, maskset default\n"
        "silent     CPU 0-1\n"
    )


def test_losses_of_all_kinds() -> None:
    story = Synthetic(nr_cpus=1, nr_slots=8)
    for ts in range(1, 7):
        story.record(0, ts, 1, "softirq_exit", committed=ts != 5)
    story.slot(0, 77, b"not of this ring")
    image = story.image()
    image.buffers[0].unreadable = [(0, 64)]
    image.partial = True

    text = header(build_trace(image, Facts()))
    assert "1 in flight" in text
    assert "note       records were left out when the trace was saved\n" in text


def test_ranges() -> None:
    assert ranges([1]) == "1"
    assert ranges([0, 1]) == "0-1"
    assert ranges([0, 2, 3, 4, 9, 11, 12]) == "0,2-4,9,11-12"


def test_buffers_are_told_where_there_are_several() -> None:
    story = Synthetic(nr_slots=64, more={"spare": 128})
    assert f"{ABI}, 2 buffers of 2 rings (main 4 KiB, spare 8 KiB), maskset" in header(
        story.trace()
    )
