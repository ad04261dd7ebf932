# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes damaged, split and packed dumps out of a whole kdump-compressed one."""

from collections.abc import Callable, Iterator
import struct
import zlib

import numpy as np

__all__ = ("Layout", "flatten", "hide_note", "mark_incomplete", "repack", "split", "without_bitmap")

_FLAT_HEADER = 4096
_DESCRIPTOR = struct.Struct("<qIIQ")


class Layout:
    """Where the parts of a little-endian kdump-compressed file of version 6 lie."""

    def __init__(self, data: bytes) -> None:
        self.block, self.sub_blocks, self.bitmap_blocks = struct.unpack_from("<iii", data, 428)
        (self.frames,) = struct.unpack_from("<Q", data, self.block + 96)
        self.bitmaps = (1 + self.sub_blocks) * self.block
        self.second_bitmap = self.bitmaps + self.bitmap_blocks // 2 * self.block
        self.descriptors = self.bitmaps + self.bitmap_blocks * self.block
        bits = np.frombuffer(data, np.uint8, -(-self.frames // 8), self.second_bitmap)
        self.pages: list[int] = np.flatnonzero(np.unpackbits(bits, bitorder="little")).tolist()
        self.data = self.descriptors + _DESCRIPTOR.size * len(self.pages)


def flatten(data: bytes, stretch: int = 50_000) -> bytes:
    """Write a file as ``makedumpfile -F`` does: the header twice, then the rest."""

    def parts() -> Iterator[bytes]:
        yield struct.pack(">16sqq", b"makedumpfile", 1, 1).ljust(_FLAT_HEADER, b"\0")
        yield struct.pack(">qq", 0, 464) + b"KDUMP   ".ljust(464, b"\xff")
        yield struct.pack(">qq", 0, 464) + data[:464]
        for start in range(464, len(data), stretch):
            part = data[start : start + stretch]
            yield struct.pack(">qq", start, len(part)) + part
        yield struct.pack(">qq", -1, -1)

    return b"".join(parts())


def split(data: bytes, count: int) -> list[bytes]:
    """Write a file as ``makedumpfile --split`` does: each part has all headers and bitmaps."""
    layout = Layout(data)
    made = []
    for part in range(count):
        low, high = (k * len(layout.pages) // count for k in (part, part + 1))
        first = layout.pages[low] if part else 0
        end = layout.pages[high] if part < count - 1 else layout.frames
        head = bytearray(data[: layout.descriptors])
        struct.pack_into("<i", head, layout.block + 12, 1)
        struct.pack_into("<QQ", head, layout.block + 16, first, end)
        struct.pack_into("<QQ", head, layout.block + 80, first, end)
        descriptors, pages = bytearray(), bytearray()
        start = layout.descriptors + _DESCRIPTOR.size * (high - low)
        for index in range(low, high):
            at = layout.descriptors + _DESCRIPTOR.size * index
            offset, size, flags, more = _DESCRIPTOR.unpack_from(data, at)
            descriptors += _DESCRIPTOR.pack(start + len(pages), size, flags, more)
            pages += data[offset : offset + size]
        made.append(bytes(head + descriptors + pages))
    return made


def mark_incomplete(data: bytes) -> bytes:
    """Set the flag that makedumpfile sets when there is no room for all."""
    (status,) = struct.unpack_from("<I", data, 424)
    return data[:424] + struct.pack("<I", status | 8) + data[428:]


def without_bitmap(data: bytes) -> bytes:
    """Write a file as a collector leaves it that was killed before it wrote the second bitmap."""
    layout = Layout(data)
    size = layout.descriptors - layout.second_bitmap
    return data[: layout.second_bitmap] + bytes(size) + data[layout.descriptors :]


def repack(data: bytes, flags: int, compress: Callable[[bytes], bytes]) -> bytes:
    """
    Compress the pages of a file of zlib's anew.

    :param flags: of the descriptors
    """
    layout = Layout(data)
    descriptors, pages = bytearray(), bytearray()
    for index in range(len(layout.pages)):
        at = layout.descriptors + _DESCRIPTOR.size * index
        offset, size, old, more = _DESCRIPTOR.unpack_from(data, at)
        page = data[offset : offset + size]
        packed = compress(zlib.decompress(page) if old else page)
        new = flags
        if len(packed) >= layout.block:
            packed, new = zlib.decompress(page) if old else page, 0
        descriptors += _DESCRIPTOR.pack(layout.data + len(pages), len(packed), new, more)
        pages += packed
    return data[: layout.descriptors] + bytes(descriptors + pages)


def hide_note(data: bytes) -> bytes:
    """Take the sub header's pointer to VMCOREINFO away."""
    (block,) = struct.unpack_from("<i", data, 428)
    return data[: block + 32] + bytes(16) + data[block + 48 :]
