# SPDX-License-Identifier: GPL-2.0-or-later
"""
VMCOREINFO in memory
--------------------

The kernel keeps the text in a page of its own, and once more behind the header of an
ELF note (kernel/vmcore_info.c, before Linux 6.9 kernel/crash_core.c). A dump by a
hypervisor whose guest has not told where that is has it in its memory only. There may
be several: of a capture kernel, or of a kernel that ran before a warm reset.
"""

from collections.abc import Iterator
import re

from lkst.dump.dump import Dump, Missing

__all__ = ("find_vmcoreinfo", "is_vmcoreinfo", "symbol")

_BEGIN = b"OSRELEASE="
_PIECE = 1 << 20
_MAX_TEXT = 1 << 14
#: Lines that a text without which nothing can be found must have.
_NEEDED = (b"\nPAGESIZE=", b"\nSYMBOL(init_uts_ns)=", b"\nSYMBOL(swapper_pg_dir)=")
_LINES = re.compile(rb"(?:[\x21-\x3c\x3e-\x7e]+=[\x20-\x7e]*\n)+")
_CRASHED = re.compile(rb"^CRASHTIME=(\d{1,18})$", re.MULTILINE)


def is_vmcoreinfo(text: bytes) -> bool:
    """Return whether a text may be VMCOREINFO of a Linux kernel."""
    return text.startswith(_BEGIN) and all(line in text for line in _NEEDED)


def symbol(text: bytes, name: str) -> int | None:
    """Read the address of a symbol."""
    found = re.search(rb"^SYMBOL\(" + name.encode() + rb"\)=([0-9a-f]{1,16})$", text, re.MULTILINE)
    return int(found[1], 16) if found else None


def find_vmcoreinfo(dump: Dump) -> list[tuple[int, bytes]]:
    """
    Search for the text in a dump's memory.

    :return: physical address and text of each that is different, the most likely first:
        that of the kernel that crashed last
    """
    found: dict[bytes, int] = {}
    for address in _places(dump):
        text = _text(dump, address)
        if is_vmcoreinfo(text):
            found.setdefault(text, address)
    # A text that continues another one is the same text, extended at the crash.
    whole = [
        (address, text)
        for text, address in found.items()
        if not any(other != text and other.startswith(text) for other in found)
    ]
    return sorted(whole, key=lambda each: _crash_time(each[1]), reverse=True)


def _crash_time(text: bytes) -> int:
    match = _CRASHED.search(text)
    return int(match[1]) if match else -1


def _places(dump: Dump) -> Iterator[int]:
    for address, data in dump.pieces(_PIECE):
        at = data.find(_BEGIN)
        while at >= 0:
            yield address + at
            at = data.find(_BEGIN, at + 1)


def _text(dump: Dump, address: int) -> bytes:
    """Read as many lines as there are from an address on."""
    data = b""
    while len(data) < _MAX_TEXT and not data.count(b"\0"):
        size = 4096 - (address + len(data)) % 4096
        try:
            data += dump.read(address + len(data), size)
        except Missing:
            break
    match = _LINES.match(data)
    return match[0] if match else b""
