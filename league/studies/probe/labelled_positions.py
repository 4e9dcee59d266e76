"""Files of labelled positions: the moves that lead to each, and what every move from there brings. One JSON a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from league.errors import PositionError

_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class LabelledPosition:
    """A position of a game, with the value of each move.

    where: the file and the line that have it. moves: the actions from the start of the game, whoever took them.
    scores: by action, what it brings the seat to move: positive wins, 0 draws, negative loses; None: it is illegal.
    seed: of the episode's chance.
    """

    where: str
    moves: tuple[int, ...]
    scores: tuple[float | None, ...]
    seed: int = 0


def read_positions(path: Path) -> list[LabelledPosition]:
    """The positions of a file in order; blank lines are skipped. Raises PositionError, which names the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror or str(error)
        raise PositionError(f"{path}: {reason}: name a file of labelled positions, one JSON object a line") from error
    found = [_position(f"{path}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise PositionError(f"{path}: there is no position in it")
    return found


def _position(where: str, line: str) -> LabelledPosition:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise PositionError(f"{where}: this is not JSON: {error}") from error
    except RecursionError as error:
        raise PositionError(f"{where}: this JSON is nested too deeply") from error
    if not isinstance(value, Mapping):
        raise PositionError(f'{where}: this is no object such as {{"moves": "334", "scores": [1, -1, …]}}')
    for key in ("moves", "scores"):
        if key not in value:
            raise PositionError(f"{where}: there is no key '{key}' (there are: {', '.join(map(str, value)) or 'none'})")
    seed = value.get("seed", 0)
    if not _whole(seed) or seed >= 2**63:
        raise PositionError(f"{where}: seed must be a whole number from 0 to 2**63 - 1, not {json.dumps(seed)}")
    return LabelledPosition(where, _moves(where, value["moves"]), _scores(where, value["scores"]), seed)


def _moves(where: str, moves: object) -> tuple[int, ...]:
    """Actions, written as a list of numbers or as a string of digits, one for each."""
    if isinstance(moves, str) and set(moves) <= _DIGITS:
        return tuple(map(int, moves))
    if isinstance(moves, list) and all(_whole(move) for move in moves):
        return tuple(moves)
    shown = json.dumps(moves)[:60]
    raise PositionError(f"{where}: moves must be a string of digits or a list of action numbers, not {shown}")


def _scores(where: str, scores: object) -> tuple[float | None, ...]:
    """Finite numbers, or None where the action is illegal."""
    if not isinstance(scores, list):
        raise PositionError(f"{where}: scores must be a list with one number for each action, null where illegal")
    for action, score in enumerate(scores):
        number = isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
        if score is not None and not number:
            raise PositionError(f"{where}: the score of action {action} must be a number or null, not {score!r}")
    if all(score is None for score in scores):
        raise PositionError(f"{where}: no action has a score: at a labelled position somebody must be able to move")
    return tuple(scores)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
