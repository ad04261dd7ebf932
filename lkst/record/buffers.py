# SPDX-License-Identifier: GPL-2.0-or-later
"""
Buffers
-------

A buffer is a set of rings, one for each CPU, in one map. One buffer is written. The
others keep their records, or are spare: a trigger can switch to a spare buffer.
"""

from dataclasses import dataclass
import os
from pathlib import Path

from lkst.abi import layout
from lkst.abi.control import Control, ControlBuffer
from lkst.bpf.libbpf import pin_fd, pinned
from lkst.bpf.maps import create_array_map, map_id, update_map
from lkst.errors import LkstError, NotFound, Usage
from lkst.live import machine
from lkst.live.recorder import Recorder
from lkst.record.names import check_name
from lkst.util.nearest import nearest

__all__ = (
    "DEFAULT_RING_BYTES",
    "MAIN",
    "BufferStatus",
    "clean_up_buffers",
    "delete_buffer",
    "find_buffer",
    "first_buffer",
    "fitting_ring",
    "freeze_buffer",
    "list_buffers",
    "make_spare",
    "new_buffer",
    "nr_slots_of",
    "resize_buffer",
    "thaw_buffer",
    "use_buffer",
)

#: Name of the first buffer.
MAIN = "main"

#: The rings may take 1 / _MEMORY_DIVISOR of the machine's memory.
_MEMORY_DIVISOR = 8
_MIN_RING_BYTES = 4096

#: Default size of a ring in bytes; smaller if memory is short.
DEFAULT_RING_BYTES = 1 << 20
#: The map of a buffer has one entry for each slot.
_MAX_SLOTS = (1 << 32) - 1


@dataclass(frozen=True)
class BufferStatus:
    """State of a buffer."""

    number: int
    name: str
    #: ``written to``, ``kept`` or ``spare``, with ``, frozen`` or ``, freezing`` appended.
    state: str
    #: Slots in one ring.
    nr_slots: int
    #: Slots ever claimed, by CPU.
    heads: list[int]


