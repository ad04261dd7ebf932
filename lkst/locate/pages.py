# SPDX-License-Identifier: GPL-2.0-or-later
"""
Pages
-----

Read a range of a program's memory from which pages may be missing.
"""

from drgn import FaultError, Program

__all__ = ("read_pages",)

_PAGE = 4096


def read_pages(
    prog: Program, address: int, size: int, *, physical: bool = False
) -> tuple[bytes, list[tuple[int, int]]]:
    """
    Read memory, with zeros for pages that cannot be read.

    :param size: in bytes
    :return: the bytes, and the missing ranges of them: (start, size), in bytes
    """
    try:
        return prog.read(address, size, physical), []
    except FaultError:
        pass
    data = bytearray(size)
    missing: list[tuple[int, int]] = []
    offset = 0
    while offset < size:
        length = min(_PAGE - (address + offset) % _PAGE, size - offset)
        try:
            data[offset : offset + length] = prog.read(address + offset, length, physical)
        except FaultError:
            if missing and sum(missing[-1]) == offset:
                missing[-1] = missing[-1][0], missing[-1][1] + length
            else:
                missing.append((offset, length))
        offset += length
    return bytes(data), missing
