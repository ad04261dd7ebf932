# SPDX-License-Identifier: GPL-2.0-or-later
"""
Starting and stopping the recorder
----------------------------------

Loads the programs, pins them and exits. No process keeps running.
"""

from collections.abc import Callable
import contextlib
import os
from pathlib import Path
import struct
from typing import NamedTuple

from lkst.abi import layout
from lkst.abi.control import Control
from lkst.bpf.libbpf import BPFError
from lkst.bpf.object import Object
from lkst.bpf.programs import pinned_program, programs_named, run_pinned
from lkst.errors import LkstError
from lkst.live import machine
from lkst.live.recorder import PINS, Recorder, remove_pins
from lkst.record.buffers import first_buffer, nr_slots_of
from lkst.record.lifecycle.changes import locked
from lkst.record.lifecycle.page_list import remove_list
from lkst.record.maskset.loaded import follow, load_maskset
from lkst.record.maskset.text import Maskset
from lkst.record.maskset.user_handlers import attach_handlers
from lkst.record.programs.attach import RUN, attach_wanted, load, object_path, programs_for
from lkst.record.programs.catalogue import built_catalogue, fill_header
from lkst.record.programs.refused import TIMERS, note_reasons

__all__ = ("Started", "start", "stop")

#: Variables of kernel/time/timekeeping.c that start with the timekeeper; the second since 6.17.
_TIMEKEEPERS = ("tk_core", "timekeeper_data")

#: No pid field: records of the event are about the current task.
_NO_SUBJECT = 0xFF


class Started(NamedTuple):
    """Result of :func:`start`."""

    ring_size: int
    nr_cpus: int
    #: Number of events that are recorded.
    events: int
    #: Programs that could not be attached: program -> reason.
    missing: dict[str, str]


def start(
    size: int | None,
    maskset: Maskset,
    pins: Path = PINS,
    *,
    replace: Callable[[Path], None] | None = None,
    prepare: Callable[[Recorder], None] | None = None,
) -> Started:
    """
    Load a recorder and pin it.

    :param size: of each CPU's ring in bytes; rounded up to a power of two; None: the default,
        or what fits into the memory
    :param maskset: maskset to activate
    :param replace: called with the pins of the old recorder when the new one records; None:
    there must be no old recorder
    :param prepare: called with the new recorder before it records
    :raises LkstError: if it fails; then nothing is left of the new recorder
    """
    _check_host(pins)
    with locked():
        # Check with the lock held: another start may have been first.
        if pins.exists() and replace is None:
            raise LkstError(
                "a recorder is already running: see 'lkst status', or stop it with 'lkst stop'"
            )
        _remove_leftovers(pins.parent)
        _check_others(pins)
        nr_cpus = machine.possible_cpus()
        nr_slots = nr_slots_of(size, nr_cpus)
        # Pin it under another name, and rename it when it is complete, so that readers never see
        # half of it. bpffs allows no dots in names.
        new = pins.with_name(f"{pins.name}-{os.getpid()}")
        new.mkdir(mode=0o700)
        try:
            started = _load(new, nr_slots, nr_cpus, maskset, prepare)
            machine.exchange(new, pins) if pins.exists() else _rename(new, pins)
        except BaseException:
            remove_pins(new)
            raise
        if new.exists():
            try:
                if replace:
                    replace(new)
            finally:
                remove_pins(new)
    return started


def _remove_leftovers(folder: Path) -> None:
    """Clean up after a start or a measurement that was killed."""
    for path in folder.glob(f"{PINS.name}-*"):
        # Its last part is the pid of its creator.
        pids = path.name.split("-")[1:]
        if all(map(str.isdigit, pids)) and not Path("/proc", pids[-1]).exists():
            remove_pins(path)


def _check_host(pins: Path) -> None:
    if os.geteuid() != 0:
        raise LkstError("only root may start the recorder")
    object_path()
    if not Path("/sys/kernel/btf/vmlinux").exists():
        raise LkstError("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): the recorder needs it")
    if not os.path.ismount(pins.parent):
        try:
            machine.mount_bpffs(pins.parent)
        except OSError as error:
            raise LkstError(
                f"{pins.parent} is not a BPF file system and cannot be mounted: {error.strerror}"
            ) from None


