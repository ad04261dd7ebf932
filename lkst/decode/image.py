# SPDX-License-Identifier: GPL-2.0-or-later
"""
Image
-----

A recorder's memory as bytes, wherever it was found. It is what locating ends
with and decoding starts from.
"""

from dataclasses import dataclass, field

from lkst.abi.layout import Place

__all__ = ("BufferImage", "Image")


@dataclass
class BufferImage:
    """The memory of one buffer: a ring for each CPU."""

    number: int
    name: str
    #: One of ``lkst.abi.layout.BUFFER_STATES``.
    state: str
    #: In one ring, a power of two.
    nr_slots: int
    #: All rings, one CPU's after the other; zeros where they could not be read.
    rings: bytes
    #: Where each CPU is; it ends early where that could not be read.
    places: list[Place] = field(default_factory=list)
    #: Stretches of ``rings`` that could not be read: (start, size), in bytes.
    unreadable: list[tuple[int, int]] = field(default_factory=list)
    #: Heads read before ``rings`` and ``places``, if the recorder was running meanwhile.
    heads_before: list[int] | None = None
    #: By CPU: slots with lower numbers are not in it on purpose (a segment of a log).
    lows: list[int] | None = None


@dataclass
class Image:
    """The memory of one recorder."""

    #: The map ``.data.catalogue``: header and events.
    catalogue: bytes
    #: In a log several have the same number: segments of one buffer, the oldest first.
    buffers: list[BufferImage]
    #: struct lkst_cpu of every CPU; empty where it could not be read.
    cpus: bytes = b""
    #: struct lkst_control; empty where it could not be read.
    control: bytes = b""
    #: struct lkst_counts of every CPU; empty where it is not there or could not be read.
    counts: bytes = b""
    #: By event id: how often its program was skipped because it was running; None: not known.
    suppressed: dict[int, int] | None = field(default_factory=dict)
    #: Whether records were left out on purpose (a filtered save).
    partial: bool = False
    #: What went wrong while it was located.
    faults: list[str] = field(default_factory=list)
