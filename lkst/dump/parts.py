# SPDX-License-Identifier: GPL-2.0-or-later
"""
Split dumps
-----------

Join the files of ``makedumpfile --split``: each part has the headers and bitmaps of the
whole dump, and the pages of its own span. No part says how many there are; makedumpfile
gives all the same number of pages.
"""

from collections.abc import Sequence

from lkst.dump.dump import Dump, Missing, join_ranges
from lkst.dump.kdump import KdumpDump
from lkst.errors import Damaged

__all__ = ("SplitDump", "join_parts", "split_identity")


#: As a share of a part: how much larger or smaller the others may be together.
_MAX_UNEVEN = 0.1


class SplitDump(Dump):
    """Parts of a split dump, all of them or some."""

    kind = "kdump"
    plain = False

    def __init__(self, parts: Sequence[KdumpDump]) -> None:
        """Order the parts of one dump by their spans."""
        self._parts = parts
        first = parts[0]
        self.identity = first.identity
        self.path = first.path
        self.byte_order, self.machine = first.byte_order, first.machine
        self.notes = next((part.notes for part in parts if part.notes), b"")
        self.vmcoreinfo = next((part.vmcoreinfo for part in parts if part.vmcoreinfo), b"")
        several = len(parts) > 1
        self.faults = [
            f"{part.path.name}: {fault}" if several else fault
            for part in parts
            for fault in part.faults
        ]
        if lacking := self._lacking():
            self.faults.insert(0, lacking)
        self._last = first

    def _lacking(self) -> str:
        """Name the available parts if others are missing."""
        total = self._parts[0].total
        there = sum(part.meant for part in self._parts)
        if there >= total:
            return ""
        names = " and ".join(_name(part) for part in self._parts)
        verb = "is" if len(self._parts) == 1 else "are"
        return (
            f"{verb} {names} of a split dump, with {there} of {total} pages of memory:"
            " name the other parts too"
        )

    def ranges(self) -> list[tuple[int, int]]:
        return join_ranges([range_ for part in self._parts for range_ in part.ranges()])

    def read(self, address: int, size: int) -> bytes:
        try:
            return self._last.read(address, size)
        except Missing as error:
            missing = error
        for part in self._parts:
            try:
                data = part.read(address, size)
            except Missing as error:
                if error.address > missing.address:
                    missing = error
                continue
            self._last = part
            return data
        if missing.address > address:
            # It begins in one part, and may go on in another.
            head = self.read(address, missing.address - address)
            return head + self.read(missing.address, address + size - missing.address)
        raise missing


def _name(part: KdumpDump) -> str:
    """Return which part of a split dump a file is, if certain: all parts have as many pages."""
    if part.span is not None and part.span[0] == 0:
        return "part 1"
    if not part.meant:
        return "an empty part"
    for pages in (part.before, part.total - part.before):
        parts = pages / part.meant
        if not parts or abs(parts - round(parts)) > _MAX_UNEVEN:
            return "a part"
    return f"part {1 + round(part.before / part.meant)}"


def split_identity(dump: Dump) -> bytes | None:
    """Return what identifies a split dump; None if the file is not a part of one."""
    return dump.identity if isinstance(dump, SplitDump) else None


def join_parts(dumps: Sequence[Dump]) -> Dump:
    """
    Join several files into one dump.

    :raises Damaged: if they do not belong together
    """
    parts = [dump for dump in dumps if isinstance(dump, KdumpDump) and dump.span]
    if not parts and len(dumps) == 1:
        return dumps[0]
    for dump in dumps:
        if dump not in parts:
            raise Damaged(f"{dump.path}: is not a part of a split dump: name it alone")
    for part in parts[1:]:
        same = part.frames == parts[0].frames and part.identity == parts[0].identity
        if not same:
            raise Damaged(f"{part.path}: is a part of another dump than {parts[0].path}")
    unique = {part.span: part for part in reversed(parts)}
    return SplitDump(sorted(unique.values(), key=lambda part: part.span or (0, 0)))