def fitting_ring(nr_cpus: int, memory: int, used: int = 0) -> int:
    """
    Return the size of the largest rings that fit, in bytes: a power of two.

    :param nr_cpus: how many rings there are; the kernel allocates all of them at once
    :param memory: of the machine, in bytes
    :param used: size of all other buffers, in bytes
    :return: 0: not even the smallest rings fit
    """
    room = min(
        (memory // _MEMORY_DIVISOR - used) // nr_cpus, _MAX_SLOTS // nr_cpus * layout.SLOT_SIZE
    )
    return 1 << room.bit_length() - 1 if room >= _MIN_RING_BYTES else 0


def nr_slots_of(size: int | None, nr_cpus: int, used: int = 0) -> int:
    """
    Return the number of slots of a ring.

    :param size: of the ring in bytes; rounded up to a power of two; None: the default size, or
        what fits into the memory if that is less
    :param nr_cpus: possible CPUs, each of which gets a ring
    :param used: size of all other buffers, in bytes
    :raises Usage: if it is too small, or all rings take too much of the memory
    """
    memory = machine.memory()
    fitting = fitting_ring(nr_cpus, memory, used)
    if size is None:
        size = min(DEFAULT_RING_BYTES, fitting) or _MIN_RING_BYTES
    slots = 1 << max(size // layout.SLOT_SIZE - 1, 0).bit_length()
    if slots * layout.SLOT_SIZE < _MIN_RING_BYTES:
        raise Usage(
            f"a ring of {size} bytes is too small: use at least {_MIN_RING_BYTES >> 10} KiB"
        )
    ring = slots * layout.SLOT_SIZE
    if ring > fitting:
        beside = f", beside {used >> 20} MiB of other buffers" if used else ""
        advice = f"give --size {fitting >> 10}K or less" if fitting else "no size fits"
        raise Usage(
            f"{nr_cpus} rings of {ring >> 10} KiB, one for each possible CPU, take"
            f" {ring * nr_cpus >> 20} MiB{beside}: more than 1/{_MEMORY_DIVISOR} of this machine's"
            f" {memory >> 20} MiB: {advice}"
        )
    return slots


def new_buffer(recorder: Recorder, name: str, size: int) -> int:
    """
    Create a buffer; it is spare until it is written.

    :param size: of each ring, in bytes
    :return: its number
    :raises LkstError: if it cannot be created; then nothing is left of it
    """
    check_name("buffer", name)
    control = recorder.live
    if name in _numbers(control):
        raise Usage(f"buffer {name!r} already exists")
    return _create(recorder, name, size)


def first_buffer(recorder: Recorder) -> None:
    """Create and use the buffer whose rings are the map ``lkst_ring``."""
    control = recorder.live
    number = control.first_buffer = _free_number(control)
    with pinned(recorder.pins / "ring") as fd:
        pin_fd(fd, _pin(recorder, number))
        _add_entry(recorder, number, MAIN, recorder.header.nr_slots, map_id(fd))
    _use(recorder, number)


def _free_number(control: Control) -> int:
    number = next((i for i, b in enumerate(control.buffer) if _state(b) == "free"), None)
    if number is None:
        raise LkstError(f"there are {layout.MAX_BUFFERS} buffers, the maximum: delete one first")
    return number


def _create(recorder: Recorder, name: str, size: int) -> int:
    control, nr_cpus = recorder.live, recorder.header.nr_cpus
    number = _free_number(control)
    used = sum(b.nr_slots for b in control.buffer if _state(b) != "free")
    nr_slots = nr_slots_of(size, nr_cpus, used * nr_cpus * layout.SLOT_SIZE)
    pin = _pin(recorder, number)
    pin.unlink(missing_ok=True)
    fd = create_array_map("lkst_ring", nr_slots * nr_cpus, layout.SLOT_SIZE)
    try:
        pin_fd(fd, pin)
        update_map(recorder.pins / "buffers", number, fd)
        ring_map = map_id(fd)
    finally:
        os.close(fd)
    _add_entry(recorder, number, name, nr_slots, ring_map)
    return number


def _add_entry(recorder: Recorder, number: int, name: str, nr_slots: int, ring_map: int) -> None:
    for cpu in range(recorder.header.nr_cpus):
        recorder.set_place(number, cpu, head=0, limit=layout.NO_LIMIT)
    buffer = recorder.live.buffer[number]
    buffer.name, buffer.nr_slots, buffer.map_id = name.encode(), nr_slots, ring_map
    buffer.tag = recorder.header.tag | number
    # Last: this makes the entry valid.
    buffer.state = layout.BUFFER_STATES.index("spare")


def _pin(recorder: Recorder, number: int) -> Path:
    return recorder.pins / "rings" / str(number)


def _state(buffer: ControlBuffer) -> str:
    return layout.BUFFER_STATES[buffer.state]


def _numbers(control: Control) -> dict[str, int]:
    return {
        buffer.name.decode(): number
        for number, buffer in enumerate(control.buffer)
        if _state(buffer) != "free"
    }


def find_buffer(control: Control, name: str | None) -> int:
    """
    Find a buffer by its name.

    :param name: None: the buffer that is written
    :raises NotFound: if there is none
    """
    if name is None:
        return int(control.current_buffer)
    numbers = _numbers(control)
    if name not in numbers:
        raise NotFound(f"there is no buffer {name!r}{nearest(name, numbers)}")
    return numbers[name]


def list_buffers(recorder: Recorder) -> list[BufferStatus]:
    """Return the state of all buffers."""
    control = recorder.read_control()
    listed = []
    for name, number in _numbers(control).items():
        places = recorder.places(number)
        state = "written to" if number == control.current_buffer else "kept"
        if _state(control.buffer[number]) == "spare":
            state = "spare"
        frozen = [place.limit != layout.NO_LIMIT for place in places]
        if all(place.head >= place.limit for place in places):
            state += ", frozen"
        elif any(frozen):
            state += ", freezing"
        listed.append(
            BufferStatus(
                number, name, state, control.buffer[number].nr_slots, [p.head for p in places]
            )
        )
    return listed


def clean_up_buffers(recorder: Recorder) -> None:
    """Clean up after a command that was killed."""
    control = recorder.live
    for name in _numbers(control):
        twins = [
            other
            for other, buffer in enumerate(control.buffer)
            if _state(buffer) != "free" and buffer.name.decode() == name
        ]
        if len(twins) == 2:
            # An interrupted resize: the buffer that is written or empty keeps the name.
            new = control.current_buffer
            if new not in twins:
                new = min(twins, key=lambda twin: _has_records(recorder, twin))
            _rename_old(recorder, sum(twins) - new, new)
    used = _numbers(control).values()
    for number in set(range(layout.MAX_BUFFERS)).difference(used):
        pin = _pin(recorder, number)
        if pin.exists():
            update_map(recorder.pins / "buffers", number, None)
            pin.unlink()


def use_buffer(recorder: Recorder, name: str) -> None:
    """
    Switch to another buffer.

    :raises NotFound: if there is none
    :raises LkstError: if it is frozen
    """
    number = find_buffer(recorder.live, name)
    if any(place.limit != layout.NO_LIMIT for place in recorder.places(number)):
        raise LkstError(f"the buffer {name!r} is frozen: 'lkst buffer thaw {name}' first")
    _use(recorder, number)


def _use(recorder: Recorder, number: int) -> None:
    recorder.live.buffer[number].state = layout.BUFFER_STATES.index("written")
    recorder.live.current_buffer = number


def freeze_buffer(recorder: Recorder, name: str | None) -> None:
    """Stop recording into a buffer."""
    number = find_buffer(recorder.live, name)
    for cpu, place in enumerate(recorder.places(number)):
        recorder.set_place(number, cpu, limit=place.head)


def thaw_buffer(recorder: Recorder, name: str | None) -> None:
    """Resume recording into a buffer."""
    number = find_buffer(recorder.live, name)
    for cpu in range(recorder.header.nr_cpus):
        recorder.set_place(number, cpu, limit=layout.NO_LIMIT)


def delete_buffer(recorder: Recorder, name: str) -> None:
    """
    Delete a buffer and its records.

    The programs hold the map of the first buffer: its memory is freed with the recorder.

    :raises LkstError: if the buffer is written
    """
    control = recorder.live
    number = find_buffer(control, name)
    if number == control.current_buffer:
        raise LkstError(f"the buffer {name!r} is in use: switch with 'lkst buffer use' first")
    _delete(recorder, number)


def _delete(recorder: Recorder, number: int) -> None:
    control = recorder.live
    buffer = control.buffer[number]
    # From here on a trigger must not switch to it.
    buffer.state = layout.BUFFER_STATES.index("written")
    if number == control.current_buffer:
        raise LkstError(f"a trigger just switched to the buffer {buffer.name.decode()!r}")
    if number == control.first_buffer:
        # The programs still hold its map when the number is reused.
        control.first_buffer = layout.MAX_BUFFERS
    buffer.state = layout.BUFFER_STATES.index("free")
    update_map(recorder.pins / "buffers", number, None)
    _pin(recorder, number).unlink(missing_ok=True)


def make_spare(recorder: Recorder) -> str | None:
    """
    Create a spare buffer, so that a trigger can switch, if there is none.

    :return: name of the new buffer; None: there was a spare one
    """
    control = recorder.live
    if any(_state(buffer) == "spare" for buffer in control.buffer):
        return None
    numbers = _numbers(control)
    name = next(n for i in range(1, 100) if (n := f"spare-{i}") not in numbers)
    new_buffer(recorder, name, control.buffer[control.current_buffer].nr_slots * layout.SLOT_SIZE)
    return name


def resize_buffer(recorder: Recorder, name: str | None, size: int) -> str | None:
    """
    Change the size of a buffer's rings.

    The records are not lost: the old rings remain as another buffer.

    :param size: of each ring, in bytes
    :return: name of the buffer with the old records; None: there were none
    """
    control = recorder.live
    old = find_buffer(control, name)
    own = control.buffer[old].name.decode()
    # Both have one name until the old one gets another: clean_up_buffers() knows.
    new = _create(recorder, own, size)
    if old == control.current_buffer:
        _use(recorder, new)
    return _rename_old(recorder, old, new)


def _has_records(recorder: Recorder, number: int) -> bool:
    return any(place.head for place in recorder.places(number))


def _rename_old(recorder: Recorder, old: int, new: int) -> str | None:
    """Rename the old one of two buffers with the same name; return its new name."""
    control = recorder.live
    if not _has_records(recorder, old):
        _delete(recorder, old)
        return None
    names = _numbers(control)
    own = control.buffer[new].name.decode()
    kept = next(n for i in range(1, 100) if (n := f"{own[:26]}-{i}") not in names)
    control.buffer[old].name = kept.encode()
    return kept
