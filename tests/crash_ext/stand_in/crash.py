# SPDX-License-Identifier: GPL-2.0-or-later
"""
What PyKdump calls ``crash``, as far as lkst_pykdump.py needs it, on a real dump.

It reads $DUMP by drgn.
"""

import os

from drgn import FaultError, Program

from drgn_plugins.lkst_btf import attach_btf, find_kallsyms

KVADDR, PHYSADDR = 1, 4
error = FaultError
registered: list[str] = []

_prog = Program()
_prog.set_core_dump(os.environ["DUMP"])
attach_btf(_prog)


def readmem(address: int, size: int, kind: int = KVADDR) -> bytes:
    """Read memory."""
    if not address:
        raise IndexError("null pointer")
    data: bytes = _prog.read(address, size, kind == PHYSADDR)
    return data


def sym2addr(name: str) -> int:
    """Find a symbol."""
    found = find_kallsyms(_prog, name, None, True)
    return found[0].address if found else 0


def exec_crash_command(command: str) -> str:
    """Run ``sys``."""
    assert command == "sys"
    dump = os.environ["DUMP"]
    return (
        f"      KERNEL: vmlinux  [TAINTED]\n    DUMPFILE: {dump}\n     MACHINE: x86_64  (1 Mhz)\n"
    )


def register_epython_prog(name: str, short: str, synopsis: str, help_: str) -> bool:
    """Take a command."""
    registered.append(name)
    return True
