# SPDX-License-Identifier: GPL-2.0-or-later
"""
Steering
--------

Changes of the running recorder. Commands are serialised by a lock. Each change takes effect
with a single store, after everything that it needs is in place: a command that is killed
has changed nothing, and the next command cleans up after it.
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

#: How long a command waits for the lock, in seconds.
_PATIENCE = 30.0


@contextlib.contextmanager
def locked(path: Path = LOCK) -> Iterator[None]:
    """
    Hold the lock that serialises changes of the recorder.

    :raises LkstError: if another command holds it for too long, or this user is not root
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
    :raises LkstError: if it cannot be changed
    """
    with locked(), open_to_change(pins) as recorder:
        try:
            yield recorder
        finally:
            # Buffers may have changed. A failure here is not an error of the command.
            if pins == PINS:
                with contextlib.suppress(LkstError):
                    refresh_list(recorder)


@contextlib.contextmanager
def open_to_change(pins: Path = PINS) -> Iterator[Recorder]:
    """
    Like :func:`change_recorder`, for a command that holds the lock.

    :raises NotFound: if none runs
    """
    with Recorder(pins, writable=True) as recorder:
        _check_version(recorder)
        _recover(recorder)
        yield recorder


def _check_version(recorder: Recorder) -> None:
    """Check that this software knows the recorder's events and memory layout."""
    own = built_catalogue()
    events = {id_: e for id_, e in recorder.catalogue.events.items() if not e.is_probe}
    if own.events != events:
        raise LkstError(
            f"the recorder was started by lkst {recorder.header.version} and has other events:"
            " 'lkst start' replaces it"
        )


def _recover(recorder: Recorder) -> None:
    """Clean up after a command that was killed."""
    control = recorder.live
    for trigger in control.trigger:
        if trigger.used == layout.TRIGGER_COMING:
            trigger.used = 0
    clean_up_probes(recorder)
    clean_up(recorder)
    clean_up_buffers(recorder)


def update_attachments(recorder: Recorder) -> Attachments:
    """Attach wanted programs and detach others, after masksets or triggers changed."""
    control = recorder.live
    set_evaluate_flags(control, recorder.catalogue)

    def commit() -> None:
        attach_handlers(recorder)
        clean_up(recorder)

    return _attach_wanted(recorder, commit)


def _attach_wanted(recorder: Recorder, commit: Callable[[], None]) -> Attachments:
    """Attach wanted programs and probes, commit, and detach the others."""
    missing = attach_probes(recorder)
    attachments = attach_wanted(recorder.pins, recorder.live, recorder.catalogue, commit)
    note_reasons(recorder.header, attachments.missing)
    attachments.missing.update(missing)
    return attachments


def use_maskset(recorder: Recorder, maskset: Maskset) -> Attachments:
    """
    Activate a maskset.

    No record of an event is lost that both the old and the new maskset record.

    :raises LkstError: if it fails; then nothing has changed
    """

    def commit(index: int) -> None:
        # One store switches the programs; the program also writes a record.
        run_pinned(recorder.pins / "run" / "lkst_use", struct.pack("<Q", index))

    return _replace_loaded(recorder, maskset, commit)


def change_maskset(recorder: Recorder, maskset: Maskset) -> Attachments | None:
    """
    Reload a maskset that was edited, if it is loaded.

    :return: None: it is not loaded
    :raises LkstError: if it fails; then nothing has changed
    """
    if find_loaded(recorder.live, maskset.name) is None:
        return None
    return _replace_loaded(recorder, maskset, lambda _: None)


def keep_maskset(recorder: Recorder, maskset: Maskset) -> Attachments:
    """
    Load a maskset and keep it loaded, so that handlers can switch to it.

    :raises LkstError: if it fails; then nothing has changed
    """
    return _replace_loaded(recorder, maskset, lambda index: keep_loaded(recorder.live, index))


def _replace_loaded(
    recorder: Recorder, maskset: Maskset, use: Callable[[int], None]
) -> Attachments:
    """Load a maskset and replace a loaded one of the same name."""
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