def _check_others(pins: Path) -> None:
    """Check that no recorder is pinned in a mount namespace that is not visible here."""
    others: list[int] = []
    # Without permission, loading fails later with a reason.
    with contextlib.suppress(BPFError):
        others = programs_named(RUN[0])
    # "lkst events --cost" starts a second recorder.
    known = {pinned_program(pin) for pin in pins.parent.glob(f"{PINS.name}*/run/{RUN[0]}")}
    if set(others) - known and not pins.exists():
        raise LkstError(
            "a recorder is already running, pinned in a BPF file system that is not seen here (of"
            " another mount namespace, or below another mount): stop it there"
        )


def _rename(new: Path, pins: Path) -> None:
    try:
        new.rename(pins)
    except OSError as error:
        raise LkstError(f"cannot pin the recorder: {error}") from None


def _load(
    pins: Path,
    nr_slots: int,
    nr_cpus: int,
    maskset: Maskset,
    prepare: Callable[[Recorder], None] | None,
) -> Started:
    refused: dict[str, str] = {}
    clock = machine.read_clock()

    def fill(bpf: Object) -> None:
        raw = bpf.initial_value(".data.catalogue")
        fill_header(raw, nr_slots=nr_slots, nr_cpus=nr_cpus, clock=clock)
        for map_ in ("lkst_cpus", "lkst_counts", "lkst_timers"):
            bpf.set_entries(map_, nr_cpus)
        bpf.set_entries("lkst_ring", nr_slots * nr_cpus)

    wanted = [e for e in built_catalogue().events.values() if e.name in maskset.handlers]
    with contextlib.ExitStack() as stack:
        programs = programs_for(wanted, follow=bool(maskset.filter.pids)) | set(RUN)
        bpf = stack.enter_context(load(pins, programs, refused, fill))
        (pins / "run").mkdir(mode=0o700)
        (pins / "rings").mkdir(mode=0o700)
        for program in RUN:
            if program not in refused:
                bpf.pin_program(program, pins / "run" / program)
        recorder = stack.enter_context(Recorder(pins, writable=True))
        _name_memory(recorder)
        first_buffer(recorder)
        if prepare:
            prepare(recorder)
        control = recorder.live
        index = load_maskset(recorder, maskset)
        control.base_maskset = control.active_maskset = index
        # The first record.
        run_pinned(
            pins / "run" / "lkst_start",
            struct.pack("<qQ", clock.real_offset, machine.symbol_address(*_TIMEKEEPERS)),
        )
        attachments = attach_wanted(
            pins,
            control,
            recorder.catalogue,
            lambda: attach_handlers(recorder),
            bpf=bpf,
            refused=refused,
        )
        if "lkst_tick" in attachments.missing:
            attachments.missing[TIMERS] = attachments.missing.pop("lkst_tick")
        note_reasons(recorder.header, attachments.missing)
        follow(recorder, index, maskset.filter.pids)
        recorded = sum(
            control.event_state[event.id] == layout.STATES.index("attached")
            for event in recorder.catalogue.events.values()
            if event.name in maskset.handlers
        )
        return Started(nr_slots * layout.SLOT_SIZE, nr_cpus, recorded, attachments.missing)


def _name_memory(recorder: Recorder) -> None:
    """Write magics and tags, which identify the memory in a dump."""
    header, catalogue = recorder.header, recorder.catalogue
    recorder.name_cpus()
    control: Control = recorder.live
    control.tag = header.tag
    for event in catalogue.events.values():
        named = next(
            (event.field(f.unit) for f in event.fields if f.type == "comm" and f.unit), None
        )
        control.subject_offset[event.id] = named.offset if named else _NO_SUBJECT
        if not event.hook:
            control.event_state[event.id] = layout.STATES.index("attached")
    control.magic = layout.CONTROL_MAGIC


def stop(pins: Path = PINS) -> None:
    """
    Unpin the recorder. Its records are lost.

    :raises LkstError: if there is none, or this user is not root
    """
    if os.geteuid() != 0:
        raise LkstError("only root may stop the recorder")
    with locked():
        if not pins.exists():
            raise LkstError("no recorder is running on this machine")
        with contextlib.suppress(LkstError), Recorder(pins, writable=True) as recorder:
            # The timers stop by themselves.
            recorder.live.timer_period = 0
        remove_pins(pins)
        if pins == PINS:
            remove_list()
