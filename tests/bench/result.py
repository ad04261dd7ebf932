# SPDX-License-Identifier: GPL-2.0-or-later
"""One line of the table."""

from dataclasses import dataclass
import statistics

__all__ = ("Result",)


@dataclass(frozen=True)
class Result:
    """Something that was measured several times, in turns with what it is compared to."""

    name: str
    values: list[float]
    unit: str
    #: What is to be reached: at most this much, or at least if ``more``.
    target: float | None = None
    more: bool = False
    #: What it is compared to: its name, and its values in the same unit, round by round.
    against: str = ""
    others: list[float] | None = None
    #: Why it could not be measured here; then there are no values.
    why: str = ""

    @property
    def value(self) -> float | None:
        """The figure to quote, in ``unit``; None: it could not be measured."""
        return statistics.median(self.values) if self.values else None

    @property
    def ratio(self) -> float | None:
        """How much of the other's value it is: the median of all rounds."""
        ratios = self._ratios()
        return statistics.median(ratios) if ratios else None

    @property
    def reached(self) -> bool | None:
        """Whether the ratio, or without one the value, is what it is to be; None: no matter."""
        got = self.value if self.ratio is None else self.ratio
        if self.target is None or got is None:
            return None
        return got >= self.target if self.more else got <= self.target

    def _ratios(self) -> list[float]:
        pairs = zip(self.values, self.others or (), strict=False)
        return [ours / theirs for ours, theirs in pairs if theirs]

    def row(self) -> tuple[str, ...]:
        """Give the cells of its line."""
        ratios = self._ratios()
        return (
            self.name,
            self.why or _figures(self.values, self.unit),
            self.against,
            _figures(self.others, self.unit) if self.others else "",
            _figures(ratios, "x") if ratios else "",
            f"{'>=' if self.more else '<='} {self.target:,g}" if self.target is not None else "",
            {True: "reached", False: "NOT REACHED", None: ""}[self.reached],
        )

    def raw(self) -> dict[str, object]:
        """Give all of it for programs."""
        return {
            "name": self.name,
            "value": self.value,
            "why": self.why or None,
            "unit": self.unit,
            "against": self.against or None,
            "ratio": self.ratio,
            "target": self.target,
            "at_least": self.more,
            "reached": self.reached,
            "values": self.values,
            "others": self.others,
        }


def _figures(values: list[float], unit: str) -> str:
    """Write the median and the range."""
    return f"{statistics.median(values):,.2f} {unit} [{min(values):,.2f}..{max(values):,.2f}]"
