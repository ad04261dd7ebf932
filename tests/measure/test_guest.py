# SPDX-License-Identifier: GPL-2.0-or-later
"""
Measures of a real kernel, against independent tools over the same seconds: what the kernel
itself counts in /proc, and what perf makes of events that it has recorded.
"""

import bisect
from collections.abc import Iterator
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from dumps import Dump, Lab
import pytest

from lkst.source import open_source
from lkst.sql.connect import connect

if TYPE_CHECKING:
    import duckdb

#: Times of one thing that are closer than this, in ns, agree: an emulated CPU takes tens of
#: us for each of the programs that tell of it. So many of them have to.
CLOSE = 2_000_000
NEARLY_ALL = 0.9


class Window(NamedTuple):
    """From when to when, in ns: with both snapshots, and without them."""

    outer: tuple[int, int]
    inner: tuple[int, int]


# perf has the recorder's clock: both tell the time of the same event, one program after the
# other. Two snapshots of what the kernel counts are around it, by programs whose life is in
# the trace. All is read by perf in the guest, which has written it.
SCRIPT = r"""
cp /bin/cat /tmp/snap1
cp /bin/cat /tmp/snap2
cat >/tmp/work <<END
for turn in 1 2 3 4 5 6; do
	dd if=/dev/zero of=/out/data bs=16k count=8 conv=fsync status=none
	sleep 0.05 | cat
done
END
counts="/proc/softirqs /proc/interrupts /proc/diskstats"
/tmp/snap1 $counts >/out/snap1
# It would trace the calls that it makes to tell what it has traced.
sh -c 'exec perf record -q -a -k mono -m 16M -o /tmp/perf.data \
	-e sched:sched_switch,sched:sched_wakeup,sched:sched_wakeup_new \
	-e raw_syscalls:sys_enter --filter "common_pid != $$" \
	-e raw_syscalls:sys_exit --filter "common_pid != $$" -- sh /tmp/work' >/out/perf.log 2>&1
/tmp/snap2 $counts >/out/snap2
lkst mask use none
perf sched timehist -i /tmp/perf.data >/out/timehist 2>>/out/perf.log
perf trace -s -i /tmp/perf.data -o /out/trace >>/out/perf.log 2>&1
sync
echo c >/proc/sysrq-trigger
"""


@pytest.fixture(scope="module")
def dump(lab: Lab) -> Dump:
    words = ("--memory", "512", "--timeout", "600", "--record", "--size 16M")
    return lab("6.12", *words, script=SCRIPT)


@pytest.fixture(scope="module")
def connection(dump: Dump) -> "duckdb.DuckDBPyConnection":
    return connect(open_source(str(dump.vmcore))[0])


@pytest.fixture(scope="module")
def window(connection: "duckdb.DuckDBPyConnection") -> Window:
    """Give from when to when each snapshot was taken: while its program lived."""
    found = connection.execute(
        """SELECT comm, min(ts_ns), max(ts_ns) FROM events
        WHERE comm LIKE 'snap_' AND event IN ('sched_process_exec', 'sched_process_exit')
        GROUP BY comm ORDER BY comm"""
    ).fetchall()
    assert [row[0] for row in found] == ["snap1", "snap2"]
    (_, a, b), (_, c, d) = found
    (complete,) = connection.execute("SELECT complete_ns FROM trace").fetchone() or (None,)
    assert complete is None or complete > d or complete <= a, "records were lost between"
    return Window((a, d), (b, c))


def counts(
    connection: "duckdb.DuckDBPyConnection", window: Window, table: str, time: str, keys: str
) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Count what happened between the snapshots at least, and at most."""
    (outer, inner) = window
    rows = connection.execute(
        f"""SELECT {keys}, count(*) FILTER ({time} BETWEEN ? AND ?),
        count(*) FILTER ({time} BETWEEN ? AND ?) FROM {table} GROUP BY ALL""",
        [*inner, *outer],
    ).fetchall()
    return {row[:-2]: row[-2:] for row in rows}


def differences(dump: Dump, line: re.Pattern[str]) -> Iterator[tuple[str, list[int]]]:
    """Give by how much the numbers of each line went up from one snapshot to the other."""
    first, second = (
        {
            match[1]: [int(word) for word in match[2].split()]
            for text in (dump.out / name).read_text().splitlines()
            if (match := line.match(text))
        }
        for name in ("snap1", "snap2")
    )
    for name, after in second.items():
        before = first.get(name, [0] * len(after))
        yield name, [b - a for a, b in zip(before, after, strict=True)]


def test_softirqs_are_those_that_the_kernel_counts(
    dump: Dump, connection: "duckdb.DuckDBPyConnection", window: Window
) -> None:
    """Exactly, but for those that came while the snapshots were taken."""
    found = counts(connection, window, "softirqs", "start_ns", "name, cpu")
    told = 0
    for name, cpus in differences(dump, re.compile(r" *([A-Z_]+):((?: +\d+)+) *$")):
        for cpu, count in enumerate(cpus):
            low, high = found.get((name, cpu), (0, 0))
            assert low <= count <= high, (name, cpu)
            told += low
    assert told > 100


def test_interrupts_are_those_that_the_kernel_counts(
    dump: Dump, connection: "duckdb.DuckDBPyConnection", window: Window
) -> None:
    """Exactly, as before; of devices that share no line with others."""
    found = counts(connection, window, "irqs", "start_ns", "irq, cpu")
    told = 0
    for irq, cpus in differences(dump, re.compile(r" *(\d+):((?: +\d+){2}) +PCI-MSI")):
        for cpu, count in enumerate(cpus):
            low, high = found.get((int(irq), cpu), (0, 0))
            assert low <= count <= high, (irq, cpu)
            told += low
    assert told > 10


def test_block_requests_are_those_that_the_kernel_counts(
    dump: Dump, connection: "duckdb.DuckDBPyConnection", window: Window
) -> None:
    """Writes, exactly, and what they wrote; the kernel's clock starts before the driver has it."""
    where = "(SELECT * FROM block_requests WHERE op = 'WRITE' AND end_ns IS NOT NULL)"
    found = counts(connection, window, where, "end_ns", "dev")
    rows = connection.execute(
        f"SELECT dev, sum(duration_ns) FROM {where} WHERE end_ns BETWEEN ? AND ? GROUP BY dev",
        list(window.inner),
    ).fetchall()
    times = dict(rows)
    told = 0
    for name, numbers in differences(dump, re.compile(r" +(\d+ +\d+) \w+((?: \d+)+)$")):
        dev = ":".join(name.split())
        low, high = found.get((dev,), (0, 0))
        assert low <= numbers[4] <= high, dev
        # In ms, cut off.
        assert times.get(dev, 0) <= (numbers[7] + 1) * 1e6, dev
        told += low
    assert told > 10


