# SPDX-License-Identifier: GPL-2.0-or-later
"""
Units
-----

Parse and format sizes, durations and rates.
"""

from dataclasses import dataclass
from fractions import Fraction
import re

from lkst.errors import Usage

__all__ = ("Rate", "format_duration", "format_rate", "parse_duration", "parse_rate", "parse_size")

#: In ns, the longest first.
_UNITS = {
    "h": 3600 * 10**9,
    "min": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}
_DURATION = re.compile(rf"([0-9]{{1,19}}(?:\.[0-9]{{1,19}})?)\s*({'|'.join(_UNITS)})")
_RATE = re.compile(r"([0-9]{1,9})\s*/\s*(h|min|s)")

_SUFFIXES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

#: The recorder uses signed 64-bit numbers.
_MOST = (1 << 63) - 1


@dataclass(frozen=True)
class Rate:
    """So many times at most in so long."""

    count: int
    #: In ns.
    period: int


def parse_duration(text: str, least: int = 0) -> int:
    """
    Read a time such as ``5s``, ``1.5ms``, ``10 min``.

    :param least: minimum, in ns
    :return: ns
    :raises Usage: if it is none, or no whole number of ns
    """
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise Usage(f"{text!r} is not a duration: use 5s, 1.5ms, 20us, 3ns, 10min or 1h")
    time = Fraction(match[1]) * _UNITS[match[2]]
    if time.denominator != 1:
        raise Usage(f"{text!r} is not a whole number of ns")
    if time > _MOST:
        raise Usage(f"{text!r} is too long")
    if time < least:
        raise Usage(f"{text!r} is too short: at least {format_duration(least)}")
    return int(time)


def format_duration(time: int) -> str:
    """
    Format a time in the largest unit that leaves no fraction.

    :param time: ns
    """
    unit = next((unit for unit, ns in _UNITS.items() if time and time % ns == 0), "s")
    return f"{time // _UNITS[unit]}{unit}"


def parse_rate(text: str) -> Rate:
    """
    Read a rate such as ``10/s``, ``5/min``, ``1/h``.

    :raises Usage: if it is not a number, or 0
    """
    match = _RATE.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise Usage(f"{text!r} is not a rate: use 10/s, 5/min or 1/h")
    return Rate(int(match[1]), _UNITS[match[2]])


def format_rate(rate: Rate) -> str:
    """Write a rate as :func:`parse_rate` reads it."""
    return f"{rate.count}/{format_duration(rate.period).removeprefix('1')}"


def parse_size(text: str) -> int:
    """
    Read a size such as ``512K`` or ``1M``.

    :return: bytes
    :raises Usage: if it is not valid
    """
    match = re.fullmatch(r"(\d+)([KMG]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise Usage(f"{text!r} is not a size: use 512K, 1M, 1G")
    return int(match[1]) * _SUFFIXES[match[2].upper()]
