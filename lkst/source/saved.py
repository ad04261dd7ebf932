# SPDX-License-Identifier: GPL-2.0-or-later
"""
Saved traces
------------

A ``.lkst`` file is a zip archive of what a trace is made of: the recorder's
memory as it was, and the facts about the machine as JSON. Reading one takes the
same way as reading a dump, so the replay is the same.

==================  ==========================================================
``lkst.json``       format version, facts, names, stretches that are missing
``catalogue``       the recorder's header and events
``rings``           all rings
``cpus``            struct lkst_cpu of every CPU
``control``         struct lkst_control
==================  ==========================================================
"""

import json
from pathlib import Path
from typing import Any
import zipfile
import zlib

import numpy as np

from lkst.decode.image import Image
from lkst.errors import Damaged
from lkst.files import replacing
from lkst.trace.build import build_trace
from lkst.trace.facts import Facts, Names
from lkst.trace.trace import Trace

__all__ = ("open_saved", "save_trace")

_FORMAT = 1
_PARTS = ("catalogue", "rings", "cpus", "control")
_MAX_PART = 1 << 40
_MAX_JSON = 1 << 28

#: What reading a damaged archive may raise.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    TypeError,
    ValueError,
)


def save_trace(trace: Trace, path: Path) -> None:
    """
    Write a trace to a file; one that was selected from another keeps its records only.

    :raises LkstError: if it cannot be written; an old file stays as it was
    """
    image = trace.image
    parts = {
        "catalogue": image.catalogue,
        "rings": _rings(trace),
        "cpus": image.cpus,
        "control": image.control,
    }
    with (
        replacing(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        archive.writestr("lkst.json", json.dumps(_describe(trace), indent=1))
        for name, data in parts.items():
            archive.writestr(name, data)


def _rings(trace: Trace) -> bytes:
    """Give the rings; of a selection, with zeros in place of what is not in it."""
    if trace.whole is trace:
        return trace.image.rings
    slots = trace.records.slots
    kept = np.zeros_like(slots)
    for part in trace.records.parts(trace.header.nr_slots):
        kept[part] = slots[part]
    return kept.tobytes()


def _describe(trace: Trace) -> dict[str, Any]:
    facts, image = trace.facts, trace.image
    names = facts.names
    return {
        "format": _FORMAT,
        "facts": {
            name: getattr(facts, name)
            for name in ("release", "version", "machine", "arch", "panic_message", "notes")
        },
        "names": {
            "syscalls": names.syscalls,
            "compat_syscalls": names.compat_syscalls,
            "softirqs": names.softirqs,
            "gfp_flags": names.gfp_flags,
            "enums": names.enums,
            "symbols": _symbols(trace),
        },
        "tasks": {pid: name for pid in _pids(trace) if (name := facts.task_name(pid))},
        "suppressed": image.suppressed,
        "unreadable": image.unreadable,
        "faults": image.faults,
        "heads_before": image.heads_before,
        "partial": image.partial or trace.whole is not trace,
    }


def _symbols(trace: Trace) -> dict[int, str]:
    """Name every kernel address that a record has."""
    found = {}
    for event in trace.catalogue.events.values():
        rows = trace.rows(event)
        for field in event.fields:
            if field.type == "ksym" and len(rows):
                for address in np.unique(trace.column(field, rows)).tolist():
                    if name := trace.facts.names.symbol(address):
                        found[address] = name
    return found


def _pids(trace: Trace) -> list[int]:
    return [pid for pid in np.unique(trace.pid).tolist() if pid]


def open_saved(path: Path) -> list[Trace]:
    """
    Read a saved trace.

    :raises Damaged: if it is none, or is damaged
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(_read(archive, "lkst.json", _MAX_JSON))
            if description["format"] != _FORMAT:
                raise Damaged(f"{path}: is of format {description['format']}, not {_FORMAT}")
            parts = {name: _read(archive, name, _MAX_PART) for name in _PARTS}
        return [_build(path, description, parts)]
    except Damaged:
        raise
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror or error}") from error
    except _DAMAGE as error:
        raise Damaged(f"{path}: is damaged: {error}") from error


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if archive.getinfo(name).file_size > most:
        raise ValueError(f"{name} is too large")
    return archive.read(name)


def _build(path: Path, description: dict[str, Any], parts: dict[str, bytes]) -> Trace:
    names = description["names"]
    symbols = _by_number(names["symbols"])
    tasks = _by_number(description["tasks"])
    facts = Facts(
        source=str(path),
        kind="saved",
        **{
            name: str(description["facts"][name])
            for name in ("release", "version", "machine", "arch", "panic_message")
        },
        notes=[str(note) for note in description["facts"]["notes"]],
        task_name=lambda pid: tasks.get(pid, ""),
        names=Names(
            syscalls=_by_number(names["syscalls"]),
            compat_syscalls=_by_number(names["compat_syscalls"]),
            softirqs=[str(name) for name in names["softirqs"]],
            gfp_flags=[(int(mask), str(name)) for mask, name in names["gfp_flags"]],
            enums={str(name): _by_number(values) for name, values in names["enums"].items()},
            symbol=symbols.get,
        ),
    )
    image = Image(
        **parts,
        suppressed={int(k): int(v) for k, v in description["suppressed"].items()},
        unreadable=[(int(start), int(size)) for start, size in description["unreadable"]],
        heads_before=[int(head) for head in description["heads_before"] or ()] or None,
        partial=bool(description["partial"]),
        faults=[str(fault) for fault in description["faults"]],
    )
    return build_trace(image, facts)


def _by_number(names: dict[str, str]) -> dict[int, str]:
    return {int(number): str(name) for number, name in names.items()}
