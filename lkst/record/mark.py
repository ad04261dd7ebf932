# SPDX-License-Identifier: GPL-2.0-or-later
"""
Marks
-----

Records that users write.
"""

import ctypes
import os
from pathlib import Path
import struct

from lkst.bpf.programs import run_pinned
from lkst.errors import LkstError, Usage
from lkst.live.recorder import PINS, no_recorder

__all__ = ("write_mark",)

#: Maximum size of a text, in bytes (``recorder/record.h``).
_MAX = 1024

#: Return value of the program if it was already running (``recorder/control.bpf.c``).
_BUSY = 2


def write_mark(text: str, pins: Path = PINS) -> None:
    """
    Write a mark into the ring of the current CPU.

    :raises NotFound: if no recorder runs
    :raises LkstError: if the recorder rejects it
    """
    raw = text.encode()
    if not raw or len(raw) > _MAX:
        raise Usage(f"a mark has 1 to {_MAX} bytes, not {len(raw)}")
    if os.geteuid() != 0:
        raise LkstError("only root may write to the recorder of this machine")
    if not pins.is_dir():
        raise no_recorder()
    buffer = ctypes.create_string_buffer(raw, len(raw))
    context = struct.pack("<QQ", ctypes.addressof(buffer), len(raw))
    result = run_pinned(pins / "run" / "lkst_mark", context)
    if result == _BUSY:
        raise LkstError("another mark is being written on this CPU: try again")
    if result:
        raise LkstError("the active maskset does not record marks: lkst mask set NAME mark=record")
