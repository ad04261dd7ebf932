# SPDX-License-Identifier: GPL-2.0-or-later
"""
Lists
-----

Parse comma-separated names, pids and CPUs.
"""

import re

from lkst.errors import Usage

__all__ = ("MAX_PID", "parse_cpus", "parse_pids", "split_list")

MAX_PID = 1 << 22  # PID_MAX_LIMIT; there are fewer CPUs


def split_list(text: str, what: str) -> list[str]:
    """
    Split a list at its commas.

    :param what: the parts are, for the user
    :raises Usage: if a part is missing
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise Usage(f"a {what} is missing in {text!r}")
    return parts


def parse_cpus(text: str, most: int = MAX_PID) -> frozenset[int]:
    """
    Read ``0,2-3``.

    :param most: the highest number that there can be
    :raises Usage: if it is not a list of numbers and ranges
    """
    cpus: set[int] = set()
    for part in split_list(text, "CPU"):
        match = re.fullmatch(r"([0-9]{1,7})(?:-([0-9]{1,7}))?", part)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high or high > most:
            raise Usage(f"{part!r} is not a CPU or a range of CPUs: use 0,2-3")
        cpus.update(range(low, high + 1))
    return frozenset(cpus)


def parse_pids(text: str) -> frozenset[int]:
    """
    Read ``12,34``.

    :raises Usage: if it is not a list of pids
    """
    pids = set()
    for part in split_list(text, "pid"):
        if not re.fullmatch(r"[0-9]{1,7}", part) or int(part) > MAX_PID:
            raise Usage(f"{part!r} is not a pid: use 12,34")
        pids.add(int(part))
    return frozenset(pids)
