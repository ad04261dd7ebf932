# SPDX-License-Identifier: GPL-2.0-or-later
"""
Threads
-------

numpy releases Python's global lock while it works on large arrays, so threads share the
memory and use all processors.
"""

from collections.abc import Callable, Sequence
import os
from typing import TypeVar

__all__ = ("in_threads",)

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function for each item, on all processors; return the results in order."""
    workers = min(len(items), os.cpu_count() or 1)
    if workers < 2:
        return [work(item) for item in items]
    # Import only if needed: the import is slow.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))
