# SPDX-License-Identifier: GPL-2.0-or-later
"""
Stacks
------

The kernel's stacks, unwound by drgn. Two things are added for a kernel that died:

* Registers of a CPU whose task cannot be read: the kernel leaves them in
  ``crash_notes`` (``crash_save_cpu()`` of kernel/crash_core.c). QEMU leaves them in the
  notes of the dump file, which drgn does not see inside crash.
* The caller of a function without unwind information. ``__crash_kexec()`` has none,
  since it ends in code that does not return, and drgn then goes by the frame pointer
  and misses ``panic()``.
"""

from collections.abc import Callable, Sequence
import contextlib
import logging
import struct
from typing import NamedTuple

from drgn import FaultError, Object, Program, StackTrace

from drgn_plugins.lkst_btf import place_modules
from lkst.dump.notes import elf_notes
from lkst.locate.names import Finder
from lkst.locate.ranges import dump_of

__all__ = ("Frame", "Stacks")

#: Maximum number of frames of one stack.
MAX_FRAMES = 64

#: Bytes above the stack pointer that are searched for a return address.
MAX_FRAME_BYTES = 4096

# struct elf_prstatus of include/uapi/linux/elfcore.h, on 64-bit machines.
_NT_PRSTATUS = 1
_PR_REG = 112
_PR_PID_AT = 32
_PR_PID = struct.Struct("=i")

# x86: CALL with a displacement of 32 bits.
_CALL = 0xE8
_CALL_BYTES = 5

_FAULTS = (AttributeError, FaultError, LookupError, TypeError, ValueError)


class Frame(NamedTuple):
    """A frame of a stack."""

    pc: int
    #: Whether pc is the next instruction rather than a return address.
    interrupted: bool


