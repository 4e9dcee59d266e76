"""How fast policies decide and how fast snapshots play matches, with the configured actor."""

from __future__ import annotations

import torch
from torch import Tensor

from league.execution.executor import Executor
from league.execution.training_table import EndlessSchedule
from league.games.core import Game
from league.play.fixture import Fixture, compares_same_role, fixtures, rated_posts
from league.play.table import Table
from league.policies.core import Policy
from league.records import PolicyId
from league.studies.bench.probe import Probe, Workload, now, versus


class Inference(Probe):
    """Decisions a second at one table: a policy against so many distinct opponents, balanced over the seats.

    On a CPU the game's own time is left out; elsewhere it cannot be told apart and is in.
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


class MatchPlay(Probe):
    """Games a second of a match between two snapshots, sampled, seat-balanced, every result a record."""

    unit = "games/s"

    def __init__(self, workload: Workload) -> None:
        super().__init__("matches", "two snapshots, sampled, every result recorded")
        self._workload, self._played = workload, 0
        self._executor: Executor | None = None

    def prepare(self) -> None:
        workload = self._workload
        self._policies: dict[PolicyId, Policy] = {
            _name(number, role): policy
            for number, rival in enumerate(workload.rivals(2))
            for role, policy in rival.items()
        }
        self._executor = workload.executor(())
        # Of environments there are fewer games than of native ones, which are hundreds of times faster.
        self._games = workload.effort.games if workload.native else max(workload.effort.games // 400, workload.slots)

    def warm(self) -> None:
        self._play(max(self._games // 20, 2))

    def sample(self) -> float:
        began = now(self._workload.device)
        games = self._play(self._games)
        return games / (now(self._workload.device) - began)

    def close(self) -> None:
        if self._executor is not None:
            self._executor.close()

    def _play(self, games: int) -> int:
        assert self._executor is not None
        self._played += 1
        results = self._executor.play(self._fixtures(games), self._policies, lambda done: None)
        return sum(result.games for result in results)

    def _fixtures(self, games: int) -> list[Fixture]:
        """The first snapshot against the second, by the kind of game."""
        spec, role = self._workload.spec, self._workload.spec.roles[0].name
        others: tuple[PolicyId, ...] = ()
        if compares_same_role(spec):
            others = tuple("" if post.role == role else _name(0, post.role) for post in spec.posts)
        lineup = [_name(post.side % 2, post.role) for post in rated_posts(spec, role)]
        return fixtures(spec, lineup, games, self._played, others)


def _name(number: int, role: str) -> PolicyId:
    return f"{number}/{role}"
