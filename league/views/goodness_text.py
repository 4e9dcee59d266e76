"""How well ratings predict, in plain sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from league.rating.prediction.goodness import GoodnessOfFit

_SATURATED = 0.97
"""Scores are said to saturate if nobody is predicted to reach more against another snapshot."""

_MISLEADS = 1.5
"""One number per policy is said to mislead if its error exceeds the model's by this factor."""


def goodness_lines(found: GoodnessOfFit | None) -> list[str]:
    """The error of predicted scores, their reliability, and what one number cannot say."""
    if found is None:
        return ["Too few pairs have met to hold some out and say how well the ratings predict."]
    lines = [
        f"Predicted scores of pairs that never met are off by {found.error:.3f} on average "
        f"({found.pairs} pairs held out, {found.games:,} games)."
    ]
    if found.bins:
        seen = ", ".join(f"{one.predicted:.2f}: {one.seen:.2f}" for one in found.bins)
        lines.append(f"Predicted for the favourite, and seen: {seen}.")
    if found.one_number is not None and found.one_number > _MISLEADS * found.error:
        lines.append(
            f"One number per policy misleads here: its predictions would be off by {found.one_number:.3f}. Compare two "
            "policies: `league predict POLICY POLICY`."
        )
        if found.highest is not None and found.highest < _SATURATED:
            lines.append(
                f"Scores saturate: nobody is predicted to score more than {found.highest:.2f} against another "
                "snapshot, so wins over the latest do not add up."
            )
    return lines
