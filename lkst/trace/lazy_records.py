# SPDX-License-Identifier: GPL-2.0-or-later
"""
Records that are decoded lazily
-------------------------------

A replay of the newest records does not decode the others. Of those only the summary is
computed: their number, their time span, and what was lost.
"""

from collections.abc import Iterator

import numpy as np

from lkst.decode.catalogue import Catalogue, event_ids, naming_events
from lkst.decode.image import Image
from lkst.decode.predicate import Predicate
from lkst.decode.records import BufferLoss, Records, find_records
from lkst.decode.ring import CPULoss
from lkst.decode.scan import KNOWN
from lkst.decode.tail import RingsSummary, is_selective, summarize_rings

__all__ = ("LazyRecords",)

# Flags of events: see lkst.decode.scan.
_PANIC = 2
_NAMES = 4


class LazyRecords:
    """Records, or a summary of them until they are decoded."""

    def __init__(self, image: Image, catalogue: Catalogue, records: Records | None = None) -> None:
        """
        Hold the records of an image.

        :param records: decoded records; None: decode those of the image on first use
        """
        self._image = image
        self._catalogue = catalogue
        self._decoded = records
        self._summary: RingsSummary | None = None

    @property
    def records(self) -> Records:
        """The records, decoded on first use."""
        if self._decoded is None:
            self._decoded = find_records(self._image, self._catalogue)
        return self._decoded

    @property
    def is_decoded(self) -> bool:
        """Whether they are decoded already."""
        return self._decoded is not None

    @property
    def summary(self) -> RingsSummary | None:
        """The summary of all records; None once they are decoded."""
        return None if self.is_decoded else self._summary

    def __len__(self) -> int:
        return self.summary.total if self.summary else len(self.records.first)

    def summarize(self, least: int) -> None:
        """
        Summarize the rings, unless decoding all records is better.

        :param least: number of newest records that the caller will need
        """
        if not self.is_decoded and self._summary is None:
            kinds = np.zeros(1 << 16, np.uint8)
            kinds[list(self._catalogue.events)] = KNOWN
            kinds[event_ids(self._catalogue, "panic")] |= _PANIC
            kinds[naming_events(self._catalogue)] |= _NAMES
            self._summary = summarize_rings(self._image, self._catalogue, kinds, least)

    def tails(self, least: int, longer: int) -> Iterator[Records]:
        """
        Yield ever more of the newest records, if they are summarized; never all of them.

        :param least: number of records to begin with
        :param longer: growth factor of each step
        """
        while (summary := self.summary) and (records := summary.newest(least)):
            yield records
            least = longer * max(least, len(records.first))

    def matching(self, predicate: Predicate, *, few: bool = False) -> Records | None:
        """
        Return the records that match a predicate without decoding others.

        :param few: whether to assume that few records match
        :return: None if decoding all records is better, since many may match
        """
        if self.is_decoded or not (few or is_selective(self._image, predicate)):
            return None
        self.summarize(0)
        return self.summary.matching(predicate) if self.summary else None

    @property
    def may_panic(self) -> bool:
        """Whether there can be a record of a panic."""
        return not self.summary or bool(self.summary.kinds & _PANIC)

    @property
    def may_name_tasks(self) -> bool:
        """Whether there can be records that name tasks."""
        return not self.summary or bool(self.summary.kinds & _NAMES)

    @property
    def losses(self) -> list[CPULoss]:
        """What each CPU's rings have lost."""
        return self.summary.found.losses if self.summary else self.records.losses

    @property
    def buffers(self) -> list[BufferLoss]:
        """The remaining records and the losses of each buffer."""
        return self.summary.found.buffers if self.summary else self.records.buffers

    @property
    def faults(self) -> list[str]:
        """What was damaged."""
        return self.summary.found.faults if self.summary else self.records.faults
