# SPDX-License-Identifier: GPL-2.0-or-later
"""
The list of pages
-----------------

The physical addresses of the recorder's maps, saved to disk, so that a capture kernel
finds them without a search. Each line has words; ``end`` has the number of lines before
it::

    lkst-pages 1
    boot 0f0a1c9e-...
    catalogue 1234000 21
    control ADDRESS PAGES
    cpus ADDRESS PAGES
    counts ADDRESS PAGES
    ring BUFFER ADDRESS PAGES
    kernel ADDRESS PAGES
    end 8

A map has one line for each contiguous range, in order. ``kernel`` is the kernel's data:
readers need the list of modules. Kernel memory does not move: the list is valid until
buffers are created or deleted.
"""

from collections.abc import Iterator
import contextlib
import ctypes
import mmap
import os
from pathlib import Path
import re
import struct

from lkst.errors import LkstError
from lkst.live.recorder import Recorder
from lkst.record.lifecycle.hook_settings import page_list, read_settings
from lkst.util.files import replacing

__all__ = ("list_pages", "refresh_list", "remove_list")

_PAGE = mmap.PAGESIZE
# Documentation/admin-guide/mm/pagemap.rst: of each page 64 bits.
_PRESENT = 1 << 63
_FRAME = (1 << 55) - 1


class _Buffer(ctypes.Structure):
    # Py_buffer, of the stable ABI (PEP 3118).
    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


@contextlib.contextmanager
def _address(map_: mmap.mmap) -> Iterator[int]:
    """Return the address of a mapping; ctypes refuses read-only ones."""
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(map_), ctypes.byref(buffer), 0)
    try:
        yield int(buffer.buf)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))


def _runs(map_: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Return the physically contiguous ranges of a mapping: address, pages."""
    # Newer kernels map a page on first access.
    _ = map_[::_PAGE]
    with _address(map_) as address, Path("/proc/self/pagemap").open("rb", 0) as pagemap:
        data = os.pread(pagemap.fileno(), len(map_) // _PAGE * 8, address // _PAGE * 8)
    first = count = 0
    for (entry,) in struct.iter_unpack("<Q", data):
        frame = entry & _FRAME if entry & _PRESENT else 0
        if not frame:
            raise LkstError("this kernel does not report the addresses of the recorder's pages")
        if count and frame == first + count:
            count += 1
            continue
        if count:
            yield first * _PAGE, count
        first, count = frame, 1
    if count:
        yield first * _PAGE, count


def _kernel_data() -> Iterator[tuple[int, int]]:
    """Return the range of the kernel's data, without .bss."""
    for line in Path("/proc/iomem").read_text().splitlines():
        match = re.fullmatch(r"\s*([0-9a-f]+)-([0-9a-f]+) : Kernel data", line)
        if match:
            first, last = (int(text, 16) // _PAGE for text in match.groups())
            yield first * _PAGE, last - first + 1


def list_pages(recorder: Recorder) -> str:
    """
    Return the text of the list.

    :raises LkstError: if the kernel does not report the addresses
    """
    lines = ["lkst-pages 1", f"boot {recorder.header.boot_id}"]
    for name, map_ in recorder.mappings().items():
        lines += [f"{name} {start:x} {count}" for start, count in _runs(map_)]
    for buffer in recorder.buffers():
        lines += [f"ring {buffer.number} {start:x} {count}" for start, count in _runs(buffer.map)]
    lines += [f"kernel {start:x} {count}" for start, count in _kernel_data()]
    return "\n".join([*lines, f"end {len(lines)}"]) + "\n"


def refresh_list(recorder: Recorder) -> None:
    """
    Update the list on disk, if kdump is set up.

    :raises LkstError: if it cannot be written; then it is removed: an outdated list is worse
    than none
    """
    # The capture kernel must not overwrite the list of the crashed kernel.
    if Path("/proc/vmcore").exists():
        return
    try:
        path = page_list(read_settings())
        if path.parents[1].is_dir():
            _refresh(path, recorder)
    except (LkstError, OSError) as error:
        raise LkstError(f"the page list for crashes cannot be written: {error}") from None


def _refresh(path: Path, recorder: Recorder) -> None:
    try:
        text = list_pages(recorder)
        if path.is_file() and path.read_text(errors="replace") == text:
            return
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with replacing(path) as file:
            file.write(text.encode())
        _sync(path.parent)
    except (LkstError, OSError):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def remove_list() -> None:
    """Delete the list of a recorder that was stopped."""
    with contextlib.suppress(LkstError, OSError):
        page_list(read_settings()).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Sync a folder, so that a new name survives a crash."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
