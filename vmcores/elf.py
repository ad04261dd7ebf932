# SPDX-License-Identifier: GPL-2.0-or-later
"""
Put the headers of QEMU's ELF dumps where every reader looks for them.

QEMU writes section headers first, and a wrong size of the ELF header;
makedumpfile takes it for granted that the program headers come first.
"""

from pathlib import Path
import struct

from tools import LabError

__all__ = ("normalize",)

# e_ident, e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags,
# e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")


def normalize(path: Path) -> None:
    """
    Move a dump's program headers to behind its ELF header, in place.

    :raises LabError: if it is not a dump as QEMU writes it
    """
    with path.open("r+b") as file:
        head = file.read(HEADER.size)
        if len(head) != HEADER.size or head[:6] != b"\x7fELF\x02\x01":
            raise LabError(f"{path} is not an ELF dump")
        fields = list(HEADER.unpack(head))
        offset, entry_size, count = fields[5], fields[9], fields[10]
        # They only move towards the start, over the section headers.
        if offset < HEADER.size or count == 0xFFFF:
            raise LabError(f"{path} has an unknown layout")
        file.seek(offset)
        headers = file.read(entry_size * count)
        fields[5], fields[6], fields[8] = HEADER.size, 0, HEADER.size
        fields[11:14] = 0, 0, 0
        file.seek(0)
        file.write(HEADER.pack(*fields) + headers)
