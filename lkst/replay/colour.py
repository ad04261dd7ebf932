# SPDX-License-Identifier: GPL-2.0-or-later
"""
Colour
------

On a terminal, an event's name has the colour of its category, and trouble is red.
"""

import os
from typing import TextIO

__all__ = ("RESET", "TROUBLE", "category_colour", "use_colour")

RESET = "\x1b[0m"
TROUBLE = "\x1b[1;31m"

_COLOURS = {
    "recorder": 35,
    "sched": 32,
    "waitqueue": 32,
    "signal": 35,
    "irq": 36,
    "softirq": 36,
    "timer": 36,
    "workqueue": 36,
    "syscall": 34,
    "ipc": 34,
    "exception": 33,
    "memory": 33,
    "lock": 33,
    "console": 1,
}


def use_colour(stream: TextIO) -> bool:
    """Check whether a stream is a terminal whose user wants colours (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def category_colour(category: str) -> str:
    """Return the escape sequence of a category's colour, or "" for none."""
    code = _COLOURS.get(category)
    return f"\x1b[{code}m" if code else ""
