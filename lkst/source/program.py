# SPDX-License-Identifier: GPL-2.0-or-later
"""
Programs
--------

Open whatever drgn can read: a vmcore, /proc/kcore, a QEMU guest, or a program that is open
already.
"""

from collections.abc import Iterable, Iterator, Sequence
import contextlib
import os
from pathlib import Path

from drgn import Program, ProgramFlags

from drgn_plugins.lkst_btf import find_kallsyms
from lkst.decode.image import Image
from lkst.dump import open_dump
from lkst.errors import Damaged
from lkst.locate.facts import read_facts
from lkst.locate.faults import fault_text
from lkst.locate.recorders import find_images
from lkst.source.dumped import dump_program
from lkst.trace.facts import Facts
from lkst.trace.trace import Trace, build_trace
from lkst.util.progress import show_progress

__all__ = ("open_program", "read_traces", "without_plugins")

_KCORE = "/proc/kcore"

#: Of which plugins drgn is to stay away (drgn's documentation: "Plugins").
_DISABLE = "DRGN_DISABLE_PLUGINS"


def open_program(source: str | Sequence[str]) -> Program:
    """
    Open a source that becomes a drgn program.

    :param source: path of a vmcore, paths of parts of a split one, ``kcore``, ``qemu:ADDRESS``
    :raises Damaged: if it cannot be read
    :raises LkstError: if there is no space to unpack it
    """
    if not isinstance(source, str):
        return _open_dump([Path(part) for part in source])
    if source != "kcore" and not source.startswith("qemu:"):
        return _open_dump([Path(source)])
    if source == "kcore":
        _check_kcore()
    prog = Program()
    try:
        with without_plugins():
            if source == "kcore":
                prog.set_kernel()
            else:
                prog.set_qemu_qmp(source.removeprefix("qemu:"))
    except Exception as error:  # drgn has no type for some of them.
        raise Damaged(f"{source}: {fault_text(error)}") from error
    if not prog.flags & ProgramFlags.IS_LINUX_KERNEL:
        raise Damaged(f"{source}: not a Linux kernel (no VMCOREINFO)")
    return prog


def _check_kcore() -> None:
    try:
        os.close(os.open(_KCORE, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError:
        raise Damaged(
            f"kcore: {_KCORE} is missing: this kernel was built without CONFIG_PROC_KCORE"
        ) from None
    except PermissionError:
        # fs/proc/kcore.c: CAP_SYS_RAWIO, and no lockdown of confidentiality.
        raise Damaged(
            f"kcore: {_KCORE} cannot be opened: that takes root (CAP_SYS_RAWIO) and a kernel"
            " that is not locked down (/sys/kernel/security/lockdown)"
        ) from None
    except OSError as error:
        raise Damaged(f"kcore: {_KCORE}: {error.strerror}") from None


def _open_dump(paths: Sequence[Path]) -> Program:
    with show_progress() as report:
        dump = open_dump(paths, report)
    if not dump.ranges():
        faults = "; ".join(dump.faults) or "holds no memory"
        raise Damaged(f"{dump.path}: {faults}")
    with without_plugins():
        return dump_program(dump)


@contextlib.contextmanager
def without_plugins() -> Iterator[None]:
    """
    Keep drgn from loading plugins other than those of DRGN_PLUGINS.

    They are for who works in drgn; to find and import them takes longer than to open a dump.
    """
    given = os.environ.get(_DISABLE)
    os.environ[_DISABLE] = "*" if given is None else given
    try:
        yield
    finally:
        if given is None:
            del os.environ[_DISABLE]


def read_traces(prog: Program, source: str) -> list[Trace]:
    """
    Read the traces of all recorders that a kernel's memory holds, the newest first.

    :param source: what to call it
    """
    images, notes = find_images(prog)
    facts = _facts(prog, source, notes)
    traces = _build(images, facts)
    if not traces and notes:
        raise Damaged(f"{source}: {'; '.join(notes)}; no recorder was found")
    return traces


def _facts(prog: Program, source: str, notes: list[str]) -> Facts:
    facts = read_facts(prog, find_kallsyms)
    facts.source = source
    facts.kind = (
        source.split(":")[0] if source == "kcore" or source.startswith("qemu:") else "vmcore"
    )
    facts.notes.extend(notes)
    return facts


def _build(images: Iterable[Image], facts: Facts) -> list[Trace]:
    traces = []
    for image in images:
        try:
            traces.append(build_trace(image, facts))
        except Damaged as error:
            facts.notes.append(str(error))
    return traces
