# SPDX-License-Identifier: GPL-2.0-or-later
"""
Progress
--------

What is being done, told on a terminal while it lasts.
"""

from collections.abc import Callable, Iterator
import contextlib
import sys

__all__ = ("told",)


@contextlib.contextmanager
def told() -> Iterator[Callable[[str], None]]:
    """Give a function that tells what is being done now."""
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
