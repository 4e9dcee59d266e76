"""Numbers and names as readable text: short, aligned, and safe to print on a terminal."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from rich.cells import cell_len

MISSING = "–"
"""Shown in place of an unknown number."""

DOWNGRADE = "league.downgrade"
"""The error handler of encoders that gives what an encoding lacks a likeness in ASCII, else a question mark."""

_ALIKE = {
    **dict(zip("…→←↑↓×·–−─━│├└┌┐┘★▁▂▃▄▅▆▇█▲▼►◄›", ".><^vx.---=|+++++*_.:-=+*#^v><>", strict=True)),
    **{"±": "+-", "≥": ">=", "≤": "<=", "∞": "inf", "²": "^2", "√": "sqrt"},
}
"""What stands for a character. One cell stands for one cell where that can be, so that tables stay aligned."""

_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 16
"""The most columns of a curve."""


def clean(name: str) -> str:
    """An untrusted name as one line of printable text: control characters become dots, line breaks become spaces."""
    return "".join(letter if letter.isprintable() else " " if letter in "\n\t" else "·" for letter in name)


def _downgraded(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_ALIKE.get(one) or "?" * max(cell_len(one), 1) for one in lacking), error.end


codecs.register_error(DOWNGRADE, _downgraded)


def duration(seconds: float) -> str:
    """A duration in at most two units: `42s`, `1m40s`, `2h05m`, `3d04h`; `–` if it is not finite."""
    if not math.isfinite(seconds):
        return MISSING
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def count(n: float) -> str:
    """A count in about five characters: `999`, `1.2k`, `393k`, `1.2M`; `–` if it is not finite."""
    if not math.isfinite(n):
        return MISSING
    size, units = abs(n), ["", "k", "M", "G", "T"]
    if size < 999.5:
        return f"{n:.0f}"
    while size >= 999.5 and len(units) > 1:
        size, units = size / 1000, units[1:]
    sign = "-" if n < 0 else ""
    return f"{sign}{size:.1f}{units[0]}" if size < 99.95 else f"{sign}{size:.0f}{units[0]}"


def places(values: Iterable[float]) -> int:
    """The decimals, 0 to 4, that give the largest finite value three significant digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 2 if largest == 0 else min(max(2 - math.floor(math.log10(largest)), 0), 4)


def number(value: float | None, digits: int, signed: bool = False) -> str:
    """A number with `digits` decimals; `–` for None, `nan` and `∞` as such, `1.2e+07` for large values."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "nan"
    sign = "+" if signed else ""
    if math.isinf(value):
        return f"{sign if value > 0 else '-'}∞"
    text = f"{value:{sign}.1e}" if abs(value) >= 1e6 else f"{value:{sign}.{digits}f}"
    # Drop the sign of a value that rounds to zero: not -0.00.
    return text.replace("-", sign, 1) if float(text) == 0 else text


def half_width(low: float, high: float) -> float:
    """Half the width of an interval; infinite if one end is."""
    return (high - low) / 2 if math.isfinite(high - low) else math.inf


def interval_digits(value: float, half: float) -> int:
    """The decimals that give half an interval two significant digits; without an interval, as `places`."""
    known = math.isfinite(half) and half > 0
    return max(places([half]) - 1, 0) if known else places([value])


def interval(value: float, low: float, high: float, digits: int | None = None, signed: bool = False) -> str:
    """A value and half of its interval: `+412 ±35`. digits: decimals; None: as in `interval_digits`."""
    half = half_width(low, high)
    if digits is None:
        digits = interval_digits(value, half)
    return f"{number(value, digits, signed)} ±{number(half, digits)}"


def shortened(text: str, room: int = 12) -> str:
    """The text, cut off with an ellipsis if it is longer than `room` characters."""
    return text if len(text) <= room else f"{text[: room - 1]}…"


def aligned(texts: Sequence[str]) -> list[str]:
    """The texts padded on the left to equal length."""
    room = max(map(len, texts), default=0)
    return [text.rjust(room) for text in texts]


def sparkline(values: Sequence[float | None], least: float | None = None) -> str:
    """A curve of at most `_POINTS` bars on one line. Each bar is the mean of some values; a blank means no value.

    least: the value of the lowest bar; by default that of the lowest point.
    """
    width = min(len(values), _POINTS)
    edges = [round(place * len(values) / width) for place in range(width + 1)] if width else []
    points = [average(values[begin:end]) for begin, end in pairwise(edges)]
    known = [point for point in points if point is not None]
    low, high = min(known, default=0.0) if least is None else least, max(known, default=0.0)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(" " if point is None else _BARS[round((point - low) * scale)] for point in points)


def average(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
