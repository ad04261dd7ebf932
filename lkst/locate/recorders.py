# SPDX-License-Identifier: GPL-2.0-or-later
"""
Recorders
---------

Find the recorders in a kernel's memory: by the list that a grab carries, by the kernel's own
tables, and where these lead to less than a recorder says that it has, by carving.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from drgn import FaultError, Program, ProgramFlags

from drgn_plugins.lkst_btf import BTFError, attach_btf
from lkst.decode.image import Image
from lkst.errors import Damaged
from lkst.locate.faults import fault_text
from lkst.locate.grab import grab_list, read_listed
from lkst.locate.maps import find_recorders
from lkst.locate.merge import is_whole, merge_images
from lkst.locate.ranges import dump_of, memory_size, program_ranges

__all__ = ("LOCATORS", "find_images", "grab_list_of")

#: What drgn raises where memory is missing or damaged.
_FAULTS = (BTFError, FaultError, LookupError, ValueError, TypeError)


@dataclass
class Search:
    """A kernel's memory, and what locators have found in it so far."""

    prog: Program
    #: First and last address of each range of physical memory.
    ranges: list[tuple[int, int]]
    #: What is missing of the source, and what kept a locator from finding all, in lines.
    notes: list[str]
    images: list[Image] = field(default_factory=list)
    #: Whether a locator has met damage.
    damaged: bool = False

    def note(self, line: str) -> None:
        """Note what kept a locator from finding all."""
        self.notes.append(line)
        self.damaged = True


def find_images(prog: Program) -> tuple[list[Image], list[str]]:
    """
    Find all recorders, the newest first.

    :return: their memory; and what is missing or damaged, in lines
    """
    dump = dump_of(prog)
    search = Search(prog, program_ranges(prog), [] if dump is None else list(dump.faults))
    for locate in LOCATORS:
        search.images = locate(search)
    return search.images, search.notes


def grab_list_of(prog: Program) -> str | None:
    """Read the list of pages by which a grab was taken; None: this is no grab."""
    dump = dump_of(prog)
    return grab_list(dump) if dump is not None else None


def _by_grab_list(search: Search) -> list[Image]:
    text = grab_list_of(search.prog)
    if not text:
        return search.images
    try:
        attach_btf(search.prog)
    except _FAULTS as error:
        search.note(f"the kernel's names are not in this grab: {fault_text(error)}")
    try:
        image = read_listed(search.prog, text, memory_size(search.ranges))
    except (Damaged, FaultError) as error:
        search.note(f"its list of pages cannot be used: {fault_text(error)}")
        return search.images
    return search.images if image is None else [*search.images, image]


def _by_tables(search: Search) -> list[Image]:
    # A grab does not have them.
    if grab_list_of(search.prog):
        return search.images
    faults: list[str] = []
    try:
        attach_btf(search.prog)
        return [*search.images, *find_recorders(search.prog, memory_size(search.ranges), faults)]
    except _FAULTS as error:
        # Of a damaged file the reason is known already.
        why = "" if search.notes or faults else f": {fault_text(error)}"
        faults.append(f"the kernel's own tables cannot be used{why}")
        return search.images
    finally:
        for fault in faults:
            search.note(fault)


def _by_carving(search: Search) -> list[Image]:
    if _is_complete(search):
        return merge_images(search.images, ())
    # It takes longer to import than most dumps to read.
    from lkst.locate.carve import carve_recorders

    return merge_images(search.images, carve_recorders(search.prog, search.ranges))


def _is_complete(search: Search) -> bool:
    """Whether carving cannot find more."""
    if search.damaged:
        return False
    if search.prog.flags & ProgramFlags.IS_LIVE:
        return True
    return bool(search.images) and all(map(is_whole, search.images))


#: The ways to find recorders, in the order in which they are tried. Each returns what has been
#: found so far, its own additions among it.
LOCATORS: tuple[Callable[[Search], list[Image]], ...] = (_by_grab_list, _by_tables, _by_carving)
