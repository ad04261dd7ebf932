# SPDX-License-Identifier: GPL-2.0-or-later
"""
Ring buffers
------------

The reading end of ``BPF_MAP_TYPE_RINGBUF``.
"""

from collections.abc import Callable
import ctypes
import os
from pathlib import Path

from lkst.bpf.libbpf import BPFError, library, pinned

__all__ = ("RingBuffer",)

_Sample = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class RingBuffer:
    """The reading end of a pinned BPF ring buffer."""

    def __init__(self, pin: Path, take: Callable[[bytes], None]) -> None:
        """
        Open it.

        :param take: gets what comes
        :raises OSError: if it is not there or must not be used
        :raises BPFError: if it is none
        """

        def sample(_: object, data: int, size: int) -> int:
            take(ctypes.string_at(data, size))
            return 0

        # Kept, since libbpf calls it for as long as the buffer is open.
        self._sample = _Sample(sample)
        with pinned(pin) as fd:
            self._ring = ctypes.c_void_p(library().ring_buffer__new(fd, self._sample, None, None))
        if not self._ring.value:
            raise BPFError(f"{pin}: {os.strerror(ctypes.get_errno())}")

    def poll(self, milliseconds: int) -> None:
        """Wait for something to come, and take all that is there."""
        library().ring_buffer__poll(self._ring, milliseconds)

    def close(self) -> None:
        """Let go of it."""
        library().ring_buffer__free(self._ring)
