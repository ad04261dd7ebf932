# SPDX-License-Identifier: GPL-2.0-or-later
"""
Progress
--------

A status line on the terminal while a slow step runs.
"""

from collections.abc import Callable, Iterator
import contextlib
import sys

__all__ = ("show_progress",)


@contextlib.contextmanager
def show_progress() -> Iterator[Callable[[str], None]]:
    """Yield a function that sets the status line, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        yield lambda text: None
        return
    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(Text(text))
