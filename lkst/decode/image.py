# SPDX-License-Identifier: GPL-2.0-or-later
"""
Image
-----

The memory of a recorder as bytes, independent of its source. Locators create it and
decoders read it.
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
    #: Slots in one ring, a power of two.
    nr_slots: int
    #: The rings of all CPUs, one after the other; zeros where memory could not be read.
    rings: bytes
    #: Head and limit of each CPU; shorter if they could not be read.
    places: list[Place] = field(default_factory=list)
    #: Ranges of ``rings`` that could not be read: (start, size), in bytes.
    unreadable: list[tuple[int, int]] = field(default_factory=list)
    #: Heads read before ``rings`` and ``places``, if the recorder was running at that time.
    heads_before: list[int] | None = None
    #: By CPU: slots with lower numbers are excluded on purpose (a segment of a log).
    lows: list[int] | None = None


@dataclass
class Image:
    """The memory of one recorder."""

    #: The map ``.data.catalogue``: header and events.
    catalogue: bytes
    #: A log has several with the same number: segments of one buffer, the oldest first.
    buffers: list[BufferImage]
    #: struct lkst_cpu of every CPU; empty if it could not be read.
    cpus: bytes = b""
    #: struct lkst_control; empty if it could not be read.
    control: bytes = b""
    #: struct lkst_counts of every CPU; empty if it is missing or could not be read.
    counts: bytes = b""
    #: By event id: how often its program was skipped to prevent recursion; None: not known.
    suppressed: dict[int, int] | None = field(default_factory=dict)
    #: Whether records were left out on purpose (a filtered save).
    partial: bool = False
    #: What went wrong while it was located.
    faults: list[str] = field(default_factory=list)
