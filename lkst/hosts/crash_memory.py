# SPDX-License-Identifier: GPL-2.0-or-later
"""
Memory that crash(8) serves
---------------------------

Physical memory over the bridge, fetched and cached in large blocks.
"""

from collections.abc import Callable

from drgn import FaultError

from lkst.hosts.crash_bridge import MAX_READ

__all__ = ("Memory",)

PAGE = 4096
#: Read-ahead: neighbouring pages are likely to be needed, too.
PIECE = 1 << 16
#: Number of cached pages.
MAX_PAGES = 1 << 16


class Memory:
    """
    Physical memory with a cache of pages.

    Opening a kernel takes about 100,000 reads of a few bytes from about 1000 pages.
    """

    def __init__(self, read_into: Callable[[int, memoryview], int], live: bool) -> None:
        """
        Read through a function.

        :param read_into: as of :class:`lkst.hosts.crash_bridge.Bridge`
        :param live: memory changes: drop the cache after a large read and after a failed
        one
        """
        self._read_into = read_into
        self._live = live
        self._buffer = memoryview(bytearray(MAX_READ))
        #: Pages by number; empty: the page is missing.
        self._pages: dict[int, bytes] = {}

    def read(
        self, address: int, count: int, offset: int = 0, physical: bool = True
    ) -> bytes | memoryview:
        """
        Read memory.

        :param offset: not used, required by drgn
        :param physical: not used, required by drgn
        :return: valid until the next read; drgn copies it
        :raises FaultError: if any of it is missing
        """
        number, start = divmod(address, PAGE)
        end = start + count
        if end <= PAGE:
            return (self._pages.get(number) or self._page(number, address))[start:end]
        if count < PIECE:
            last = (address + count - 1) // PAGE
            pages = [self._pages.get(n) or self._page(n, address) for n in range(number, last + 1)]
            return b"".join(pages)[start:end]
        return self._large(address, count)

    def _page(self, number: int, address: int) -> bytes:
        """Return a page, which is needed from an address on."""
        if number not in self._pages:
            if len(self._pages) >= MAX_PAGES:
                self._pages.clear()
            first = number - number % (PIECE // PAGE)
            if first not in self._pages:
                self._keep(first, number)
            if number not in self._pages:
                # An earlier part is missing.
                self._keep(number, number)
        page = self._pages[number]
        if not page:
            if self._live:
                self._pages.clear()
            raise _fault(max(number * PAGE, address))
        return page

    def _keep(self, first: int, wanted: int) -> None:
        """Read and cache from a page to the end of its block."""
        rest = PIECE - first * PAGE % PIECE
        piece = self._buffer[:rest]
        whole = self._read_into(first * PAGE, piece) // PAGE
        for index in range(whole):
            self._pages[first + index] = bytes(piece[index * PAGE : (index + 1) * PAGE])
        if first + whole == wanted:
            self._pages[wanted] = b""

    def _large(self, address: int, count: int) -> memoryview:
        if self._live:
            self._pages.clear()
        fits = count <= len(self._buffer)
        data = self._buffer[:count] if fits else memoryview(bytearray(count))
        for start in range(0, count, MAX_READ):
            part = data[start : start + MAX_READ]
            got = self._read_into(address + start, part)
            if got < len(part):
                raise _fault(address + start + got)
        return data


def _fault(address: int) -> FaultError:
    return FaultError("crash cannot read this", address)
