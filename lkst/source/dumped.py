# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs of dump files
----------------------

drgn and libkdumpfile open intact files. Of other files lkst reads the memory itself and
serves it to drgn through a callback: drgn opens an ELF core with notes and no memory, and
gets the addresses of the memory.
"""

from collections.abc import Callable
import logging
import os

from drgn import (
    Architecture,
    FaultError,
    Platform,
    PlatformFlags,
    Program,
    ProgramFlags,
)

from drgn_plugins.lkst_btf import BTFError, attach_btf
from lkst.decode.catalogue import parse_header
from lkst.dump import Dump, Missing
from lkst.dump.elf import core_header
from lkst.dump.notes import elf_note
from lkst.dump.vmcoreinfo import find_vmcoreinfo, is_vmcoreinfo, symbol
from lkst.locate.maps import find_recorders
from lkst.locate.merge import count_slots
from lkst.locate.ranges import dump_of, memory_size, set_dump

__all__ = ("dump_program", "own_program", "safe_program")

_MAX_PHYSICAL = 1 << 52

_ARCHITECTURES = {
    "x86_64": Architecture.X86_64,
    "aarch64": Architecture.AARCH64,
    "ppc64": Architecture.PPC64,
    "ppc64le": Architecture.PPC64,
    "riscv64": Architecture.RISCV64,
    "s390x": Architecture.S390X,
}
#: What is read is a name, in struct new_utsname of include/uapi/linux/utsname.h.
_NAME_SIZE = 65
_RELEASE = 2


def dump_program(dump: Dump) -> Program:
    """
    Create a program from a dump, with its kernel if that can be found.

    What had to be guessed is added to ``dump.faults``.
    """
    if dump.plain and is_vmcoreinfo(dump.vmcoreinfo):
        prog = _opened_by_drgn(dump)
        if prog is not None:
            set_dump(prog, dump.path, dump=dump)
            return prog
    return own_program(dump)


def safe_program(prog: Program) -> Program:
    """
    Return a program to read instead of one that drgn has opened.

    :return: the same one, unless libkdumpfile has mapped a file that is cut off: to read what
        is missing there ends the process
    """
    dump = dump_of(prog)
    if dump is None or dump.kind != "kdump" or dump.plain:
        return prog
    return own_program(dump)


def own_program(dump: Dump) -> Program:
    """Create a program that reads memory through lkst's own dump reader."""
    prog = None
    if is_vmcoreinfo(dump.vmcoreinfo):
        prog = _on_memory(dump, dump.vmcoreinfo)
        if prog is not None and not _fits(prog, dump.vmcoreinfo, unknown=True):
            # The copy in memory may be better; otherwise use this one.
            prog = _guessed(dump) or prog
    else:
        prog = _guessed(dump)
    if prog is None:
        if not is_vmcoreinfo(dump.vmcoreinfo):
            dump.faults.append("has no VMCOREINFO, neither as a note nor in its memory")
        prog = _without_kernel(dump)
    set_dump(prog, dump.path, dump=dump)
    return prog


def _opened_by_drgn(dump: Dump) -> Program | None:
    prog = Program()
    logger = logging.getLogger("drgn")
    level = logger.level
    try:
        # It advises to unflatten files.
        logger.setLevel(logging.ERROR)
        prog.set_core_dump(str(dump.path))
    except Exception:  # drgn has no type for what libkdumpfile refuses.
        return None
    finally:
        logger.setLevel(level)
    return prog if prog.flags & ProgramFlags.IS_LINUX_KERNEL else None


def _on_memory(dump: Dump, vmcoreinfo: bytes) -> Program | None:
    """Create a program that reads memory through the dump; None if drgn refuses the kernel."""
    if dump.machine not in _ARCHITECTURES:
        return None
    notes = dump.cpu_notes() + elf_note(b"VMCOREINFO", 0, vmcoreinfo, dump.byte_order)
    with os.fdopen(os.memfd_create("lkst-notes", os.MFD_CLOEXEC), "wb") as file:
        file.write(core_header(dump.machine, dump.byte_order, notes))
        file.flush()
        fd = os.dup(file.fileno())
    prog = Program()
    try:
        prog.set_core_dump(fd)  # The file descriptor is drgn's from here on.
    except Exception:  # It has no type for what it refuses.
        return None
    if not prog.flags & ProgramFlags.IS_LINUX_KERNEL:
        return None
    prog.add_memory_segment(0, _MAX_PHYSICAL, _reader(dump), physical=True)
    return prog


def _without_kernel(dump: Dump) -> Program:
    """Create a program with only physical memory, for carving."""
    flags = PlatformFlags.IS_64_BIT
    if dump.byte_order == "<":
        flags |= PlatformFlags.IS_LITTLE_ENDIAN
    prog = Program(Platform(_ARCHITECTURES.get(dump.machine, Architecture.UNKNOWN), flags))
    prog.add_memory_segment(0, _MAX_PHYSICAL, _reader(dump), physical=True)
    return prog


def _reader(dump: Dump) -> Callable[[int, int, int, bool], bytes]:
    def read(address: int, count: int, offset: int, physical: bool) -> bytes:
        try:
            return dump.read(address, count)
        except Missing as error:
            raise FaultError("this memory is not in the dump", error.address) from None

    return read


def _guessed(dump: Dump) -> Program | None:
    """
    Create a program from a VMCOREINFO in memory, if it matches the kernel there.

    Of several the one whose kernel has the recorder that was started last, else the first.
    """
    texts = find_vmcoreinfo(dump)
    fitting = []
    for address, text in texts:
        prog = _on_memory(dump, text)
        if prog is not None and _fits(prog, text, unknown=False):
            fitting.append((address, text, prog))
    if not fitting:
        return None
    if len(fitting) > 1:
        most = memory_size(dump.ranges())
        fitting.sort(key=lambda each: _last_start(each[2], most), reverse=True)
    address, text, prog = fitting[0]
    others = f", one of {len(texts)}" if len(texts) > 1 else ""
    dump.faults.append(
        f"has no usable VMCOREINFO note: used the text in its memory at {address:#x}{others}"
    )
    dump.vmcoreinfo = text
    return prog


def _last_start(prog: Program, most: int) -> int:
    """Return when the last recorder with records was started, in ns since 1970; -1 if none."""
    starts = [-1]
    try:
        attach_btf(prog)
        for image in find_recorders(prog, most, []):
            if count_slots(image):
                header = parse_header(image.catalogue)
                starts.append(header.start + header.real_offset)
    except (BTFError, FaultError, LookupError, ValueError, TypeError):
        pass
    return max(starts)


def _fits(prog: Program, text: bytes, unknown: bool) -> bool:
    """
    Return whether the kernel's release lies where a VMCOREINFO says.

    :param unknown: the result if the text does not say where that name is
    """
    address = symbol(text, "init_uts_ns")
    release = text.partition(b"\n")[0].partition(b"=")[2]
    if address is None or not release:
        return unknown
    offset = _offset(text, "uts_namespace.name") + _RELEASE * _NAME_SIZE
    try:
        found: bytes = prog.read(address + offset, _NAME_SIZE)
    except FaultError:
        return False
    return found.split(b"\0")[0] == release


def _offset(text: bytes, name: str) -> int:
    head = b"\nOFFSET(" + name.encode() + b")="
    number = text.partition(head)[2].partition(b"\n")[0]
    return int(number) if number.isdigit() and len(number) < 8 else 0
