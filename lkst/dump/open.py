# SPDX-License-Identifier: GPL-2.0-or-later
"""
Opening a dump
--------------

Recognise the format of a dump file, and open it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
import struct

from lkst.dump.content import FLAT_MAGIC, open_content
from lkst.dump.dump import Dump
from lkst.dump.elf import ElfDump
from lkst.dump.kdump import SIGNATURE, KdumpDump
from lkst.dump.parts import join_parts
from lkst.dump.unpack import compression, open_unpacked, unpacked_begin
from lkst.errors import Damaged

__all__ = ("is_dump", "looks_like_dump", "open_dump")

_ELF = b"\x7fELF"
#: Where ``e_type`` ends (elf(5)).
_ELF_TYPE_END = 18


def is_dump(path: Path) -> bool:
    """Return whether a file may be a dump, possibly compressed, by its first bytes."""
    try:
        if not path.is_file():  # Of a pipe they would be gone.
            return False
        with path.open("rb") as file:
            begin = file.read(16)
        return begin.startswith((_ELF, SIGNATURE, FLAT_MAGIC)) or bool(compression(path))
    except OSError:
        return False


def looks_like_dump(path: Path) -> bool:
    """
    Return whether a file's content, decompressed if needed, is a core or a dump.

    :raises OSError: if the file cannot be read
    :raises MissingLibrary: if unpacking takes a library that is not installed
    """
    begin = unpacked_begin(path, _ELF_TYPE_END)
    if begin.startswith(_ELF) and len(begin) == _ELF_TYPE_END:
        return begin[-2:] in (b"\x04\0", b"\0\x04")  # ET_CORE; an ELF file may be anything else.
    return begin.startswith((SIGNATURE, FLAT_MAGIC))


def open_dump(paths: Sequence[Path], report: Callable[[str], None] = lambda text: None) -> Dump:
    """
    Open a dump, whole or not.

    :param paths: the file, or parts of a split dump in any order
    :param report: called with the progress of a slow step
    :raises Damaged: if it is not a dump, or is completely unreadable
    :raises LkstError: if there is no space to unpack it
    """
    return join_parts([_open(path, report) for path in paths])


def _open(path: Path, report: Callable[[str], None]) -> Dump:
    try:
        unpacked = open_unpacked(path, report)
    except OSError as error:
        raise Damaged(f"{path}: {error.strerror or error}") from error
    dump: Dump
    try:
        content = open_content(unpacked.file)
        begin = content.read(0, 16)
        if begin.startswith(_ELF):
            dump = ElfDump(path, content)
        elif begin.startswith(SIGNATURE):
            dump = KdumpDump(path, content)
        elif content.file_size == 0:
            raise Damaged(f"{path}: is empty")
        else:
            raise ValueError("is not a dump" if not content.cut else "is cut off before its header")
    except struct.error:
        raise Damaged(
            f"{path}: is cut off after {content.file_size} bytes, before the end of its headers"
        ) from None
    except (OverflowError, ValueError) as error:
        raise Damaged(f"{path}: {error}") from None
    if unpacked.copied:
        dump.plain = False
    if unpacked.fault:
        dump.faults.insert(0, unpacked.fault)
    return dump
