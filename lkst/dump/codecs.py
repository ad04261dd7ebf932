# SPDX-License-Identifier: GPL-2.0-or-later
"""
Compression of pages
--------------------

Decompress the pages of a kdump-compressed file: the flags of ``struct page_desc``
(DUMP_DH_COMPRESSED_* of makedumpfile's diskdump_mod.h). zlib comes with Python, the others
with the extra ``dumps``.
"""

from collections.abc import Callable
import functools
import importlib
from typing import Any
import zlib

from lkst.dump.dump import MissingLibrary

__all__ = ("KNOWN_FLAGS", "unpack_page")

#: Takes the data and the size of a page.
_Unpack = Callable[[bytes, int], bytes]


def import_extra(module: str, what: str) -> Any:
    """
    Import a library of the extra ``dumps``.

    :param what: what it is needed for
    :raises MissingLibrary: if it is not installed
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingLibrary(
            f"{what} needs the Python package {module.partition('.')[0]}: pip install 'lkst[dumps]'"
        ) from None


def _zlib(data: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj()
    return unpacker.decompress(data, size)


def _lzo(data: bytes, size: int) -> bytes:
    unpack = _import("lzallright", "LZO").LZOCompressor.decompress
    return bytes(unpack(data, output_size_hint=size))


def _snappy(data: bytes, size: int) -> bytes:
    cramjam = _import("cramjam", "snappy")
    if cramjam.snappy.decompress_raw_len(data) != size:
        return b""
    return bytes(cramjam.snappy.decompress_raw(data))


def _zstd(data: bytes, size: int) -> bytes:
    unpacker = _import("zstandard", "zstd").ZstdDecompressor()
    return bytes(unpacker.decompress(data, max_output_size=size))


@functools.cache
def _import(module: str, name: str) -> Any:
    return import_extra(module, f"this dump's pages are compressed with {name}, which")


#: DUMP_DH_COMPRESSED_ZLIB, _LZO, _SNAPPY, _ZSTD; 0: as they are.
_CODECS: dict[int, _Unpack] = {
    0: lambda data, size: data,
    1: _zlib,
    2: _lzo,
    4: _snappy,
    0x20: _zstd,
}
KNOWN_FLAGS = tuple(_CODECS)


def unpack_page(flags: int, data: bytes, size: int) -> bytes | None:
    """
    Unpack a page.

    :param flags: of its descriptor
    :param size: of the page, in bytes
    :return: None if the data is damaged
    :raises MissingLibrary: if that takes a library that is not installed
    """
    unpack = _CODECS.get(flags)
    if unpack is None:
        return None
    try:
        page = unpack(data, size)
    except MissingLibrary:
        raise
    except Exception:  # Each library has its own.
        return None
    return page if len(page) == size else None
