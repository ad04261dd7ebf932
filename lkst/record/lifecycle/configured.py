# SPDX-License-Identifier: GPL-2.0-or-later
"""
Starting as configured
----------------------

Starts the recorder as configured in /etc/lkst, and replaces a running recorder by a new
one.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
import time

from lkst.errors import LkstError
from lkst.live.recorder import PINS, Recorder
from lkst.record.buffers import new_buffer
from lkst.record.lifecycle.changes import change_recorder, locked
from lkst.record.lifecycle.config import Config
from lkst.record.lifecycle.page_list import refresh_list
from lkst.record.lifecycle.start import Started, start
from lkst.record.lifecycle.triggers import add_trigger
from lkst.record.maskset.store import open_store
from lkst.record.maskset.text import Maskset
from lkst.record.maskset.user_handlers import load_handler, loaded_handlers, register_handlers
from lkst.record.probe.definition import Probe
from lkst.record.probe.registry import add_probe, handler_lookup, register_probes
from lkst.record.programs.catalogue import built_catalogue
from lkst.record.trigger.actions import Actions
from lkst.record.trigger.compile import compile_expression
from lkst.record.trigger.value_names import LiveNames
from lkst.util.units import Rate

__all__ = ("add_from_text", "apply_config", "outdated", "start_recorder")

Report = Callable[[str], None]

_SECOND = 1_000_000_000

#: Default rate limit of a trigger.
DEFAULT_RATE = Rate(10, _SECOND)


def outdated() -> bool:
    """Return whether the running recorder was started by another version of this software."""
    try:
        if not PINS.is_dir():
            return False
        with Recorder() as recorder:
            own, other = built_catalogue(), recorder.catalogue
            events = {id_: event for id_, event in other.events.items() if not event.is_probe}
            return (own.header.version, own.events) != (other.header.version, events)
    except PermissionError:
        return False
    except LkstError:
        # A recorder that cannot be read is of another version, or broken.
        return True


def start_recorder(
    size: int | None, maskset: Maskset, *, replace: bool, save_old: Path | None, report: Report
) -> Started:
    """
    Start the recorder with the user's handlers and probes.

    :param size: of each ring in bytes; None: the default size, or what fits into the memory
    :param replace: whether to replace a running recorder, once the new one records
    :param save_old: folder for the trace of the old recorder; None: it is lost
    :param report: called with what was saved, and with failures
    :raises LkstError: if it cannot be started; then nothing has changed
    """

    def keep(pins: Path) -> None:
        if save_old is None:
            return
        try:
            report(f"the records of the old recorder are in {_save(pins, save_old)}")
        except (LkstError, OSError) as error:
            report(f"the records of the old recorder could not be saved: {error}")

    def prepare(recorder: Recorder) -> None:
        register_handlers(recorder)
        for name, error in register_probes(recorder).items():
            report(f"probe {name}: {error}")

    started = start(size, maskset, replace=keep if replace else None, prepare=prepare)
    try:
        with locked(), Recorder() as recorder:
            refresh_list(recorder)
    except LkstError as error:
        report(str(error))
    return started


def _save(pins: Path, folder: Path) -> Path:
    from lkst.source.live import live_facts, read_image
    from lkst.source.saved import save_trace
    from lkst.trace.trace import build_trace

    with Recorder(pins) as old:
        image, boot = read_image(old), old.header.boot_id[:8]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / time.strftime(f"old-{boot}-%Y%m%d-%H%M%S.lkst", time.gmtime())
    save_trace(build_trace(image, live_facts()), path)
    return path


def add_from_text(
    recorder: Recorder, name: str, when: str, actions: Actions, rate: Rate | None
) -> list[str]:
    """
    Add a trigger from the user's text.

    :param rate: rate limit of firings; None: no limit
    :return: further messages, in lines
    :raises LkstError: if it cannot be added; then nothing has changed
    """
    clauses = compile_expression(when, recorder.catalogue, LiveNames())
    name_ = actions.maskset
    maskset = open_store(recorder.catalogue).load(name_) if name_ else None
    interval = rate.period // rate.count if rate else 0
    return add_trigger(recorder, name, when, clauses, actions, maskset, interval)


def _add_probe(recorder: Recorder, probe: Probe) -> None:
    add_probe(recorder, probe, handler_lookup(open_store(recorder.catalogue)))


def apply_config(config: Config, report: Report) -> bool:
    """
    Set up handlers, buffers, probes and triggers of a new recorder.

    :param report: called with each failure; the rest is done nevertheless
    :return: whether everything succeeded
    """
    good = True

    def attempt(what: str, do: Callable[[], object]) -> None:
        nonlocal good
        try:
            do()
        except (LkstError, OSError) as error:
            report(f"{what}: {error}")
            good = False

    with change_recorder() as recorder:
        for handler in config.handlers:
            if handler.name not in loaded_handlers(recorder.live):
                attempt(
                    f"handler {handler.name}",
                    partial(load_handler, recorder, handler.name, handler.file),
                )
        for buffer in config.buffers:
            attempt(
                f"buffer {buffer.name}", partial(new_buffer, recorder, buffer.name, buffer.size)
            )
        for probe in config.probes:
            if probe.name not in {event.name for event in recorder.catalogue.events.values()}:
                attempt(f"probe {probe.name}", partial(_add_probe, recorder, probe))
        for trigger in config.triggers:
            rate = trigger.at_most or DEFAULT_RATE
            attempt(
                f"trigger {trigger.name}",
                partial(add_from_text, recorder, trigger.name, trigger.when, trigger.do, rate),
            )
    return good
