# SPDX-License-Identifier: GPL-2.0-or-later
"""All views by name, in the order in which they are shown."""

from lkst.sql import calls, devices, kernel, memory, probes, records, sched, tasks
from lkst.sql.view import View

__all__ = ("VIEWS",)

VIEWS: dict[str, View] = {
    view.name: view
    for view in (
        records.TRACE,
        records.CPUS,
        records.HOLES,
        records.EVENTS,
        *sched.VIEWS,
        *calls.VIEWS,
        *probes.VIEWS,
        *devices.VIEWS,
        *kernel.VIEWS,
        *tasks.VIEWS,
        *memory.VIEWS,
    )
}
