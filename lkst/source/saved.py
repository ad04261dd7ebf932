# SPDX-License-Identifier: GPL-2.0-or-later
"""
Saved traces
------------

A ``.lkst`` file is a zip archive of what a trace is made of: the recorder's
memory as it was, and the facts about the machine as JSON. Reading one takes the
same way as reading a dump, so the replay is the same.

==================  ==========================================================
``lkst.json``       format version, facts, names, buffers, what the dump says of its end
``catalogue``       the recorder's header and events
``rings/0``, ...    all rings of a buffer, in the order of the list
``cpus``            struct lkst_cpu of every CPU
``control``         struct lkst_control
``counts``          struct lkst_counts of every CPU
==================  ==========================================================
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
import json
from pathlib import Path
from typing import Any
import zipfile
import zlib

import numpy as np

from lkst.abi import layout
from lkst.abi.layout import Place
from lkst.decode.catalogue import parse_catalogue
from lkst.decode.image import BufferImage, Image
from lkst.errors import Damaged
from lkst.source.saved_end import describe_end, read_saved_end
from lkst.trace.addresses import addresses
from lkst.trace.facts import ClockReading, Enums, Facts, Names
from lkst.trace.trace import Trace, build_trace
from lkst.util.files import replacing

__all__ = (
    "Saved",
    "name_symbols",
    "name_tasks",
    "open_saved",
    "read_saved",
    "save_image",
    "save_trace",
)

_FORMAT = 2
_PARTS = ("catalogue", "cpus", "control", "counts")
_FACTS = ("release", "version", "machine", "arch", "panic_message")
_MAX_PART = 1 << 40
_MAX_JSON = 1 << 28
_MAX_BUFFERS = 1 << 16

#: What reading a damaged archive may raise.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass
class Saved:
    """What a file holds."""

    image: Image
    facts: Facts
    #: Names of tasks that were alive when it was saved, by pid.
    tasks: dict[int, str]
    #: Names of kernel addresses.
    symbols: dict[int, str]


def save_trace(trace: Trace, path: Path) -> None:
    """
    Write a trace to a file; one that was selected from another keeps its records only.

    :raises LkstError: if it cannot be written; an old file stays as it was
    """
    image = trace.image
    if trace.whole is not trace:
        image = replace(image, buffers=_selected(trace), partial=True)
    save_image(image, trace.facts, path, name_tasks(trace), name_symbols(trace))


def save_image(
    image: Image,
    facts: Facts,
    path: Path,
    tasks: Mapping[int, str],
    symbols: Mapping[int, str],
) -> None:
    """
    Write a recorder's memory to a file.

    :param tasks: names of the tasks that are alive, by pid
    :param symbols: names of kernel addresses that its records have
    :raises LkstError: if it cannot be written; an old file stays as it was
    """
    with (
        replacing(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        description = _describe(image, facts) | {
            "tasks": dict(tasks),
            "symbols": dict(symbols),
            "end": describe_end(facts.end(), tasks),
        }
        archive.writestr("lkst.json", json.dumps(description, indent=1))
        for name in _PARTS:
            archive.writestr(name, getattr(image, name))
        for index, buffer in enumerate(image.buffers):
            archive.writestr(f"rings/{index}", buffer.rings)


def _selected(trace: Trace) -> list[BufferImage]:
    """Return the buffers with zeros in place of records that are not selected."""
    slots, rings = trace.records.slots, trace.records.rings
    kept = np.zeros_like(slots)
    for part in trace.records.parts():
        kept[part] = slots[part]
    buffers = []
    for index, buffer in enumerate(trace.image.buffers):
        own = np.flatnonzero(rings.buffer == index)
        low = int(rings.start[own[0]]) if len(own) else 0
        high = low + int(rings.size[own].sum())
        buffers.append(replace(buffer, rings=kept[low:high].tobytes()))
    return buffers


def _enums(image: Image) -> set[str]:
    """Name the enums that fields of the catalogue are of."""
    try:
        catalogue = parse_catalogue(image.catalogue)
    except Damaged:
        return set()
    types = [field.type for event in catalogue.events.values() for field in event.fields]
    return {enum for kind, _, enum in (type_.partition(":") for type_ in types) if enum}


def _describe(image: Image, facts: Facts) -> dict[str, Any]:
    names = facts.names
    return {
        "format": _FORMAT,
        "facts": {name: getattr(facts, name) for name in (*_FACTS, "notes", "crash_time")},
        "clock": facts.clock and asdict(facts.clock),
        "names": {
            "syscalls": names.syscalls,
            "compat_syscalls": names.compat_syscalls,
            "softirqs": names.softirqs,
            "gfp_flags": names.gfp_flags,
            "enums": names.enums | {name: names.enums[name] for name in _enums(image)},
        },
        "buffers": [
            {
                "number": buffer.number,
                "name": buffer.name,
                "state": buffer.state,
                "nr_slots": buffer.nr_slots,
                "places": buffer.places,
                "unreadable": buffer.unreadable,
                "heads_before": buffer.heads_before,
                "lows": buffer.lows,
            }
            for buffer in image.buffers
        ],
        "suppressed": image.suppressed,
        "faults": image.faults,
        "partial": image.partial,
    }


def name_tasks(trace: Trace) -> dict[int, str]:
    """Name the tasks of a trace that are alive, by pid."""
    pids = np.unique(trace.pid).tolist()
    return {pid: name for pid in pids if pid and (name := trace.facts.task_name(pid))}


def name_symbols(trace: Trace) -> dict[int, str]:
    """Name every kernel address that a record has."""
    symbol = trace.facts.names.symbol
    return {address: name for address in addresses(trace) if (name := symbol(address))}


def open_saved(path: Path) -> list[Trace]:
    """
    Read a saved trace.

    :raises Damaged: if it is none, or is damaged
    """
    saved = read_saved(path)
    return [build_trace(saved.image, saved.facts)]


def read_saved(path: Path) -> Saved:
    """
    Read a file without decoding its records.

    :raises Damaged: if it is none, or is damaged
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(_read(archive, "lkst.json", _MAX_JSON))
            if description["format"] != _FORMAT:
                raise Damaged(
                    f"{path}: is of format {description['format']}; this lkst reads format"
                    f" {_FORMAT}"
                )
            return _build(path, description, archive)
    except Damaged:
        raise
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror or error}") from error
    except _DAMAGE as error:
        raise Damaged(f"{path}: is damaged: {error}") from error


