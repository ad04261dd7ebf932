# SPDX-License-Identifier: GPL-2.0-or-later
"""
Records of the kernel's log
---------------------------

The ring that printk writes since Linux 5.10 (kernel/printk/printk_ringbuffer.[ch]). drgn has a
helper for it, which reads a record that wraps round the end of the ring at the wrong place:
docs/reliability.md. It is used for older kernels, whose log is another.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from drgn import FaultError, Object, Program, sizeof
from drgn.helpers.linux.printk import get_printk_records

__all__ = ("LogRecord", "newest_first")

#: 2^31 bytes is the largest log (LOG_BUF_LEN_MAX of kernel/printk/printk.c).
_MAX_SIZE_BITS = 31
_MAX_COUNT_BITS = 26  # of descriptors: 2^5 bytes each (PRB_AVGBITS)

#: Positions of records without data: BLK_DATALESS() and NO_LPOS. NO_LPOS is an empty line; with
#: other positions the text found no room.
_DATALESS, _NO_LPOS = 1, 3

#: After this many consecutive unreadable records, give up.
_MAX_UNREADABLE = 4096

_CALLER_IS_CPU = 1 << 31  # printk_caller_id() of kernel/printk/printk.c


@dataclass(frozen=True)
class LogRecord:
    """A record: one printk."""

    text: bytes
    #: ns of local_clock()
    timestamp: int
    #: Who printed it: a task or, from an interrupt, a CPU; None: not known.
    pid: int | None
    cpu: int | None


def newest_first(prog: Program) -> Iterator[LogRecord]:
    """
    Read the log from its end.

    A record that cannot be read, or that is being written, is left out.

    :raises AttributeError, FaultError, LookupError, ValueError: there is no log, or it is damaged
    """
    try:
        prb = prog["prb"].read_()
    except KeyError:
        for old in reversed(get_printk_records(prog)):
            yield LogRecord(old.text, old.timestamp, old.caller_tid, old.caller_cpu)
        return
    unreadable = 0
    log = _Log(prog, prb)
    for number in log.numbers():
        try:
            record = log.read(number)
        except FaultError:
            unreadable += 1
            if unreadable == _MAX_UNREADABLE:
                raise
            continue
        unreadable = 0
        if record is not None:
            yield record


class _Log:
    """A ring of descriptors, and one of texts."""

    def __init__(self, prog: Program, prb: Object) -> None:
        self._prog = prog
        self._ring = prb.desc_ring
        self._descs = self._ring.descs.read_()
        self._infos = self._ring.infos.read_()
        self._text = prb.text_data_ring.data.value_()
        count_bits = self._ring.count_bits.value_()
        self._size_bits = size_bits = prb.text_data_ring.size_bits.value_()
        if count_bits > _MAX_COUNT_BITS or size_bits > _MAX_SIZE_BITS:
            raise ValueError("the kernel's log is damaged: its size is invalid")
        self._count = 1 << count_bits
        self._size = 1 << size_bits
        self._word = sizeof(prog.type("unsigned long"))
        state_shift = 8 * self._word - 2  # DESC_FLAGS_SHIFT
        self._numbers = (1 << state_shift) - 1
        self._done = {prog[f"desc_{name}"].value_() for name in ("committed", "finalized")}
        self._state_shift = state_shift

    def numbers(self) -> Iterator[int]:
        """Yield the ids of all descriptors, the newest first."""
        head = self._ring.head_id.counter.value_()
        tail = self._ring.tail_id.counter.value_()
        used = (head - tail & self._numbers) + 1
        for back in range(min(used, self._count)):
            yield head - back & self._numbers

    def read(self, number: int) -> LogRecord | None:
        index = number & self._count - 1
        desc = self._descs[index].read_()
        if not self._is_done(number, desc):
            return None
        info = self._infos[index].read_()
        text = self._read_text(desc.text_blk_lpos, info.text_len.value_())
        # A live kernel writes on while its log is read.
        if text is None or not self._is_done(number, self._descs[index]):
            return None
        caller = info.caller_id.value_()
        is_cpu = caller & _CALLER_IS_CPU
        return LogRecord(
            text,
            info.ts_nsec.value_(),
            pid=None if is_cpu else caller,
            cpu=caller ^ _CALLER_IS_CPU if is_cpu else None,
        )

    def _is_done(self, number: int, desc: Object) -> bool:
        state = desc.state_var.counter.value_() & (1 << 8 * self._word) - 1
        return state & self._numbers == number and state >> self._state_shift in self._done

    def _read_text(self, block: Object, length: int) -> bytes | None:
        """
        Read a text; None: it is lost.

        Before it stands the descriptor's id. If both do not fit between the last block and the
        end of the ring, both are at the beginning of the ring: get_next_lpos(), data_alloc().
        """
        begin, end = block.begin.value_(), block.next.value_()
        if begin & _DATALESS and end & _DATALESS:
            return b"" if begin == end == _NO_LPOS else None
        # Positions start a lap before their type's end. Later kernels let a block end where the
        # ring ends; before, it would have wrapped.
        last = end - 1 & (1 << 8 * self._word) - 1
        laps = (last // self._size - begin // self._size) % (1 << 8 * self._word >> self._size_bits)
        start = 0 if laps else begin % self._size
        room = last % self._size + 1 - start - self._word
        if laps not in (0, 1) or room < 0:
            return None
        text: bytes = self._prog.read(self._text + start + self._word, min(length, room))
        return text
