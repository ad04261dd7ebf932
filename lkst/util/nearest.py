# SPDX-License-Identifier: GPL-2.0-or-later
"""
Nearest words
-------------

Suggestions for messages about an unknown name.
"""

from collections.abc import Iterable
import difflib

__all__ = ("nearest",)

# difflib looks at all of so many words in a moment; of more, at those that begin alike.
_MANY = 4096
_ALIKE = 3


def nearest(word: str, words: Iterable[str]) -> str:
    """
    Suggest the nearest words, ignoring case.

    :return: ``: did you mean sched_switch, sched_waking?``, or "" if none is near
    """
    names = {name.lower(): name for name in words}
    if len(names) > _MANY:
        start = word.lower()[:_ALIKE]
        names = {lower: name for lower, name in names.items() if lower.startswith(start)}
    near = difflib.get_close_matches(word.lower(), names, cutoff=0.5)
    return f": did you mean {', '.join(names[name] for name in near)}?" if near else ""
