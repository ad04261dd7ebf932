# SPDX-License-Identifier: GPL-2.0-or-later
"""
Starting and stopping the recorder
----------------------------------

Load the programs, pin them, go. Nothing keeps running but the kernel.
"""

from collections.abc import Callable, Mapping
from importlib import resources
import os
from pathlib import Path
import secrets
import struct
from typing import NamedTuple

import lkst
from lkst import layout
from lkst.decode.catalogue import Catalogue, Event, Header, parse_catalogue
from lkst.errors import LkstError, Usage
from lkst.record import libbpf, machine
from lkst.record.pins import PINS, remove_pins

__all__ = ("MASKSETS", "Started", "built_catalogue", "start", "stop")

Wants = Callable[[Event], bool]

#: The built-in masksets: name -> which events they have.
MASKSETS: dict[str, Wants] = {
    "none": lambda event: False,
    "default": lambda event: event.by_default,
    "all": lambda event: True,
}

#: The rings may take this much of the machine's memory.
_SHARE = 8

#: Program that the loader itself runs.
_START = "lkst_start"
_MIN_RING = 4096


class Started(NamedTuple):
    """What :func:`start` has done."""

    ring_size: int
    nr_cpus: int
    #: Events that are recorded.
    events: int
    #: Hooks that this kernel cannot give, with the reason.
    missing: dict[str, str]


def _object_path() -> Path:
    path = Path(str(resources.files("lkst.record") / "lkst.bpf.o"))
    if not path.exists():
        raise LkstError(
            "this installation has no BPF programs: install clang and libbpf-dev, then install"
            " lkst again"
        )
    return path


def built_catalogue() -> Catalogue:
    """
    Give the catalogue that a recorder of this installation would have.

    Its header lacks what is only known once it is loaded.
    """
    with libbpf.Object(_object_path()) as bpf:
        raw = bytearray(bpf.initial_value(".rodata.lkst"))
    _fill_header(memoryview(raw), nr_slots=1, nr_cpus=1, clock=machine.Clock(0, 0))
    return parse_catalogue(bytes(raw))


def _fill_header(
    catalogue: memoryview, *, nr_slots: int, nr_cpus: int, clock: machine.Clock
) -> None:
    header = dict(zip(layout.HEADER_NAMES, layout.HEADER.unpack_from(catalogue), strict=True))
    uname = os.uname()
    header.update(
        nr_slots=nr_slots,
        nr_cpus=nr_cpus,
        # Neither 0 nor all ones, which empty memory looks like.
        tag=secrets.randbelow(0xFFFD) + 1,
        start=clock.monotonic,
        real_offset=clock.real_offset,
        boot_id=machine.boot_id(),
        release=uname.release.encode()[:63],
        machine=uname.nodename.encode()[:63],
        version=lkst.__version__.encode()[:31],
    )
    layout.HEADER.pack_into(catalogue, 0, *header.values())
    for index in range(header["nr_events"]):
        entry = header["header_size"] + index * header["event_size"]
        struct.pack_into("<I", catalogue, entry + layout.EVENT_TAG_OFFSET, header["tag"])


