"""Inference: how many decisions a second the configured actor makes, against one opponent or many."""

from __future__ import annotations

import torch
from torch import Tensor

from league.execution.training_table import EndlessSchedule
from league.games.core import Game
from league.play.table import Table
from league.policies.core import Policy
from league.records import PolicyId
from league.studies.bench.probe import Probe, Workload, now, versus


class InferenceProbe(Probe):
    """Decisions per second at one table: a policy against distinct opponents, balanced over the seats.

    On a CPU the game's own time is subtracted; on other devices it cannot be separated and is included.
    """

    unit = "decisions/s"

    def __init__(self, workload: Workload, opponents: int) -> None:
        rivals = f"{opponents} distinct opponents" if opponents > 1 else "one opponent"
        super().__init__(f"inference.{opponents}", f"against {rivals}")
        self._workload, self._opponents = workload, opponents
        self._game: Game | None = None

    def prepare(self) -> None:
        workload = self._workload
        spec, game = workload.spec, workload.game(workload.slots)
        self._game = game
        policies: list[Policy] = []
        names: list[dict[str, PolicyId]] = []
        for rival in workload.rivals(self._opponents + 1):
            names.append({role: str(len(policies) + index) for index, role in enumerate(rival)})
            policies += rival.values()
        alike = versus(spec, names[0], names[1:])
        rows = [[int(name) for name in alike[slot % len(alike)]] for slot in range(game.slots)]
        lineup = torch.tensor(rows, device=game.device)
        seats = torch.tensor([len(post.seats) for post in spec.posts]).repeat(len(lineup))
        places = torch.bincount(lineup.flatten().cpu(), seats, len(policies)).int().tolist()
        self._table = Table(game, policies, EndlessSchedule(lineup, workload.config.seed), places=places)
        self._table.start()

    def sample(self) -> float:
        table, device = self._table, self._workload.device
        decided: list[Tensor] = []
        games, began, took = table.games_seconds, now(device), 0.0
        while took < self._workload.effort.seconds / 2:
            for _ in range(8):
                move = table.advance()
                decided += [acting.present.sum() for acting in move.acts.values()]
            took = now(device) - began
        if device.type == "cpu":
            took -= table.games_seconds - games
        return float(torch.stack(decided).sum()) / took

    def close(self) -> None:
        if self._game is not None:
            self._game.close()
