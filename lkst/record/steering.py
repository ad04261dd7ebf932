# SPDX-License-Identifier: GPL-2.0-or-later
"""
Steering
--------

One command at a time changes the recorder. Each change takes effect by a single
store, after all that it needs is there, so that a command that dies half-way has
changed nothing; what it leaves is removed by the next one.
"""

from collections.abc import Iterator
import contextlib
import fcntl
import os
from pathlib import Path
import time

from lkst.errors import LkstError
from lkst.record.pins import PINS, Recorder

__all__ = ("locked", "steer")

LOCK = Path("/run/lkst.lock")

#: How long a command waits for another one, in seconds.
_PATIENCE = 30.0


@contextlib.contextmanager
def locked(path: Path = LOCK) -> Iterator[None]:
    """
    Keep other commands from changing the recorder meanwhile.

    :raises LkstError: if one does so for too long, or this user may not
    """
    if os.geteuid() != 0:
        raise LkstError("only root may steer the recorder")
    with path.open("a+") as lock:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.seek(0)
                    who = lock.read().strip() or "?"
                    raise LkstError(
                        f"another lkst command (process {who}) is steering the recorder"
                    ) from None
                time.sleep(0.05)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


@contextlib.contextmanager
def steer(pins: Path = PINS) -> Iterator[Recorder]:
    """
    Open the recorder of this machine to change it.

    :raises NotFound: if none runs
    :raises LkstError: if it must not be changed now
    """
    with locked(), Recorder(pins, writable=True) as recorder:
        yield recorder