def _ring_slots(size: int, nr_cpus: int) -> int:
    slots = 1 << max(size // layout.SLOT_SIZE - 1, 0).bit_length()
    if slots * layout.SLOT_SIZE < _MIN_RING:
        raise Usage(f"a ring of {size} bytes is too small: at least {_MIN_RING >> 10} KiB")
    total = slots * layout.SLOT_SIZE * nr_cpus
    if total > machine.memory() // _SHARE or slots * nr_cpus >= 1 << 32:
        raise Usage(
            f"{nr_cpus} rings of {slots * layout.SLOT_SIZE >> 10} KiB are {total >> 20} MiB: more"
            f" than 1/{_SHARE} of this machine's {machine.memory() >> 20} MiB (--size is per CPU)"
        )
    return slots


def start(
    size: int, maskset: str, masksets: Mapping[str, Wants] = MASKSETS, pins: Path = PINS
) -> Started:
    """
    Load a recorder and pin it.

    :param size: of each CPU's ring in bytes; rounded up to a power of two
    :param maskset: the one to activate
    :param masksets: all of them, by name: which events they have
    :raises LkstError: if it cannot be done; then nothing is left of it
    """
    _check_host(pins)
    nr_cpus = machine.possible_cpus()
    nr_slots = _ring_slots(size, nr_cpus)
    _remove_leftovers(pins)
    # Pinned aside and renamed when it is complete: whoever sees it sees all of it. bpffs
    # allows no dots in names.
    new = pins.with_name(f"{pins.name}-{os.getpid()}")
    new.mkdir(mode=0o700)
    try:
        started = _load(new, nr_slots, nr_cpus, maskset, masksets)
        _rename(new, pins)
    except BaseException:
        remove_pins(new)
        raise
    return started


def _remove_leftovers(pins: Path) -> None:
    """Remove what a start has left that was killed before it was done."""
    for path in pins.parent.glob(f"{pins.name}-*"):
        pid = path.name.removeprefix(f"{pins.name}-")
        if pid.isdigit() and not Path("/proc", pid).exists():
            remove_pins(path)


def _check_host(pins: Path) -> None:
    if os.geteuid() != 0:
        raise LkstError("only root may start the recorder")
    _object_path()
    if not Path("/sys/kernel/btf/vmlinux").exists():
        raise LkstError("this kernel has no BTF (CONFIG_DEBUG_INFO_BTF): the recorder needs it")
    if pins.exists():
        raise LkstError("a recorder is running already: see 'lkst status', or 'lkst stop' it")
    if not os.path.ismount(pins.parent):
        raise LkstError(f"{pins.parent} is no BPF file system: mount -t bpf bpf {pins.parent}")


def _rename(new: Path, pins: Path) -> None:
    try:
        new.rename(pins)
    except OSError as error:
        if not pins.exists():
            raise LkstError(f"cannot pin the recorder: {error}") from None
        raise LkstError("another recorder was started meanwhile") from None


def _load(
    pins: Path, nr_slots: int, nr_cpus: int, maskset: str, masksets: Mapping[str, Wants]
) -> Started:
    refused: dict[str, str] = {}
    while True:
        clock = machine.read_clock()
        with libbpf.Object(_object_path()) as bpf:
            raw = bpf.initial_value(".rodata.lkst")
            _fill_header(raw, nr_slots=nr_slots, nr_cpus=nr_cpus, clock=clock)
            catalogue = parse_catalogue(bytes(raw))
            control = bpf.initial_value(".data.lkst")
            hooks = _fill_control(control, catalogue, maskset, masksets)
            bpf.set_entries("lkst_ring", nr_slots * nr_cpus)
            bpf.set_entries("lkst_cpus", nr_cpus)
            present = libbpf.hooks_present({hook: bpf.section(hook) for hook in hooks})
            loaded = {*present - refused.keys(), _START}
            for program in list(bpf.programs()):
                bpf.set_autoload(program, program in loaded)
            try:
                bpf.load()
            except libbpf.BPFError:
                # A kernel that is not as expected costs the event, not the recorder.
                program, reason = bpf.refused()
                if program not in loaded or program == _START:
                    raise
                refused[program] = reason
                continue
            _pin(bpf, pins)
            _name_cpus(pins, catalogue.header)
            libbpf.run_pinned(pins / _START, struct.pack("<q", clock.real_offset))
            missing = _attach(bpf, pins, hooks, present, refused)
        events = sum(len(ids) for hook, ids in hooks.items() if hook not in missing)
        return Started(nr_slots * layout.SLOT_SIZE, nr_cpus, events, missing)


def _name_cpus(pins: Path, header: Header) -> None:
    with libbpf.map_pinned(pins / "cpus", writable=True) as cpus:
        for cpu in range(header.nr_cpus):
            layout.CPU.pack_into(cpus, cpu * header.cpu_size, layout.CPU_MAGIC, header.tag, cpu, 0)


def _pin(bpf: libbpf.Object, pins: Path) -> None:
    for name, map_ in (
        ("ring", "lkst_ring"),
        ("cpus", "lkst_cpus"),
        ("catalogue", ".rodata.lkst"),
        ("control", ".data.lkst"),
    ):
        bpf.pin_map(map_, pins / name)
    bpf.pin_program(_START, pins / _START)


def _fill_control(
    control: memoryview, catalogue: Catalogue, maskset: str, masksets: Mapping[str, Wants]
) -> dict[str, list[int]]:
    """Write the masksets; give the active one's events by hook."""
    where = catalogue.header.control
    hooks: dict[str, list[int]] = {}
    for index, (name, wants) in enumerate(masksets.items()):
        start = where.maskset + index * layout.MASKSET_NAME_SIZE
        control[start : start + len(name)] = name.encode()
        for event in catalogue.events.values():
            on = wants(event)
            handler = layout.HANDLERS.index("record" if on else "off")
            control[where.handler + index * where.max_events + event.id] = handler
            if on and name == maskset and event.hook:
                hooks.setdefault(event.hook, []).append(event.id)
            if not event.hook:
                control[where.state + event.id] = layout.STATES.index("attached")
    struct.pack_into("<I", control, 0, list(masksets).index(maskset))
    return hooks


def _attach(
    bpf: libbpf.Object,
    pins: Path,
    hooks: dict[str, list[int]],
    present: set[str],
    refused: dict[str, str],
) -> dict[str, str]:
    """Attach the programs; give those that are not, with the reason."""
    missing = dict(refused)
    links = pins / "links"
    links.mkdir(mode=0o700)
    with libbpf.map_pinned(pins / "control", writable=True) as control:
        where = layout.control_layout(layout.MAX_EVENTS, layout.MAX_MASKSETS)
        for hook, events in hooks.items():
            state, prog_id = "unattached", 0
            if hook not in present:
                state = "absent"
                missing[hook] = f"this kernel has no {bpf.section(hook).partition('/')[2]}"
            elif hook not in refused:
                try:
                    bpf.attach(hook, links / hook)
                    state, prog_id = "attached", bpf.prog_id(hook)
                except libbpf.BPFError as error:
                    missing[hook] = str(error)
            for event in events:
                control[where.state + event] = layout.STATES.index(state)
                struct.pack_into("<I", control, where.prog_id + 4 * event, prog_id)
    return missing


def stop(pins: Path = PINS) -> None:
    """
    Unpin the recorder; what it has recorded is gone.

    :raises LkstError: if there is none, or this user may not
    """
    try:
        if not pins.exists():
            raise LkstError("no recorder runs on this machine")
        remove_pins(pins)
    except PermissionError:
        raise LkstError("only root may stop the recorder") from None
