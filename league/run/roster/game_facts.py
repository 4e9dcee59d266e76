"""What standings must know about a run's game, stored with the run so that readers need not build the game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from league.errors import GameError
from league.games.names import current_id

if TYPE_CHECKING:
    from league.games.core import GameSpec
    from league.storage.store import Store

GAME_FACT = "game"
"""The key of a run's fact that stores its `GameFacts`."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place that standings show scores for: a seat, or a side if only placements count.

    index: of the seat or side in the game. roles: those that sit there.
    """

    name: str
    index: int
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GameFacts:
    """What standings must know about a game. scored: as in `GameSpec.scored`.

    places: seats if the game is scored, else sides; empty in runs of older versions.
    """

    id: str
    roles: tuple[str, ...]
    one_sided: bool
    scored: bool = False
    places: tuple[Place, ...] = ()

    @staticmethod
    def of(spec: GameSpec) -> GameFacts:
        """The facts of a game."""
        groups = [(seat,) for seat in range(len(spec.seats))] if spec.scored else spec.sides
        places = tuple(
            Place(
                " ".join(spec.seats[seat] for seat in seats),
                index,
                tuple(role.name for role in spec.roles if set(role.seats) & set(seats)),
            )
            for index, seats in enumerate(groups)
        )
        return GameFacts(spec.id, tuple(role.name for role in spec.roles), len(spec.sides) == 1, spec.scored, places)

    @staticmethod
    def restore(kept: Mapping[str, Any]) -> GameFacts:
        """The facts as stored with a run (as `asdict` gave them)."""
        places = (Place(one["name"], one["index"], tuple(one["roles"])) for one in kept.get("places", ()))
        roles = tuple(kept["roles"])
        return GameFacts(current_id(kept["id"]), roles, kept["one_sided"], kept.get("scored", False), tuple(places))

    def role(self, name: str | None) -> str:
        """The role called `name`; None is the only role. Raises GameError."""
        if name is None and len(self.roles) > 1:
            raise GameError(f"{self.id} has several roles; name one: {', '.join(self.roles)}")
        if name is not None and name not in self.roles:
            raise GameError(f"{self.id} has no role '{name}'; its roles are {', '.join(self.roles)}")
        return name or self.roles[0]


def keep_facts(store: Store, game: GameFacts) -> None:
    """Store the facts with the run, unless equally complete ones are stored already."""
    kept = store.facts().get(GAME_FACT)
    if kept is None or (game.places and not kept.get("places")):
        store.put_fact(GAME_FACT, asdict(game))


def read_facts(store: Store, places: bool = False) -> GameFacts:
    """The facts stored with a run. If it is too old to have them, the game is built to get them.

    places: whether `GameFacts.places` are needed.
    """
    kept = store.facts().get(GAME_FACT)
    if kept and (kept.get("places") or not places):
        return GameFacts.restore(kept)
    from league.games.registry import make  # heavy, and rarely needed
    from league.run.code import own_game

    own_game(store)
    config = store.config()
    game = make(config["game"]["id"], 1, "cpu", config["game"]["options"])
    try:
        return GameFacts.of(game.spec)
    finally:
        game.close()
