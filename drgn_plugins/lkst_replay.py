# SPDX-License-Identifier: GPL-2.0-or-later
"""
LKST in drgn
------------

The commands of lkst, on the program that drgn has open:

* ``drgn -c vmcore lkst_replay.py --last 100`` prints the replay and exits;
* ``drgn -c vmcore -s lkst_replay.py`` does so as well where lkst is installed;
* ``%lkst replay --last 100`` at drgn's prompt, ``lkst replay`` in drgn-crash,
  and ``run_command(prog, "lkst replay")`` in scripts.

The words are those of the program ``lkst``, without SOURCE.
"""

from collections.abc import Iterator, Sequence
import os
from pathlib import Path
import sys
from typing import Any

from drgn import Program, ProgramFlags
from drgn.commands import CommandNamespace, parse_shell_command
from drgn.commands.linux import linux_kernel_custom_command

_FILE = "lkst_replay.py"


def _lkst(prog: Program, words: Sequence[str]) -> int:
    """Run a command of lkst; it has told what went wrong when it gives a status."""
    from lkst.util.interrupts import deferred_interrupts

    with deferred_interrupts():
        from lkst.cli.main import run
        from lkst.source.dumped import safe_program
        from lkst.source.host import HOST, Host

    host = prog.cache.get(HOST)
    if host is None:
        name = prog.core_dump_path or "the kernel that drgn has open"
        host = prog.cache[HOST] = Host(safe_program(prog), name)
    return run(words, context=host)


def _register(**where: CommandNamespace) -> None:
    @linux_kernel_custom_command(  # type: ignore[untyped-decorator]
        name="lkst",
        description="replay the kernel's events up to the panic",
        usage="**lkst** *COMMAND* [*ARGUMENT* ...]",
        long_description="This runs a command of the Linux Kernel State Tracer: list, replay,"
        " state, measure, sql, report, counts, save, slice or events. 'lkst --help' shows them"
        " all, 'lkst replay --help' the options of one.",
        parse=parse_shell_command,
        **where,
    )
    def _cmd_lkst(prog: Program, name: str, args: Sequence[str], **kwargs: Any) -> None:
        _lkst(prog, args)


def _given_as_symbols(argv: Sequence[str]) -> bool:
    """Tell whether this file was given to drgn as one of symbols."""
    if not Path(argv[0]).name.startswith("drgn"):
        return False
    values: Iterator[str] = iter(argv[1:])
    for word in values:
        if word in ("-s", "--symbols"):
            word = next(values, "")
        elif word.startswith("--symbols="):
            word = word.removeprefix("--symbols=")
        elif word.startswith("-s"):
            word = word.removeprefix("-s")
        else:
            continue
        if Path(word).name == _FILE:
            return True
    return False


def drgn_prog_set(prog: Program) -> None:
    """Print the replay and exit if drgn was called with ``-s lkst_replay.py``."""
    if not prog.flags & ProgramFlags.IS_LINUX_KERNEL or not _given_as_symbols(sys.argv):
        return
    # Reading makes programs of its own, which are not to start it over.
    sys.argv[1:] = []
    status = _lkst(prog, ["replay"])
    # drgn would go on after an exception, even this one.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    # The checkout that this file is in, unless lkst is installed.
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    sys.exit(_lkst(globals()["prog"], ["replay", *sys.argv[1:]]))

_register()
try:
    from drgn.commands._crash.common import CRASH_COMMAND_NAMESPACE
except ImportError:
    pass  # It is private to drgn, and may go.
else:
    _register(namespace=CRASH_COMMAND_NAMESPACE)