def _read(archive: zipfile.ZipFile, name: str, most: int = _MAX_PART) -> bytes:
    if archive.getinfo(name).file_size > most:
        raise ValueError(f"{name} is too large")
    return archive.read(name)


def _build(path: Path, description: dict[str, Any], archive: zipfile.ZipFile) -> Saved:
    names = description["names"]
    symbols = _by_number(description["symbols"])
    tasks = _by_number(description["tasks"])
    data = description["facts"]
    clock = description.get("clock")
    crash_time = data.get("crash_time")
    end = read_saved_end(description.get("end"))
    texts = {name: str(data[name]) for name in _FACTS}
    facts = Facts(
        source=str(path),
        kind="saved",
        release=texts["release"],
        version=texts["version"],
        machine=texts["machine"],
        arch=texts["arch"],
        panic_message=texts["panic_message"],
        clock=_clock(clock) if clock is not None else None,
        crash_time=None if crash_time is None else int(crash_time),
        notes=[str(note) for note in data["notes"]],
        task_name=lambda pid: tasks.get(pid, ""),
        end=lambda: end,
        names=Names(
            syscalls=_by_number(names["syscalls"]),
            compat_syscalls=_by_number(names["compat_syscalls"]),
            softirqs=[str(name) for name in names["softirqs"]],
            gfp_flags=[(int(mask), str(name)) for mask, name in names["gfp_flags"]],
            enums=Enums({str(name): _by_number(values) for name, values in names["enums"].items()}),
            symbol=symbols.get,
        ),
    )
    if len(description["buffers"]) > _MAX_BUFFERS:
        raise ValueError("too many buffers")
    image = Image(
        **{name: _read(archive, name) for name in _PARTS},
        buffers=[
            _buffer(data, _read(archive, f"rings/{index}"))
            for index, data in enumerate(description["buffers"])
        ],
        suppressed=_counts(description["suppressed"]),
        partial=bool(description["partial"]),
        faults=[str(fault) for fault in description["faults"]],
    )
    return Saved(image, facts, tasks, symbols)


def _clock(data: dict[str, Any]) -> ClockReading:
    ts, real_offset = int(data["ts"]), int(data["real_offset"])
    if not -(1 << 63) <= min(ts, real_offset) <= max(ts, real_offset) < 1 << 63:
        raise ValueError("a clock is damaged")
    how = "".join(c for c in str(data["how"]) if c.isprintable())
    return ClockReading(ts, real_offset, int(data["error"]), how)


def _buffer(data: dict[str, Any], rings: bytes) -> BufferImage:
    if data["state"] not in layout.BUFFER_STATES:
        raise ValueError("a buffer has an invalid state")
    return BufferImage(
        number=int(data["number"]),
        name="".join(c for c in str(data["name"]) if c.isprintable()),
        state=data["state"],
        nr_slots=int(data["nr_slots"]),
        rings=rings,
        places=[Place(int(head), int(limit)) for head, limit in data["places"]],
        unreadable=[(int(start), int(size)) for start, size in data["unreadable"]],
        heads_before=_numbers(data["heads_before"]),
        lows=_numbers(data["lows"]),
    )


def _numbers(data: list[Any] | None) -> list[int] | None:
    return None if data is None else [int(number) for number in data]


def _counts(data: dict[str, Any] | None) -> dict[int, int] | None:
    return None if data is None else {int(id_): int(count) for id_, count in data.items()}


def _by_number(names: dict[str, str]) -> dict[int, str]:
    return {int(number): str(name) for number, name in names.items()}
