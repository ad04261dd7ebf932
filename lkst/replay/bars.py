# SPDX-License-Identifier: GPL-2.0-or-later
"""
Bars
----

Distributions as bars of characters.
"""

from collections.abc import Sequence

__all__ = ("STEPS", "amount", "bars", "bucket_text")

_BAR = 40

#: Unit -> next larger units for display.
STEPS = {
    "ns": ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns")),
    "": (
        (1 << 60, "E"),
        (1 << 50, "P"),
        (1 << 40, "T"),
        (1 << 30, "G"),
        (1 << 20, "M"),
        (1 << 10, "K"),
        (1, ""),
    ),
}


def bars(texts: Sequence[str], values: Sequence[float], shown: Sequence[str] | None = None) -> str:
    """
    Draw a bar for each value (0 or more); every line ends with a newline.

    :param texts: labels before the bars
    :param shown: the values as text; None: as numbers
    """
    shown = [str(value) for value in values] if shown is None else shown
    most = max(values, default=0)
    width = max(map(len, texts), default=0)
    digits = max(map(len, shown), default=0)
    lines = []
    for text, value, number in zip(texts, values, shown, strict=True):
        bar = "@" * round(_BAR * value / most) if most else ""
        lines.append(f"  {text:<{width}}  {number:>{digits}} |{bar:<{_BAR}}|\n")
    return "".join(lines)


def bucket_text(low: int | None, high: int | None, unit: str) -> str:
    """Format the bounds of a bucket; without a lower bound it holds values of 0 or less."""
    if low is None:
        return "0 or less"
    return f"[{amount(low, unit)}, {'...' if high is None else amount(high, unit)})"


def amount(value: float, unit: str) -> str:
    """Format a value with a suitable unit: 1500 ns as 1.5us."""
    steps = STEPS.get(unit, STEPS[""])
    size, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    scaled = value / size
    text = f"{scaled:.0f}" if scaled == int(scaled) or abs(scaled) >= 100 else f"{scaled:.3g}"
    return text + name
