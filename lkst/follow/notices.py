# SPDX-License-Identifier: GPL-2.0-or-later
"""
Notices
-------

Notices of triggers and users' handlers to user space. They come through a BPF ring
buffer; the kernel does not wait for the reader.
"""

import struct
from typing import NamedTuple

from lkst.abi import layout
from lkst.abi.control import Control, name_of
from lkst.abi.layout import Place
from lkst.bpf.ringbuf import RingBuffer
from lkst.decode.catalogue import Header
from lkst.decode.image import BufferImage, Image
from lkst.live.recorder import Recorder
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace

__all__ = ("Notice", "Notices", "notice_trace")


class Notice(NamedTuple):
    """A notice."""

    #: Name of the trigger or of the user's handler.
    trigger: str
    #: The record's first slot.
    slot: bytes


class Notices:
    """A reader of the ring buffer; it continues after the last notice that was read."""

    def __init__(self, recorder: Recorder) -> None:
        """Open it. Notices that nobody has read yet are still there."""
        self._recorder = recorder
        self._raw: list[bytes] = []
        self._ring = RingBuffer(recorder.pins / "notices", self._raw.append)

    def __enter__(self) -> "Notices":
        return self

    def __exit__(self, *_: object) -> None:
        self._ring.close()

    def read(self, timeout: float) -> list[Notice]:
        """
        Wait for notices.

        :param timeout: in seconds
        :return: new notices, none after a timeout
        """
        self._ring.poll(int(timeout * 1000))
        raw = self._raw[:]
        self._raw.clear()
        size = layout.NOTICE.size + layout.SLOT_SIZE
        control = self._recorder.read_control()
        return [_notice(data, control) for data in raw if len(data) >= size]

    def missed(self) -> int:
        """Return the number of notices lost since the recorder was started."""
        return int(self._recorder.read_control().lost_notices)


def _notice(data: bytes, control: Control) -> Notice:
    number, _ = layout.NOTICE.unpack_from(data)
    if number < layout.MAX_TRIGGERS:
        name = control.trigger[number].name
    else:
        name = control.user_handler[(number - layout.MAX_TRIGGERS) % layout.MAX_USER].text
    return Notice(name_of(name), data[layout.NOTICE.size :][: layout.SLOT_SIZE])


def notice_trace(notice: Notice, catalogue: bytes, header: Header, facts: Facts) -> Trace:
    """
    Make a trace of a notice's record.

    A text is cut to the part in the record's first slot.

    :raises Damaged: if the catalogue is invalid
    """
    what, ts = struct.unpack_from("<QQ", notice.slot, 8)
    what &= ~(layout.NR_MASK << layout.NR_SHIFT | layout.FLAG_STACK << layout.FLAGS_SHIFT)
    what |= 1 << layout.NR_SHIFT
    commit = header.tag << layout.SEQ_BITS
    own = (what >> layout.CPU_SHIFT & 0xFFFF) % header.nr_cpus
    slot = struct.pack("<QQQ", commit, what, ts) + notice.slot[layout.PAYLOAD_OFFSET :]
    buffer = BufferImage(
        number=0,
        name="notices",
        state="written",
        nr_slots=1,
        rings=b"".join(slot if cpu == own else bytes(len(slot)) for cpu in range(header.nr_cpus)),
        places=[Place(cpu == own, layout.NO_LIMIT) for cpu in range(header.nr_cpus)],
    )
    return build_trace(Image(catalogue, [buffer], partial=True), facts)
