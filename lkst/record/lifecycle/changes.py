# SPDX-License-Identifier: GPL-2.0-or-later
"""
Steering
--------

One command at a time changes the recorder. Each change takes effect by a single
store, after all that it needs is there, so that a command that dies half-way has
changed nothing; what it leaves is removed by the next one.
"""

from collections.abc import Callable, Iterator
import contextlib
import fcntl
import os
from pathlib import Path
import struct
import time

from lkst.abi import layout
from lkst.bpf.programs import run_pinned
from lkst.errors import LkstError
from lkst.live.recorder import PINS, Recorder
from lkst.record.buffers import clean_up_buffers
from lkst.record.lifecycle.page_list import refresh_list
from lkst.record.maskset.loaded import (
    clean_up,
    find_loaded,
    follow,
    keep_loaded,
    load_maskset,
    replace_maskset,
    set_evaluate_flags,
    unload,
)
from lkst.record.maskset.text import Maskset
from lkst.record.maskset.user_handlers import attach_handlers
from lkst.record.probe.registry import attach_probes, clean_up_probes
from lkst.record.programs.attach import Attachments, attach_wanted
from lkst.record.programs.catalogue import built_catalogue
from lkst.record.programs.refused import note_reasons

__all__ = (
    "change_maskset",
    "change_recorder",
    "keep_maskset",
    "locked",
    "open_to_change",
    "update_attachments",
    "use_maskset",
)

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
        raise LkstError("only root may control the recorder")
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
                        f"another lkst command (process {who}) is changing the recorder"
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
def change_recorder(pins: Path = PINS) -> Iterator[Recorder]:
    """
    Open the recorder of this machine to change it.

    :raises NotFound: if none runs
    :raises LkstError: if it must not be changed now
    """
    with locked(), open_to_change(pins) as recorder:
        try:
            yield recorder
        finally:
            # Buffers may have come or gone; a command does not fail for it.
            if pins == PINS:
                with contextlib.suppress(LkstError):
                    refresh_list(recorder)


@contextlib.contextmanager
def open_to_change(pins: Path = PINS) -> Iterator[Recorder]:
    """
    Do the same for a command that has the lock.

    :raises NotFound: if none runs
    """
    with Recorder(pins, writable=True) as recorder:
        _check_version(recorder)
        _recover(recorder)
        yield recorder


def _check_version(recorder: Recorder) -> None:
    """Refuse a recorder whose events or memory this software does not know."""
    own = built_catalogue()
    events = {id_: e for id_, e in recorder.catalogue.events.items() if not e.is_probe}
    if own.events != events:
        raise LkstError(
            f"the recorder was started by lkst {recorder.header.version} and has other events:"
            " 'lkst start' replaces it"
        )


def _recover(recorder: Recorder) -> None:
    """Remove what a command has left that died before it was done."""
    control = recorder.live
    for trigger in control.trigger:
        if trigger.used == layout.TRIGGER_COMING:
            trigger.used = 0
    clean_up_probes(recorder)
    clean_up(recorder)
    clean_up_buffers(recorder)


def update_attachments(recorder: Recorder) -> Attachments:
    """Attach what is wanted and detach the rest, after masksets or triggers have changed."""
    control = recorder.live
    set_evaluate_flags(control, recorder.catalogue)

    def commit() -> None:
        attach_handlers(recorder)
        clean_up(recorder)

    return _attach_wanted(recorder, commit)


def _attach_wanted(recorder: Recorder, commit: Callable[[], None]) -> Attachments:
    """Attach what is wanted, probes among it, do what follows, and detach the rest."""
    missing = attach_probes(recorder)
    attachments = attach_wanted(recorder.pins, recorder.live, recorder.catalogue, commit)
    note_reasons(recorder.header, attachments.missing)
    attachments.missing.update(missing)
    return attachments


def use_maskset(recorder: Recorder, maskset: Maskset) -> Attachments:
    """
    Make a maskset the active one.

    No record is lost of an event that it has in common with the one that was active.

    :raises LkstError: if it cannot be; then nothing has changed
    """

    def commit(index: int) -> None:
        # One store for the programs, and a record that says so.
        run_pinned(recorder.pins / "run" / "lkst_use", struct.pack("<Q", index))

    return _replace_loaded(recorder, maskset, commit)


def change_maskset(recorder: Recorder, maskset: Maskset) -> Attachments | None:
    """
    Let a maskset that has been edited take effect where it is loaded.

    :return: None: it is not loaded
    :raises LkstError: if it cannot be; then nothing has changed
    """
    if find_loaded(recorder.live, maskset.name) is None:
        return None
    return _replace_loaded(recorder, maskset, lambda _: None)


def keep_maskset(recorder: Recorder, maskset: Maskset) -> Attachments:
    """
    Load a maskset and keep it loaded, so that handlers can switch to it.

    :raises LkstError: if it cannot be; then nothing has changed
    """
    return _replace_loaded(recorder, maskset, lambda index: keep_loaded(recorder.live, index))


def _replace_loaded(
    recorder: Recorder, maskset: Maskset, use: Callable[[int], None]
) -> Attachments:
    """Load a maskset in the place of one of the same name, if there is one."""
    control = recorder.live
    old = find_loaded(control, maskset.name)
    new = load_maskset(recorder, maskset)

    def commit() -> None:
        attach_handlers(recorder)
        follow(recorder, new, maskset.filter.pids)
        if old is not None:
            replace_maskset(control, old, new)
        use(new)
        clean_up(recorder)

    try:
        return _attach_wanted(recorder, commit)
    except BaseException:
        unload(recorder, new)
        raise
