# SPDX-License-Identifier: GPL-2.0-or-later
"""
Ring buffers
------------

Reader of ``BPF_MAP_TYPE_RINGBUF``.
"""

from collections.abc import Callable
import ctypes
import os
from pathlib import Path

from lkst.bpf.libbpf import BPFError, library, pinned

__all__ = ("RingBuffer",)

_Sample = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class RingBuffer:
    """A reader of a pinned BPF ring buffer."""

    def __init__(self, pin: Path, take: Callable[[bytes], None]) -> None:
        """
        Open it.

        :param take: called with each sample
        :raises OSError: if it does not exist or permission is missing
        :raises BPFError: if it is not a ring buffer
        """

        def sample(_: object, data: int, size: int) -> int:
            take(ctypes.string_at(data, size))
            return 0

        # Keep a reference: libbpf calls it as long as the buffer is open.
        self._sample = _Sample(sample)
        with pinned(pin) as fd:
            self._ring = ctypes.c_void_p(library().ring_buffer__new(fd, self._sample, None, None))
        if not self._ring.value:
            raise BPFError(f"{pin}: {os.strerror(ctypes.get_errno())}")

    def poll(self, milliseconds: int) -> None:
        """Wait for samples, and take all that are available."""
        library().ring_buffer__poll(self._ring, milliseconds)

    def close(self) -> None:
        """Close it."""
        library().ring_buffer__free(self._ring)
