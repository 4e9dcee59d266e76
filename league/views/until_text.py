"""How `league rate --until` ended, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from league.rating.standings import FIELD
from league.views.text import clean, count, number, places

if TYPE_CHECKING:
    from league.studies.rate.until import Ended, Wide

_NAMED = 5
"""The most policies that are named."""


def until_lines(ended: Ended) -> list[str]:
    """One sentence a line: whether the target is reached, and who is wider still."""
    half, wide = ended.target.half, ended.wide
    what = f"±{half:g}" + ("" if ended.target.by == FIELD else " points")
    begin = f"{ended.games:,} games were played. "
    if not wide:
        lines = ["", f"{begin}{'Every other' if ended.absent else 'Every'} interval is {what} or narrower."]
    else:
        lines = ["", f"{begin}Wider than {what}: {_named(wide, half)}.", _why(ended)]
    if ended.absent:
        named = _named(ended.absent, half)
        lines.append(f"Did not play, and wider: {named}. A guest plays if it is named by --guest.")
    return lines


def _why(ended: Ended) -> str:
    """Why some intervals are wider than was asked."""
    if ended.out_of_reach:
        return (
            f"Each of them would need more games than the limit of {ended.limit:,} (--games); a policy that wins or "
            "loses nearly every game tells little by one more."
        )
    needed = sum(one.needed for one in ended.wide)
    return f"The limit of {ended.limit:,} games ended it; about {count(needed)} more are needed (--games)."


def _named(wide: Sequence[Wide], target: float) -> str:
    """The widest by name, with half of their intervals."""
    digits = max(places([one.half for one in wide]), places([target]))
    names = [f"{clean(one.snapshot.name)} ±{number(one.half, digits)}" for one in wide[:_NAMED]]
    return ", ".join(names + ([f"and {len(wide) - _NAMED} more"] if len(wide) > _NAMED else []))
