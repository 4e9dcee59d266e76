"""Events of made-up runs, for the tests of the views."""

from __future__ import annotations

from dataclasses import dataclass

from league.events import Event, Exploited, Progress, RoundFinished, RunStarted, RunStopped, SnapshotTaken, Warned
from league.records import Rating, Snapshot, Standing

METRICS = {
    "return": 0.0213,
    "entropy": 1.234,
    "approx_kl": 0.0123,
    "clip_fraction": 0.118,
    "explained_variance": 0.456,
    "value_loss": 0.789,
}
NASTY = ["[red]x[/]", "[/]", "🦊🦊 fox", "very-long-" * 30, "a\x1b[2Jb\nc\rd", "[link=http://x]", "名前" * 20, ""]


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def snapshot(number: int, learner: str = "main", role: str = "player") -> Snapshot:
    """A trained snapshot; its id tells its number."""
    return Snapshot(
        id=f"{number:04x}" * 16,
        role=role,
        learner=learner,
        number=number,
        round=5 * number,
        steps=163840 * number,
        origin="trained",
    )


def standing(rank: int, of: Snapshot, value: float, half: float = 35.0, best: bool = False) -> Standing:
    """A line of the standings."""
    rating = Rating(value, value - half, value + half, 384)
    return Standing(
        rank=rank,
        snapshot=of,
        rating=rating,
        wins=300,
        draws=4,
        losses=80,
        score=0.786,
        field=Rating(value / 1000 + 0.436, value / 1000 + 0.416, value / 1000 + 0.456, 384),
        trend=None if rank == 1 else 0.012,
        best=best,
    )


def standings(count: int = 12, learner: str = "main", role: str = "player") -> tuple[Standing, ...]:
    """So many snapshots, the second of them best, and the anchor below them."""
    lines = [standing(i + 1, snapshot(count - i, learner, role), 412.0 - 30 * i, best=i == 1) for i in range(count)]
    anchor = Snapshot(id="random", role=role, learner="", number=0, round=0, steps=0, origin="anchor")
    return (*lines, standing(count + 1, anchor, 0.0))


def started(learners: tuple[str, ...] = ("main",), **other: object) -> RunStarted:
    """A run of 100 rounds begins."""
    facts: dict[str, object] = {
        "folder": "runs/connect_four",
        "game": "connect_four",
        "matchmaking": "fictitious",
        "learners": learners,
        "resumed": False,
        "round": 0,
        "steps": 0,
        "rounds_budget": 100,
    }
    return RunStarted(**(facts | other))  # type: ignore[arg-type]


def finished(number: int = 12, names: tuple[str, ...] = ("main",), **other: object) -> RoundFinished:
    """A round of 2 seconds ends."""
    facts: dict[str, object] = {
        "round": number,
        "steps": 32768 * number,
        "seconds": 2.0,
        "steps_per_second": 16384.0,
        "phases": {"games": 0.5, "inference": 0.4, "update": 0.9, "rated matches": 0.1},
        "metrics": dict.fromkeys(names, METRICS),
        "standings": {"player": standings()},
        "matches": 42,
        "games": 2688,
        "remaining": 100.0,
    }
    return RoundFinished(**(facts | other))  # type: ignore[arg-type]


def scenarios() -> dict[str, list[Event]]:
    """Runs in all the states that a screen must show, by name."""
    pbt = tuple(f"main-{i}" for i in range(12))
    roles = ("adversary", "agent")
    exploit = Exploited(12, "main-3", "main-1", {"entropy": 0.01, "clip": 0.2}, {"entropy": 0.0125, "clip": 0.2})
    warning = Warned(12, "this run was made with torch 2.12 and goes on with torch 2.13. " * 5)
    weird = float("nan"), float("inf")
    return {
        "nothing": [],
        "begun": [started()],
        "first round": [started(), Progress(1, "training", 0.3)],
        "no budget": [started(rounds_budget=None), Progress(1, "training", 0.3)],
        "resumed": [started(resumed=True, round=7, steps=999_999), Progress(8, "rated matches", 0.9)],
        "going": [started(), SnapshotTaken(10, snapshot(2)), warning, finished(), Progress(13, "training", 0.5)],
        "over": [started(), finished(), RunStopped(12, 393216, 24.0, "interrupt")],
        "pbt": [started(pbt), exploit, *(SnapshotTaken(12, snapshot(1, name)) for name in pbt), finished(names=pbt)],
        "roles": [
            started(roles),
            finished(names=roles, standings={role: standings(4, role, role) for role in roles}),
        ],
        "one side": [started(one_sided=True), finished(standings={"agent": standings(4)})],
        "nasty names": [
            started(tuple(NASTY)),
            *(SnapshotTaken(3, snapshot(3, name, name)) for name in NASTY),
            *(Warned(3, name) for name in NASTY),
            Progress(3, NASTY[0], 0.5),
            finished(
                names=tuple(NASTY),
                standings={name: standings(3, name, name) for name in NASTY},
                phases=dict.fromkeys(NASTY, 1.0),
            ),
            RunStopped(3, 5, 6.0, NASTY[4]),
        ],
        "weird numbers": [
            started(),
            finished(
                metrics={"main": dict.fromkeys(METRICS, weird[0]), "b": dict.fromkeys(METRICS, weird[1]), "c": {}},
                standings={"player": (standing(1, snapshot(1), -1e9, weird[1]), standing(2, snapshot(2), *weird))},
                phases={"games": 0.0},
                remaining=weird[1],
            ),
        ],
    }
