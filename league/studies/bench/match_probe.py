"""Rated matches: how many games per second two snapshots of the configured actor play."""

from __future__ import annotations

from league.execution.executor import Executor
from league.play.fixture import Fixture, compares_same_role, fixtures, rated_posts
from league.policies.core import Policy
from league.records import PolicyId
from league.studies.bench.probe import Probe, Workload, now


class MatchProbe(Probe):
    """Games per second of a seat-balanced match between two snapshots, with sampled moves and recorded results."""

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
        # Environments play fewer games: native games are hundreds of times faster.
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
        """The first snapshot against the second, seated as the game requires."""
        spec, role = self._workload.spec, self._workload.spec.roles[0].name
        others: tuple[PolicyId, ...] = ()
        if compares_same_role(spec):
            others = tuple("" if post.role == role else _name(0, post.role) for post in spec.posts)
        lineup = [_name(post.side % 2, post.role) for post in rated_posts(spec, role)]
        return fixtures(spec, lineup, games, self._played, others)


def _name(number: int, role: str) -> PolicyId:
    return f"{number}/{role}"
