# SPDX-License-Identifier: GPL-2.0-or-later
"""One line of the table."""

from dataclasses import dataclass
import statistics


@dataclass(frozen=True)
class Result:
    """Something that was measured several times."""

    name: str
    values: list[float]
    unit: str
    #: What is to be reached: at most this much, or at least if ``more``.
    target: float | None = None
    more: bool = False

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.values)

    @property
    def text(self) -> str:
        """The figure with its unit."""
        return f"{self.median:,.2f} {self.unit}"

    def row(self) -> tuple[str, str, str, str, str]:
        """Give the cells of its line."""
        target, verdict = "", ""
        if self.target is not None:
            target = f"{'>=' if self.more else '<='} {self.target:,.2f}"
            good = self.median >= self.target if self.more else self.median <= self.target
            verdict = "reached" if good else "NOT REACHED"
        spread = f"{min(self.values):,.2f} .. {max(self.values):,.2f}"
        return self.name, self.text, spread, target, verdict