class Stacks:
    """Unwinds stacks of a kernel."""

    def __init__(self, prog: Program, find_symbols: Finder) -> None:
        """
        Prepare for unwinding without reading anything.

        :param find_symbols: looks symbols up, the same with debug info and without
        """
        self._prog = prog
        self._find_symbols = find_symbols
        self._placed = False

    def of_task(self, task: Object) -> tuple[str, ...]:
        """
        Name the frames of a task, the innermost first.

        :param task: ``struct task_struct *``
        :return: ``symbol+0xoffset``, as the kernel prints return addresses; empty if the
            stack cannot be read
        """
        return self._name(self._unwind(lambda: task)) if task else ()

    def of_cpu(self, cpu: int, task: Object | None) -> tuple[str, ...]:
        """
        Name the frames of what a CPU was running.

        :param task: ``struct task_struct *``, if it is known
        """
        return self._name(self.frames_of_cpu(cpu, task))

    def frames_of_cpu(self, cpu: int, task: Object | None) -> list[Frame]:
        """Return the frames that :meth:`of_cpu` names."""
        frames = self._unwind(lambda: task) if task else []
        for saved in (self._saved_registers, self._qemu_registers):
            frames = frames or self._unwind(lambda saved=saved: saved(cpu))  # type: ignore[misc]
        return frames

    def _unwind(self, start: Callable[[], Object | None]) -> list[Frame]:
        self._place()
        try:
            thread = start()
            if thread is None:
                return []
            try:
                trace = self._prog.stack_trace(thread)
            except FaultError:
                # The dump may lack the tables. Without them the first frame is right, and the
                # others are guessed by frame pointers.
                return self._first_frame(thread)
            if not len(trace):
                return []
            caller = self._find_caller(trace)
            if caller is None:
                return _frames(trace)
            return [*_frames(trace)[:1], *_frames(self._prog.stack_trace(caller), called=True)]
        except _FAULTS:
            return []  # for example a task of a live kernel that is running

    def _first_frame(self, thread: Object) -> list[Frame]:
        main = self._prog.main_module()
        ranges = main.address_ranges
        main.address_ranges = None
        try:
            return _frames(self._prog.stack_trace(thread))[:1]
        finally:
            main.address_ranges = ranges

    def _place(self) -> None:
        if self._placed:
            return
        self._placed = True
        logger = logging.getLogger("drgn")
        level = logger.level
        # An unreadable module costs only its frames: no warning.
        logger.setLevel(logging.CRITICAL)
        try:
            place_modules(self._prog)
        finally:
            logger.setLevel(level)

    def _saved_registers(self, cpu: int) -> Object | None:
        (symbol,) = self._find_symbols(self._prog, "crash_notes", None, True)
        offset = self._prog["__per_cpu_offset"][cpu].value_()
        address = (self._prog.read_u64(symbol.address) + offset) & (1 << 64) - 1
        for _, kind, content in elf_notes(self._prog.read(address, 512)):
            if kind == _NT_PRSTATUS:
                return self._registers(content)
        return None

    def _qemu_registers(self, cpu: int) -> Object | None:
        """Read the registers that QEMU has put into the dump file."""
        dump = dump_of(self._prog)
        notes = [] if dump is None else list(elf_notes(dump.notes, dump.byte_order))
        # In the kernel's own notes this is a task, not a CPU.
        if not any(name == b"QEMU" for name, _, _ in notes):
            return None
        for _, kind, content in notes:
            if kind == _NT_PRSTATUS and len(content) > _PR_REG:
                (number,) = _PR_PID.unpack_from(content, _PR_PID_AT)
                # QEMU counts from 1: x86_cpu_write_elf64_note() of target/i386/arch_dump.c.
                if number == cpu + 1:
                    return self._registers(content)
        return None

    def _registers(self, status: bytes) -> Object:
        """Return the ``struct pt_regs`` in a ``struct elf_prstatus``."""
        return Object.from_bytes_(self._prog, "struct pt_regs", status[_PR_REG:])

    def _find_caller(self, trace: StackTrace) -> Object | None:
        """
        Find the caller of the innermost function if drgn has missed it.

        A return address is its if the instruction before is a CALL to that function.

        :return: ``struct pt_regs`` of the caller; None: drgn has missed nothing
        """
        registers = trace[0].registers()
        if not {"rip", "rsp", "rbp"} <= registers.keys():
            return None
        found = self._find_symbols(self._prog, None, registers["rip"], True)
        if not found:
            return None
        begin = registers["rsp"]
        end = begin + MAX_FRAME_BYTES
        if len(trace) > 1 and begin < (next_ := trace[1].registers().get("rsp", 0)) < end:
            end = next_ - 8  # where drgn has found its own
        for place in range(begin, end, 8):
            with contextlib.suppress(FaultError):
                back = self._prog.read_u64(place)
                if back >> 63 and self._calls(back) == found[0].address:
                    values = {"ip": back, "sp": place + 8, "bp": registers["rbp"]}
                    return Object(self._prog, "struct pt_regs", values)
        return None

    def _calls(self, back: int) -> int | None:
        """Return the address of the function that a direct CALL before an address calls."""
        try:
            code = self._prog.read(back - _CALL_BYTES, _CALL_BYTES)
        except FaultError:
            return None
        if code[0] != _CALL:
            return None
        return (back + int.from_bytes(code[1:], "little", signed=True)) & (1 << 64) - 1

    def _name(self, frames: Sequence[Frame]) -> tuple[str, ...]:
        named = [self._symbol(frame) for frame in frames]
        # drgn unwinds beyond the end of some stacks, into addresses that are not code.
        while named and named[-1] is None:
            named.pop()
        return tuple(name or hex(frame.pc) for name, frame in zip(named, frames, strict=False))

    def _symbol(self, frame: Frame) -> str | None:
        # A call may be a function's last instruction.
        inside = frame.pc if frame.interrupted else frame.pc - 1
        found = self._find_symbols(self._prog, None, inside, True) if inside >> 63 else ()
        return f"{found[0].name}+{frame.pc - found[0].address:#x}" if found else None


def _frames(trace: StackTrace, called: bool = False) -> list[Frame]:
    """
    Return the frames up to those in user space.

    :param called: whether the first one is that of a return address, too
    """
    frames = []
    for number, frame in enumerate(trace):
        if number >= MAX_FRAMES or not frame.pc >> 63:
            break
        if frame.is_inline:
            continue
        frames.append(Frame(frame.pc, frame.interrupted and not (called and not number)))
    return frames
