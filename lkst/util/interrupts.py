# SPDX-License-Identifier: GPL-2.0-or-later
"""
Interrupts
----------

Ctrl-C at moments at which Python must not be interrupted.
"""

from collections.abc import Iterator
import contextlib
import signal
import threading
from types import FrameType

__all__ = ("deferred_interrupts",)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[None]:
    """
    Deliver an interrupt only at the end of the block, as for imports.

    A module whose import is interrupted may stay half imported, and a program that goes on, as
    drgn does at its prompt, then fails whenever it is used.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if interrupted:
            signal.raise_signal(signal.SIGINT)
