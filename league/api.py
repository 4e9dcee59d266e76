"""The Python API beside `League`: reading a run, and the policies that it holds or has exported."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from league.config.load import from_dict
from league.errors import PolicyError
from league.games.registry import make
from league.policies import weights
from league.policies.exported import LoadedPolicy, load_policy, loaded
from league.policies.names import MIXTURES
from league.records import Standing
from league.run import code
from league.run.folders import find_run
from league.run.roster.lookup import open_roster
from league.run.roster.mixtures import mixture
from league.run.roster.ranking import open_ranking
from league.run.roster.roster import Roster
from league.storage.store import Store

__all__ = ["LoadedPolicy", "Run", "load_policy", "open_run"]


class Run:
    """A run, open for reading. Made by `open_run`; use it with `with`, or close it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        try:
            self.config = store.config()
            self.ranking = open_ranking(store)
        except BaseException:
            store.close()
            raise

    @cached_property
    def roster(self) -> Roster:
        """The ranking with its policies; builds the game."""
        code.own_game(self.store)
        played = from_dict(self.config).game
        game = make(played.id, 1, "cpu", played.make_options)
        game.close()
        return open_roster(self.store, game.spec)

    @property
    def warnings(self) -> list[str]:
        """What should be known of the user's own code that the run names: what has changed since its last round."""
        return code.warnings(self.store)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self.store.close()

    def standings(self, role: str | None = None, by: str | None = None) -> tuple[Standing, ...]:
        """The standings, best first. role: needed if the game has several. by: a rating system's name.

        Raises GameError for an unknown role, ConfigError for an unknown rating system.
        """
        return self.ranking.standings(self.ranking.game.role(role), by)

    def policy(self, text: str = "best", role: str | None = None) -> LoadedPolicy:
        """The policy of a snapshot or a mixture of them. Raises PolicyError.

        text: best, latest, a name, an id or a unique prefix; nash or average. role: needed for mixtures and for best
        and latest if the game has several.
        """
        game = self.ranking.game
        if text in MIXTURES:
            return loaded(*weights.unpack(mixture(text, game.role(role), self.roster).content), text)
        roles = [game.role(role)] if role or text in ("best", "latest") else game.roles
        snapshot = self.ranking.named(text, roles)
        if snapshot.origin == "anchor":
            raise PolicyError(f"'{text}' is scripted and has no network")
        return load_policy(self.store.snapshot_folder / f"{snapshot.id}.safetensors")


def open_run(run: str | Path | None = None) -> Run:
    """Open a run for reading. run: a folder, or a name under runs/; the newest run if None. Raises RunError."""
    return Run(Store.reader(find_run(None if run is None else str(run))))
