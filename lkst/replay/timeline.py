# SPDX-License-Identifier: GPL-2.0-or-later
"""
Replay of a timeline
--------------------

Records, merged with entries of other sources in the same columns; the origin of an entry
precedes its event::

    -0.000120437 [1] sh:318                 ftrace:sched_waking  comm=sh pid=12 ...
    -0.000119001 [1]                        dmesg                sysrq: Trigger a crash
"""

from collections.abc import Callable, Iterator
from itertools import chain

from lkst.replay.header import footer, header, wrap
from lkst.replay.rows import chunks
from lkst.replay.serialize import replay_jsonl
from lkst.replay.text import EVENT_WIDTH, TASK_WIDTH, record_lines
from lkst.replay.times import moment
from lkst.trace.foreign import Value
from lkst.trace.timeline import Placed, Timeline
from lkst.trace.trace import Trace
from lkst.util.printable import as_json, clean, comm_word, word

__all__ = ("timeline_jsonl", "timeline_text")

_INDENT = 11


def timeline_text(line: Timeline, colour: bool = False, time: str = "relative") -> Iterator[str]:
    """
    Yield a timeline as text, with header and footer.

    :param colour: whether to use colours of the terminal
    :param time: one of :data:`lkst.replay.times.TIMES`
    :return: pieces that end with a newline
    """
    yield header(line.trace) + _sources(line) + "\n"
    trace = line.trace
    show = moment(trace, time)
    width = max((len(show(int(trace.ts[row]))) for row in (0, -1)), default=0) if len(trace) else 0
    digits = len(str(trace.header.nr_cpus - 1))

    def write(placed: Placed) -> str:
        stamp = "?" if placed.ts is None else show(placed.ts)
        return f"{stamp:>{width}} {_entry(placed, digits)}\n"

    yield from _merged(line, record_lines(trace, colour, time), write)
    yield "\n" + footer(trace, colour)


def timeline_jsonl(line: Timeline) -> Iterator[str]:
    """Yield a timeline as JSON Lines; ``ts`` and ``cpu`` are null if not known."""
    pieces = chain.from_iterable(
        text.splitlines(keepends=True) for text in replay_jsonl(line.trace)
    )

    def records() -> Iterator[tuple[Trace, list[str]]]:
        for chunk in chunks(line.trace):
            yield chunk, [next(pieces) for _ in range(len(chunk))]

    yield from _merged(line, records(), _json)


def _merged(
    line: Timeline,
    records: Iterator[tuple[Trace, list[str]]],
    write: Callable[[Placed], str],
) -> Iterator[str]:
    # Merge entries by time, after the records of the same time.
    at = 0
    entries = line.entries
    for chunk, texts in records:
        out = []
        for ts, text in zip(chunk.ts.tolist(), texts, strict=True):
            while at < len(entries) and (own := entries[at].ts) is not None and own < ts:
                out.append(write(entries[at]))
                at += 1
            out.append(text)
        yield "".join(out)
    yield "".join(map(write, entries[at:]))


def _sources(line: Timeline) -> str:
    lines = []
    for source in line.sources:
        bound = ", error not known"
        if source.error is not None:
            bound = f", within {source.error / 1e3:.1f} us" if source.error else ", exactly"
        bound *= source.timed
        text = f"{source.entries} from {clean(source.origin)}, {source.how}{bound}"
        lines.append(f"{'with':<{_INDENT - 1}} {wrap(text, _INDENT)}\n")
    lines += [f"{'note':<{_INDENT - 1}} {clean(note)}\n" for note in line.notes]
    return "".join(lines)


def _entry(placed: Placed, digits: int) -> str:
    entry = placed.entry
    cpu = " " * (digits + 2) if entry.cpu is None else f"[{entry.cpu:>{digits}}]"
    task = (
        "" if entry.pid is None else f"{comm_word(placed.comm) if placed.comm else '?'}:{entry.pid}"
    )
    event = clean(placed.origin)
    if entry.event != placed.origin:
        event += f":{clean(entry.event)}"
    about = clean(entry.text) if entry.text else _fields(entry.fields)
    flags = "".join(f" [{flag}]" for flag in entry.flags)
    return f"{cpu} {task:<{TASK_WIDTH}} {event:<{EVENT_WIDTH}} {about}{flags}".rstrip()


def _fields(fields: dict[str, Value]) -> str:
    return " ".join(
        f"{clean(name)}={word(value) if isinstance(value, str) else value}"
        for name, value in fields.items()
    )


def _json(placed: Placed) -> str:
    entry = placed.entry
    answer: dict[str, object] = {
        "ts": placed.ts,
        "cpu": entry.cpu,
        "pid": entry.pid,
        "comm": placed.comm,
        "event": entry.event,
        "origin": placed.origin,
        "fields": {"text": entry.text} if entry.text or not entry.fields else entry.fields,
    }
    if entry.flags:
        answer["flags"] = list(entry.flags)
    return as_json(answer) + "\n"
