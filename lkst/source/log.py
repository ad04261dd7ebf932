# SPDX-License-Identifier: GPL-2.0-or-later
"""
Logs
----

A folder of saved files that were written one after the other while a recorder ran. Each
holds what was new since the previous one; together they are one trace.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from lkst.abi import layout
from lkst.abi.control import read_control
from lkst.decode.catalogue import Header, parse_header
from lkst.errors import Damaged
from lkst.source.saved import Saved, read_saved
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace
from lkst.trace.wallclock import find_boots, last_offset

__all__ = ("open_log",)


def open_log(folder: Path) -> list[Trace]:
    """
    Read the traces of all recorders that wrote to a log, the newest first.

    A file that is damaged costs its records; the newest recorder's facts say so.

    :raises Damaged: if not one file can be read
    """
    notes = []
    recorders: dict[tuple[int, str], list[tuple[Header, Saved]]] = defaultdict(list)
    try:
        paths = sorted(folder.glob("*.lkst"))
    except OSError as error:
        raise Damaged(f"{folder}: {error.strerror or error}") from error
    for path in paths:
        try:
            saved = read_saved(path)
            header = parse_header(saved.image.catalogue)
        except Damaged as error:
            notes.append(str(error).removeprefix(f"{folder}/"))
            continue
        recorders[header.tag, header.boot_id].append((header, saved))
    if not recorders:
        raise Damaged(notes[0] if notes else f"{folder}: is a directory without .lkst files")
    newest_first = sorted(recorders.values(), key=_age(recorders.values()), reverse=True)
    traces: list[Trace] = []
    for files in newest_first:
        traces.append(_merge(folder, files, notes if not traces else []))
    return traces


def _age(
    recorders: Iterable[list[tuple[Header, Saved]]],
) -> Callable[[list[tuple[Header, Saved]]], tuple[int, int]]:
    """Return a sort key for recorders: boot, then start time within the boot."""

    def boot(header: Header, saved: Saved) -> int:
        return last_offset(header, read_control(saved.image.control), saved.facts)

    boots = find_boots(
        (header.boot_id, boot(header, saved)) for files in recorders for header, saved in files
    )
    return lambda files: (boots[files[0][0].boot_id], files[0][0].start)


def _merge(folder: Path, files: list[tuple[Header, Saved]], notes: list[str]) -> Trace:
    # Records only accumulate over time.
    ordered = [saved for _, saved in sorted(files, key=lambda file: _ever(*file))]
    newest = ordered[-1]
    images = [saved.image for saved in ordered]
    image = replace(
        newest.image,
        buffers=[buffer for each in images for buffer in each.buffers],
        partial=any(each.partial for each in images),
        faults=_distinct(fault for each in images for fault in each.faults),
    )
    facts = _facts(ordered)
    facts.source = str(folder)
    facts.notes = _distinct([*notes, *(note for saved in ordered for note in saved.facts.notes)])
    return build_trace(image, facts)


def _ever(header: Header, saved: Saved) -> int:
    """Count the records that had been written when a file was saved."""
    cpus = saved.image.cpus
    total = 0
    for start in range(0, len(cpus) - header.cpu_size + 1, header.cpu_size):
        counts = cpus[start + layout.COUNT_OFFSET :][: 8 * header.max_events]
        total += sum(np.frombuffer(counts, "<u8").tolist())
    return total


def _facts(ordered: list[Saved]) -> Facts:
    """Merge the contents of the files, the newest last."""
    tasks: dict[int, str] = {}
    symbols: dict[int, str] = {}
    for saved in ordered:
        tasks |= saved.tasks
        symbols |= saved.symbols
    facts = ordered[-1].facts
    return replace(
        facts,
        task_name=lambda pid: tasks.get(pid, ""),
        names=replace(facts.names, symbol=symbols.get),
    )


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))
