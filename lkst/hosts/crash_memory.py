# SPDX-License-Identifier: GPL-2.0-or-later
"""
Memory that crash(8) serves
---------------------------

Physical memory over the bridge. Whatever asks for it, it is fetched in large pieces.
"""

from collections.abc import Callable

from drgn import FaultError

from lkst.hosts.crash_bridge import MAX_READ

__all__ = ("Memory",)

PAGE = 4096
#: What is read at once when a page is wanted: neighbours are likely to be wanted, too.
PIECE = 1 << 16
#: Pages that are kept.
MAX_PAGES = 1 << 16


class Memory:
    """
    Physical memory, of which pages that were read are kept.

    Opening a kernel takes some 100,000 reads of a few bytes from some 1000 pages.
    """

    def __init__(self, read_into: Callable[[int, memoryview], int], live: bool) -> None:
        """
        Read through a function.

        :param read_into: as of :class:`lkst.hosts.crash_bridge.Bridge`
        :param live: it changes meanwhile: what follows a large read is read afresh, and
            what follows one that failed
        """
        self._read_into = read_into
        self._live = live
        self._buffer = memoryview(bytearray(MAX_READ))
        #: By number; empty if there is none.
        self._pages: dict[int, bytes] = {}

    def read(
        self, address: int, count: int, offset: int = 0, physical: bool = True
    ) -> bytes | memoryview:
        """
        Read memory.

        :param offset: for drgn's sake
        :param physical: for drgn's sake
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
        """Give a page, which is wanted from an address on."""
        if number not in self._pages:
            if len(self._pages) >= MAX_PAGES:
                self._pages.clear()
            first = number - number % (PIECE // PAGE)
            if first not in self._pages:
                self._keep(first, number)
            if number not in self._pages:
                # Something is missing before it.
                self._keep(number, number)
        page = self._pages[number]
        if not page:
            if self._live:
                self._pages.clear()
            raise _fault(max(number * PAGE, address))
        return page

    def _keep(self, first: int, wanted: int) -> None:
        """Read from a page on to the end of its piece."""
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
