# SPDX-License-Identifier: GPL-2.0-or-later
"""
Watched memory
--------------

A program that reads another one's memory and records every page that is read.
"""

from typing import Any, cast

from drgn import FaultError, Program

from lkst.errors import LkstError

__all__ = ("WatchedMemory", "carving_view", "watched_program")

_MAX_PHYSICAL = 1 << 52


class WatchedMemory:
    """The physical memory of a program, which keeps what was read of it."""

    def __init__(self, source: Program, page_size: int) -> None:
        """
        Watch a program.

        :param page_size: in bytes
        """
        self._source = source
        self._page_size = page_size
        #: Pages by number, as they were when they were first read.
        self.pages: dict[int, bytes] = {}
        #: Whether to reread pages each time and keep the last contents.
        self.afresh = False
        self._missing: dict[int, FaultError] = {}

    def read(self, address: int, count: int, offset: int = 0, physical: bool = True) -> bytes:
        """
        Read physical memory.

        :param offset: for drgn's sake
        :param physical: for drgn's sake
        :raises FaultError: if any of it is missing
        """
        size = self._page_size
        number, start = divmod(address, size)
        if start + count <= size:
            return self._page(number)[start : start + count]
        last = (address + count - 1) // size
        pages = b"".join(map(self._page, range(number, last + 1)))
        return pages[start : start + count]

    def _page(self, number: int) -> bytes:
        page = self.pages.get(number)
        if page is None or self.afresh:
            if number in self._missing:
                raise self._missing[number]
            try:
                page = self._source.read(number * self._page_size, self._page_size, True)
            except FaultError as error:
                self._missing[number] = error
                raise
            self.pages[number] = page
        return page


def watched_program(
    source: Program, vmcoreinfo: bytes, page_size: int
) -> tuple[Program, WatchedMemory]:
    """
    Create a program that reads the memory of another one, and watch its reads.

    :param vmcoreinfo: the text of VMCOREINFO
    :param page_size: in bytes
    """
    memory = WatchedMemory(source, page_size)
    prog = Program(source.platform)
    prog.add_memory_segment(0, _MAX_PHYSICAL, memory.read, True)
    try:
        prog.set_linux_kernel_custom(vmcoreinfo, False)
    except AttributeError:
        raise LkstError("slicing needs drgn 0.1 or later") from None
    return prog, memory


class _CarvingView:
    # Symbols and types come from the source; reads of physical memory are watched.

    def __init__(self, source: Program, memory: WatchedMemory) -> None:
        self._source = source
        self._memory = memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def read(self, address: int, size: int, physical: bool = False) -> bytes:
        if physical:
            return self._memory.read(address, size)
        data: bytes = self._source.read(address, size)
        return data


def carving_view(source: Program, memory: WatchedMemory) -> Program:
    """
    Return a view of a program for carving whose reads are watched.

    :param memory: that of *source*
    """
    return cast(Program, _CarvingView(source, memory))
