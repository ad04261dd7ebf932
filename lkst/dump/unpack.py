# SPDX-License-Identifier: GPL-2.0-or-later
"""
Compressed files
----------------

Dumps that were compressed as a whole, by kdump-tools (KDUMP_COMPRESSION) or by hand. They
are decompressed into an unnamed file, since reading a dump needs random access.

``open_unpacked(path)`` is the entry point.
"""

from collections.abc import Callable, Iterator
from functools import partial
import os
from pathlib import Path
import shutil
import stat
import tempfile
from typing import IO, Any, NamedTuple

from lkst.dump.codecs import import_extra
from lkst.errors import Damaged, LkstError

__all__ = ("Unpacked", "compression", "open_unpacked", "unpacked_begin")

#: Reports the progress.
Report = Callable[[str], None]

_CHUNK = 1 << 20
#: Space to leave free in the folder for temporary files, in bytes.
_RESERVE = 64 << 20
_CHECK_EVERY = 64 << 20
#: Bytes that are unpacked at a time where only the first are wanted: few, since they may grow
#: by a factor of 20,000.
_PEEK = 4096
_MAX_PACKED = 16  # A gzip within an xz ...


def _bz2() -> Any:
    import bz2

    return bz2.BZ2Decompressor()


def _gzip() -> Any:
    import zlib

    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _lz4() -> Any:
    return import_extra("lz4.frame", "a file that is compressed with lz4").LZ4FrameDecompressor()


def _xz() -> Any:
    import lzma

    return lzma.LZMADecompressor()


def _zstd() -> Any:
    what = "a file that is compressed with zstd"
    return import_extra("zstandard", what).ZstdDecompressor(max_window_size=1 << 31).decompressobj()


class _Kind(NamedTuple):
    magic: bytes
    name: str
    #: Creates a decompressor for one stream; consecutive streams each need one.
    start: Callable[[], Any]


_KINDS = (
    _Kind(b"\x1f\x8b\x08", "gzip", _gzip),
    _Kind(b"\xfd7zXZ\0", "xz", _xz),
    _Kind(b"BZh", "bzip2", _bz2),
    _Kind(b"\x04\x22\x4d\x18", "lz4", _lz4),
    _Kind(b"\x28\xb5\x2f\xfd", "zstd", _zstd),
)
_MAGIC_SIZE = max(len(kind.magic) for kind in _KINDS)


class Unpacked(NamedTuple):
    """A file that can be read here and there."""

    file: IO[bytes]
    #: Whether it is another file than the one that was named.
    copied: bool
    #: What is wrong with it; empty if nothing is.
    fault: str


def compression(path: Path) -> str:
    """
    Report by its first bytes how a file is compressed.

    :return: "gzip", "xz", "bzip2", "lz4", "zstd"; empty: not at all
    :raises OSError: if it cannot be read
    """
    with path.open("rb") as file:
        kind = _kind(file.read(_MAGIC_SIZE))
    return kind.name if kind else ""


def unpacked_begin(path: Path, size: int) -> bytes:
    """
    Read the first bytes of a file, unpacked if it is compressed.

    :param size: how many bytes at most
    :raises OSError: if the file cannot be read
    :raises MissingLibrary: if unpacking takes a library that is not installed
    """
    with path.open("rb") as file:
        kind = _kind(file.read(_MAGIC_SIZE))
        file.seek(0)
        if kind is None:
            return file.read(size)
        unpacker = kind.start()
        begin = b""
        while len(begin) < size and (data := file.read(_PEEK)):
            try:
                begin += unpacker.decompress(data)
            except Exception:  # Each library has its own.
                break
            if getattr(unpacker, "eof", False):
                break
        return begin[:size]


def _kind(begin: bytes) -> _Kind | None:
    return next((kind for kind in _KINDS if begin.startswith(kind.magic)), None)


def open_unpacked(path: Path, report: Report = lambda text: None) -> Unpacked:
    """
    Open a file, and unpack it first if it is compressed or a pipe.

    A truncated or damaged stream yields what could be unpacked.

    :param report: called with the progress
    :raises OSError: if the file cannot be read
    :raises MissingLibrary: if unpacking takes a library that is not installed
    :raises LkstError: if there is no space for the unpacked file
    """
    file: IO[bytes] = path.open("rb")
    copied = False
    try:
        if stat.S_ISDIR(os.fstat(file.fileno()).st_mode):
            raise IsADirectoryError(21, "Is a directory", str(path))
        if not file.seekable():
            file = _unnamed(path, iter(partial(file.read, _CHUNK), b""), report)
            copied = True
        fault = ""
        for _ in range(_MAX_PACKED):
            file.seek(0)
            kind = _kind(file.read(_MAGIC_SIZE))
            if kind is None:
                break
            file.seek(0)
            faults: list[str] = []
            packed = file
            file = _unnamed(path, _unpack(packed, kind, faults), report)
            packed.close()
            copied = True
            fault = fault or "".join(faults)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return Unpacked(file, copied, fault)


def _unpack(file: IO[bytes], kind: _Kind, faults: list[str]) -> Iterator[bytes]:
    """Unpack a file of one or several streams, up to the first damage."""
    unpacker = kind.start()
    data = b""
    while True:
        data = data or file.read(_CHUNK)
        if not data:
            faults.append(f"the {kind.name} stream is cut off")
            return
        try:
            yield unpacker.decompress(data)
        except Exception:  # Each library has its own.
            faults.append(f"the {kind.name} stream is damaged")
            return
        data = b""
        if getattr(unpacker, "eof", False):
            data = unpacker.unused_data or file.read(_CHUNK)
            if len(data) < _MAGIC_SIZE:
                data += file.read(_CHUNK)
            if not data.startswith(kind.magic):
                return  # Padding, if anything.
            unpacker = kind.start()


def _unnamed(path: Path, pieces: Iterator[bytes], report: Report) -> IO[bytes]:
    """Write to a file without a name, with an eye on how much room there is."""
    folder = tempfile.gettempdir()
    file = tempfile.TemporaryFile(prefix="lkst-", dir=folder)  # noqa: SIM115
    written = checked = 0
    try:
        for piece in pieces:
            if written >= checked:
                checked = written + _CHECK_EVERY
                report(f"Unpacking {path}: {written >> 20} MiB")
                if shutil.disk_usage(folder).free < _RESERVE + _CHECK_EVERY:
                    raise _no_room(path, folder, written)
            written += len(piece)
            file.write(piece)
        file.flush()
    except OSError as error:
        file.close()
        raise _no_room(path, folder, written, error.strerror) from error
    except BaseException:
        file.close()
        raise
    if not written:
        file.close()
        raise Damaged(f"{path}: contains nothing that can be unpacked")
    return file


def _no_room(path: Path, folder: str, written: int, why: str | None = None) -> LkstError:
    return LkstError(
        f"{path}: cannot be unpacked: {why or 'no space left'} in {folder} after"
        f" {written >> 20} MiB: set TMPDIR to a folder with more space"
    )
