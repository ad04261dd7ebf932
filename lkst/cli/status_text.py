# SPDX-License-Identifier: GPL-2.0-or-later
"""Formats of the status of the recorder."""

import json
import math
from typing import Any

from lkst.abi import layout
from lkst.record.lifecycle.status import EventStatus, Status
from lkst.record.trigger.table import TriggerStatus
from lkst.replay.formats import objects_text
from lkst.util.tables import plain_table

__all__ = ("show_status",)

#: Kind of loss -> its description.
_LOST = {
    "refused": "records refused by frozen rings",
    "unheard": "notices lost",
    "no_spare": "switches without a spare buffer",
    "unfollowed": "tasks not followed",
    "held": "records held back by limits of probes",
    "unpaired": "calls of probed functions without beginning or end",
}


def show_status(status: Status, faults: list[str], form: str) -> str:
    """
    Format it; ends with a newline.

    :param faults: faults of the recorder
    :param form: text, json, or of its events: jsonl, csv
    """
    if form == "text":
        return _text(status)
    if form == "json":
        return _json(status, faults)
    events = [_event(entry) for entry in status.events]
    return objects_text(events, form, list(events[0]) if events else ())


def _text(status: Status) -> str:
    """Format it as a summary and two tables."""
    return "\n\n".join((_summary(status), _rings(status), _events(status))) + "\n"


def _ago(status: Status, moment: int) -> str:
    return f"{(status.now - moment) / 1e9:.1f} s"


def _summary(status: Status) -> str:
    header = status.header
    attached = [entry for entry in status.events if entry.state == "attached"]
    rows = [
        (
            "recorder",
            f"{header.version}, ABI {header.abi[0]}.{header.abi[1]}, kernel {header.release}",
        ),
        (
            "running",
            f"for {_ago(status, header.start)}, maskset {status.maskset}, {len(attached)} events",
        ),
    ]
    if status.until:
        left = max(0.0, (status.until - status.now) / 1e9)
        rows.append(("back", f"to maskset {status.base} in {left:.1f} s"))
    if others := [name for name in status.loaded if name != status.maskset]:
        rows.append(("loaded", ", ".join(others)))
    for buffer in status.buffers:
        size = buffer.nr_slots * layout.SLOT_SIZE >> 10
        rows.append(
            ("buffer", f"{buffer.name}: {buffer.state}, {len(buffer.heads)} rings of {size} KiB")
        )
    rows += [("trigger", _trigger(status, trigger)) for trigger in status.triggers]
    if status.beat:
        rows.append(("heartbeat", f"{_ago(status, status.beat)} ago"))
    if lost := [f"{count} {_LOST[what]}" for what, count in status.lost.items() if count]:
        rows.append(("lost", ", ".join(lost)))
    rows += [("missing", f"{name}: {why}") for name, why in status.missing.items()]
    rows.append(("rate", f"{sum(entry.rate for entry in status.events):.0f} records/s"))
    return plain_table(rows)


def _trigger(status: Status, trigger: TriggerStatus) -> str:
    last = f", last {_ago(status, trigger.last)} ago" if trigger.last else ""
    held = f", held back {trigger.held} times" if trigger.held else ""
    return (
        f"{trigger.name}: {trigger.when} -> {trigger.action}, fired {trigger.fired} times{held}"
        f"{last}"
    )


def _rings(status: Status) -> str:
    return plain_table(
        (
            (ring.cpu, ring.head, ring.overwritten, f"{ring.rate:.0f}", f"{ring.lasts:.1f}")
            for ring in status.rings
        ),
        ["CPU", "slots written", "overwritten", "slots/s", "ring lasts (s)"],
        "rrrrr",
    )


def _events(status: Status) -> str:
    return plain_table(
        (
            (
                entry.event.name,
                entry.event.category,
                entry.state,
                entry.count,
                f"{entry.rate:.0f}",
                entry.suppressed,
            )
            for entry in status.events
            if entry.state != "unused" or entry.count
        ),
        ["event", "category", "state", "records", "per s", "suppressed"],
        "lllrrr",
    )


def _json(status: Status, faults: list[str]) -> str:
    """Format it as a JSON object. Times are CLOCK_MONOTONIC, in ns."""
    header = status.header
    answer = {
        "version": header.version,
        "abi": f"{header.abi[0]}.{header.abi[1]}",
        "release": header.release,
        "boot_id": header.boot_id,
        "start": header.start,
        "now": status.now,
        "maskset": status.maskset,
        "base": status.base or None,
        "until": status.until or None,
        "loaded": status.loaded,
        "missing": status.missing,
        "buffers": [
            {
                "name": buffer.name,
                "state": buffer.state,
                "ring_size": buffer.nr_slots * layout.SLOT_SIZE,
                "heads": buffer.heads,
            }
            for buffer in status.buffers
        ],
        "rings": [
            {
                "cpu": ring.cpu,
                "head": ring.head,
                "overwritten": ring.overwritten,
                "rate": ring.rate,
                "lasts": ring.lasts if math.isfinite(ring.lasts) else None,
            }
            for ring in status.rings
        ],
        "triggers": [
            {
                "name": trigger.name,
                "when": trigger.when,
                "do": trigger.action,
                "interval": trigger.interval,
                "fired": trigger.fired,
                "held": trigger.held,
                "last": trigger.last or None,
            }
            for trigger in status.triggers
        ],
        "beat": status.beat or None,
        "lost": status.lost,
        "events": [_event(entry) for entry in status.events],
        "faults": faults,
    }
    return json.dumps(answer, indent=2) + "\n"


def _event(entry: EventStatus) -> dict[str, Any]:
    return {
        "event": entry.event.name,
        "category": entry.event.category,
        "state": entry.state,
        "records": entry.count,
        "rate": entry.rate,
        "suppressed": entry.suppressed,
    }
