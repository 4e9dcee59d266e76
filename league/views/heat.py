"""The colours of a heat map: a background for a value from 0 to 1 on which black text can be read."""

from __future__ import annotations

_LOW, _MIDDLE, _HIGH = (239, 138, 98), (247, 247, 247), (103, 169, 207)
"""ColorBrewer's diverging scheme RdBu with three classes (Harrower and Brewer 2003), which colour-blind people can tell
apart: red is low, blue is high. The schemes with more classes end in colours that are too dark for text."""

COLOURS = ("256", "truecolor")
"""The colour systems of rich that have enough colours. With 16, text and background could become alike."""


def heat_style(place: float) -> str:
    """The style of a cell at `place` in [0, 1], linear between two of the colours."""
    share = min(max(2.0 * place - 1.0, -1.0), 1.0)
    end = _LOW if share < 0 else _HIGH
    red, green, blue = (round(a + abs(share) * (b - a)) for a, b in zip(_MIDDLE, end, strict=True))
    return f"#000000 on #{red:02x}{green:02x}{blue:02x}"
