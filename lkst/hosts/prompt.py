# SPDX-License-Identifier: GPL-2.0-or-later
"""
drgn on a host's memory
-----------------------

drgn's prompt and scripts on the program of another host.
"""

from collections.abc import Sequence
import contextlib
from pathlib import Path
import pkgutil
import runpy
import sys

import drgn
from drgn import MissingDebugInfoError
from drgn.cli import run_interactive, version_header

from lkst.errors import NotFound
from lkst.source.host import HOST, Host

__all__ = ("run_drgn",)


def run_drgn(host: Host, words: Sequence[str], namelist: str) -> int:
    """
    Start drgn, or run a script as ``drgn SCRIPT ARGUMENT ...`` does.

    :param words: path of the script and its arguments; empty for the prompt
    :param namelist: path of a file with the kernel's debug info
    :return: exit status
    :raises NotFound: if no such script
    """
    prog = host.program
    prog.cache[HOST] = host
    if words and not Path(words[0]).is_file():
        raise NotFound(f"{words[0]}: no such script")
    # The types of BTF are always available.
    with contextlib.suppress(MissingDebugInfoError, OSError):
        prog.load_debug_info([namelist] if namelist else [], main=True)
    if not words:
        print(version_header(), file=sys.stderr)
        run_interactive(prog)
        return 0
    drgn.set_default_prog(prog)
    sys.argv[:] = words
    if pkgutil.get_importer(words[0]) is None:
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
    try:
        runpy.run_path(words[0], init_globals={"prog": prog}, run_name="__main__")
    except SystemExit as end:
        return _exit_status(end)
    return 0


def _exit_status(end: SystemExit) -> int:
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return 1