#: time [cpu] task[tid/pid] wait time, sch delay, run time, in ms
HISTORY = re.compile(
    r" *(\d+)\.(\d{6}) \[(\d+)\] +(\S.*)\[(\d+)(?:/\d+)?\] +[\d.]+ +([\d.]+) +([\d.]+) *$"
)


def test_switches_are_those_of_perf(dump: Dump, connection: "duckdb.DuckDBPyConnection") -> None:
    """
    Of each time that perf says a task has run, its end, its length and what it waited for before.

    Both are told of a switch one after the other, with interrupts off. How long that is in a
    guest without KVM is up to the machine that runs it: not each of them can be close, nearly
    all are.
    """
    rows = connection.execute(
        """SELECT r.pid, r.cpu, r.end_ns, r.duration_ns, w.duration_ns FROM running r
        LEFT JOIN runnable w ON w.pid = r.pid AND w.end_ns = r.start_ns AND w.why <> 'preempted'
        WHERE r.duration_ns IS NOT NULL ORDER BY r.end_ns"""
    ).fetchall()
    ours: dict[tuple[int, int], list[tuple[int, int, int | None]]] = {}
    for pid, cpu, *rest in rows:
        ours.setdefault((pid, cpu), []).append(tuple(rest))
    seen = set()
    close = {"end": [], "run": [], "delay": []}  # type: dict[str, list[bool]]
    for line in (dump.out / "timehist").read_text().splitlines():
        match = HISTORY.match(line)
        if not match:
            continue
        second, micro, cpu, _, pid, delay, run = match.groups()
        ts = int(second) * 10**9 + int(micro) * 1000
        # Of the first time that perf hears of a task it does not know the begin.
        first = pid not in seen
        seen.add(pid)
        if first:
            continue
        own = ours.get((int(pid), int(cpu)), [])
        place = bisect.bisect_left(own, ts, key=lambda entry: entry[0])
        near = min(own[max(0, place - 1) : place + 1], key=lambda e: abs(e[0] - ts), default=None)
        close["end"].append(near is not None and abs(near[0] - ts) < CLOSE)
        if close["end"][-1] and near is not None:
            close["run"].append(is_close(near[1], float(run)))
            if float(delay) and near[2] is not None:
                close["delay"].append(is_close(near[2], float(delay)))
    for what, good in close.items():
        assert len(good) > 50, what
        assert sum(good) > NEARLY_ALL * len(good), (what, sum(good), len(good))


def is_close(ns: int, ms: float) -> bool:
    return abs(ns - ms * 1e6) < CLOSE


#: "name calls errors total min avg max stddev", times in ms
SUMMARY = re.compile(r" +(\w+) +(\d+) +(\d+) +([\d.]+) +[\d.]+ +[\d.]+ +([\d.]+) +[\d.]+%")


def test_system_calls_are_those_of_perf(
    dump: Dump, connection: "duckdb.DuckDBPyConnection"
) -> None:
    """
    Of all that dd called: how often, exactly, and for how long.

    Each is told of a call's begin and end by the same two events, of which one comes after the
    other; the worst that comes between is an interrupt.
    """
    theirs: dict[tuple[int, str], tuple[int, int, float]] = {}
    pid = None
    for line in (dump.out / "trace").read_text().splitlines():
        if head := re.match(r" (\S+) \((\d+)\), \d+ events", line):
            pid = int(head[2]) if head[1] == "dd" else None
        elif pid is not None and (match := SUMMARY.match(line)):
            theirs[pid, match[1]] = int(match[2]), int(match[3]), float(match[4])
    rows = connection.execute(
        """SELECT pid, name, count(duration_ns), count(error), sum(duration_ns) FROM syscalls
        WHERE open IS NULL GROUP BY ALL"""
    ).fetchall()
    ours = {row[:2]: row[2:] for row in rows}
    # These begin in one task or program and come back in another.
    for key in [key for key in theirs if key[1] in ("execve", "vfork")]:
        del theirs[key]
    assert len(theirs) > 20
    wrong = [key for key, own in theirs.items() if ours.get(key, (0, 0))[:2] != own[:2]]
    assert not wrong, wrong[:5]
    total = sum(own[2] for own in theirs.values())
    mine = sum(ours[key][2] for key in theirs) / 1e6
    assert 0.7 * total < mine < 1.4 * total
