# SPDX-License-Identifier: GPL-2.0-or-later
"""
Image
-----

A recorder's memory as bytes, wherever it was found. It is what locating ends
with and decoding starts from.
"""

from dataclasses import dataclass, field

__all__ = ("Image",)


@dataclass
class Image:
    """The memory of one recorder."""

    #: The map ``.rodata.lkst``: header and events.
    catalogue: bytes
    #: All rings, one CPU's after the other; zeros where they could not be read.
    rings: bytes
    #: struct lkst_cpu of every CPU; empty where it could not be read.
    cpus: bytes = b""
    #: struct lkst_control; empty where it could not be read.
    control: bytes = b""
    #: By event id: how often its program was skipped because it was running.
    suppressed: dict[int, int] = field(default_factory=dict)
    #: Stretches of ``rings`` that could not be read: (start, size), in bytes.
    unreadable: list[tuple[int, int]] = field(default_factory=list)
    #: Heads read before ``rings`` and ``cpus``, if the recorder was running meanwhile.
    heads_before: list[int] | None = None
    #: Whether records were left out on purpose (a filtered save).
    partial: bool = False
    #: What went wrong while it was located.
    faults: list[str] = field(default_factory=list)
