"""Scripted policies: uniformly random legal play (the zero of all ratings), a one-ply bot, and tree search by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from league.errors import PolicyError
from league.games.actions import ActionSpace, Discrete
from league.games.core import Acting, Game, GameSpec
from league.policies import mcts, openspiel
from league.policies.core import Policy, Rows
from league.policies.distributions import random_play
from league.policies.names import ONE_PLY, RANDOM, simulations


@dataclass(frozen=True, slots=True)
class Random:
    """Every legal action with equal probability; in a box, the uniform distribution."""

    role: str
    actions: ActionSpace

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]`; see `Policy.logits`."""
        return random_play(self.actions, len(rows.seat), rows.seat.device)


@dataclass(frozen=True, slots=True)
class OnePly:
    """Wins if it can, else blocks an immediate win, else plays at random. For two seats that take turns."""

    role: str
    actions: int
    looks_ahead: ClassVar[bool] = True
    """It needs a game that can be forked."""

    def logits(self, rows: Rows) -> Tensor:
        """`[N, A]`: 0 for the moves that it plays, all equally likely, and far below for the rest."""
        if rows.fork is None:
            raise PolicyError("one-ply looks ahead: it needs a game whose state can be copied (native board games)")
        count, actions = len(rows.seat), self.actions
        legal = rows.mask
        if legal is None:
            legal = torch.ones((count, actions), dtype=torch.bool, device=rows.seat.device)
        game = rows.fork()
        every = torch.arange(count, device=rows.seat.device)
        # wins[n, a]: playing a ends the game in the mover's favour. answers[n, a, r]: the other wins by r after a.
        after = game.fork(every.repeat_interleave(actions))
        wins, over = self._wins(after, torch.arange(actions, device=every.device).repeat(count), rows.seat, legal)
        pairs = torch.arange(count * actions, device=every.device).repeat_interleave(actions)
        replies = torch.arange(actions, device=every.device).repeat(count * actions)
        other = 1 - rows.seat.repeat_interleave(actions)
        acting = _look(after)
        can = acting.mask[:, 0] if acting.mask is not None else torch.ones_like(over)[:, None].expand(-1, actions)
        can = can & (legal.reshape(-1) & ~over)[:, None]
        answers, _ = self._wins(after.fork(pairs), replies, other, can)
        answers = answers.view(count, actions, actions)
        # An action is a threat if the opponent could win by it after some other move; other moves create no threats.
        elsewhere = ~torch.eye(actions, dtype=torch.bool, device=every.device)
        threats = (answers & elsewhere).any(1) & legal
        chosen = torch.where(threats.any(1, keepdim=True), threats, legal)
        chosen = torch.where(wins.any(1, keepdim=True), wins, chosen)
        return torch.where(chosen, 0.0, -1e9)

    def _wins(self, game: Game, action: Tensor, seat: Tensor, legal: Tensor) -> tuple[Tensor, Tensor]:
        """Step a forked game; `[N, A]` whether the mover won by a legal move, and `[N*A]` whether it ended."""
        playable = legal.reshape(-1)
        acting = _look(game)
        fallback = acting.mask[:, 0].to(torch.uint8).argmax(1) if acting.mask is not None else torch.zeros_like(action)
        turn = game.step({self.role: torch.where(playable, action, fallback)[:, None]}, torch.zeros_like(action))
        mine = turn.score.gather(1, seat.repeat_interleave(self.actions)[:, None])[:, 0]
        return (turn.ended & (mine > 0) & playable).view(-1, self.actions), turn.ended


def _look(game: Game) -> Acting:
    """Who acts in a forked game: a one-ply game has a single role with one acting seat."""
    (acting,) = game.load(game.save()).acts.values()
    return acting


def make_scripted(text: str, role: str, game: GameSpec) -> Policy:
    """The scripted policy called `text` for a role. Raises PolicyError where the game does not suit it."""
    actions = game.role(role).actions
    if text == RANDOM:
        return Random(role, actions)
    if text == ONE_PLY:
        board = len(game.roles) == 1 and game.roles[0].acting == 1 and game.outcome == "placements"
        if not board or len(game.seats) != 2 or not isinstance(actions, Discrete):
            raise PolicyError(f"one-ply plays board games of two seats that take turns, not {game.id}")
        return OnePly(role, actions.n)
    count, of_spiel = simulations(text), openspiel.is_spiel(game)
    if reason := (openspiel if of_spiel else mcts).why_not(game):
        raise PolicyError(f"{text} plays games of perfect information whose seats take turns, not {game.id}: {reason}")
    if of_spiel:
        return openspiel.SpielMCTS(role, actions.width, count)
    return mcts.MCTS(role, actions.width, count, game.score_range or (-1.0, 1.0))
