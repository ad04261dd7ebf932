# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall clock is set and the machine sleeps while a recorder runs."""

from pathlib import Path
from typing import NamedTuple

from dumps import KERNELS, Dump, Lab
import numpy as np
import pytest

from lkst.source import open_source
from lkst.trace.filters import Filters
from lkst.trace.timeline import build_timeline
from lkst.trace.trace import Trace

# Each line of truth: what was done, CLOCK_MONOTONIC and CLOCK_REALTIME at one moment, in ns.
SCRIPT = r"""
cat >/tmp/truth.py <<'X'
import sys, time
m = time.clock_gettime_ns(1); r = time.clock_gettime_ns(0); m2 = time.clock_gettime_ns(1)
print(sys.argv[1], (m + m2) // 2, r, flush=True)
with open("/dev/kmsg", "w") as log:
    log.write(f"truth {sys.argv[1]} {time.clock_gettime_ns(1)}\n")
    log.flush()
    with open("/out/written", "a") as after:
        after.write(f"{time.clock_gettime_ns(1)}\n")
X
# Lines of the log from before the suspend are to be among the records still.
lkst mask new quiet --from default
lkst mask set quiet sched=off irq=off timer=off workqueue=off syscall=off exception=off block=off \
	lock=off power=off
lkst mask use quiet
now() { python3 /tmp/truth.py $1 >>/out/truth; lkst mark $1; }
now first
date -s '+400 days'
now forward
date -s '-30 days'
now back
lkst replay live --last 1 --time wall >/out/live 2>&1
rtcwake -m mem -s 4 >/out/rtc 2>&1
now resumed
# With Linux 6.1 on the emulated processor, numpy now and then faults after it slept.
for attempt in 1 2 3 4 5; do
	lkst save live -o /out/saved.lkst && break
done
"""

#: Between the two reads of the clock in the guest, in ns.
ERROR_NS = 10_000_000
DAY = 86400 * 10**9


class Truth(NamedTuple):
    """What the guest's own clocks said."""

    what: str
    mono: int
    real: int


@pytest.fixture(scope="module", params=KERNELS)
def dump(request: pytest.FixtureRequest, lab: Lab) -> Dump:
    return lab(request.param, script=SCRIPT)


def truths(dump: Dump) -> list[Truth]:
    lines = [line.split() for line in (dump.out / "truth").read_text().splitlines()]
    found = [Truth(what, int(mono), int(real)) for what, mono, real in lines]
    assert [truth.what for truth in found] == ["first", "forward", "back", "resumed"]
    return found


def check(trace: Trace, dump: Dump) -> None:
    for truth in truths(dump):
        offset = trace.wall_clock.offset(truth.mono)
        assert offset is not None, truth
        assert abs(truth.mono + offset - truth.real) < ERROR_NS, truth
    steps = trace.wall_clock.steps
    assert [step.ts == step.since for step in steps] == [True] * 3
    changes = [step.after - (step.before or 0) for step in steps]
    # date(1) takes a moment from reading the clock to setting it.
    assert abs(changes[0] - 400 * DAY) < 10**9
    assert abs(changes[1] + 30 * DAY) < 10**9
    assert steps[2].asleep == changes[2] > 10**9


def test_times_in_the_dump(dump: Dump) -> None:
    trace = open_source(str(dump.vmcore))[0]
    check(trace, dump)
    assert trace.wall_clock.how == "the kernel's timekeeper"


def test_lines_of_the_log_on_both_sides_of_the_suspend(dump: Dump) -> None:
    line = build_timeline(open_source(str(dump.vmcore))[0], ["dmesg"], Filters())
    said = [placed for placed in line.entries if placed.entry.text.startswith("truth ")]
    words = [placed.entry.text.split() for placed in said]
    assert [name for _, name, _ in words] == [truth.what for truth in truths(dump)]
    written = (dump.out / "written").read_text().split()
    sure = []
    for placed, (_, name, before), after in zip(said, words, written, strict=True):
        # The records that would tie it may have been overwritten. Then it says so.
        if not placed.entry.flags:
            assert placed.ts is not None
            assert int(before) - ERROR_NS < placed.ts < int(after) + ERROR_NS, name
            sure.append(name)
    assert "resumed" in sure


def test_times_in_a_file_saved_live(dump: Dump) -> None:
    path: Path = dump.out / "saved.lkst"
    check(open_source(str(path))[0], dump)


def test_the_live_replay_shows_the_time_after_the_steps(dump: Dump) -> None:
    lines = (dump.out / "live").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("end ")]
    shown = np.datetime64(line.split()[1].partition("Z,")[0], "ns").astype(int)
    (back,) = [truth for truth in truths(dump) if truth.what == "back"]
    assert 0 < shown - back.real < 600 * 10**9
