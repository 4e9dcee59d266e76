"""What a command plays. The policies that it names say so; a run is looked for only where they do not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from league import files
from league.config.load import from_dict, to_dict
from league.config.run import RunConfig
from league.config.sections import GameConfig
from league.errors import LeagueError, PolicyError, RunError
from league.games.registry import is_own
from league.policies.exported import METADATA_CAP, read_exported, role_file
from league.policies.names import RANDOM
from league.run.folders import RUNS, find_run
from league.run.roster.policy_text import every_part, named_runs, own_run, sort_of
from league.storage.store import FILE, Store


@dataclass(frozen=True, slots=True)
class Context:
    """What a command plays, and of which run the policies are that name none.

    run: the folder of that run; None if the policies alone say what is played. game: None: the run's. texts: the
    policies, without the `@RUN` of this run. newest: whether the run was named by nobody.
    """

    run: Path | None
    game: GameConfig | None
    texts: tuple[str, ...]
    newest: bool = False

    def config(self, store: Store | None) -> dict[str, Any]:
        """The config of the run, or one with this game. store: the run, open."""
        return to_dict(RunConfig(game=self.game or GameConfig())) if store is None else store.config()

    def stand_ins(self, roles: Sequence[str]) -> dict[str, str]:
        """Without a run, the POLICY for each role that none is named for: of a named export, else random play."""
        folders = [Path(text).expanduser() for _, text in every_part(self.texts) if sort_of(text) == "export"]
        return {
            role: next((str(folder) for folder in folders if (folder / role_file(role)).is_file()), RANDOM)
            for role in roles
        }


@dataclass(frozen=True, slots=True)
class _Said:
    """The game that a POLICY says it plays. complete: its options are as in a config; otherwise with all defaults."""

    text: str
    game: GameConfig
    complete: bool = True

    def agrees(self, other: GameConfig, complete: bool = True) -> bool:
        """Whether `other` may be the same game. The user's own code is known by its name, wherever it is.

        complete: of `other`, as in this class.
        """
        mine, own = self.game, is_own(self.game.id)
        same = _called(mine.id) == _called(other.id) if own and is_own(other.id) else mine.id == other.id
        return same and (not (self.complete and complete) or mine.make_options == other.make_options)

    def may_meet(self, other: GameConfig, complete: bool = True) -> bool:
        """Whether it may be the same game, as far as can be known before it is made.

        A file of weights has the name under which the game is defined, a config the one by which it was found: the
        user's own code may have two. Whether weights fit is seen when they are loaded.
        """
        unnamed = is_own(self.game.id) and is_own(other.id) and not (self.complete and complete)
        return unnamed or self.agrees(other, complete)


def context_of(run: str | None, texts: Sequence[str], game: str | None = None, home: bool = False) -> Context:
    """What is played by the policies in `texts`. It loads no policy and no code of the user's.

    run: the run that the user named. game: the game that the user named, instead of a run. home: a run is wanted in any
    case, and the `@RUN` of a policy is not it. Raises RunError if no run can be found, PolicyError if the policies
    play different games.
    """
    if run is not None and game is not None:
        raise RunError("--run and --game both say what is played: give one of them")
    said = list(_said(texts))
    asked = GameConfig(id=game) if game is not None else None
    _require_one_game(said, asked)
    if run is not None:
        _require_played(said, find_run(run))
    if not home and game is None:
        run, texts = own_run(run, texts)
    if run is not None:
        return Context(find_run(run), None, tuple(texts))
    wanting = home or any(sort_of(text) in ("word", "snapshot") for _, text in every_part(texts))
    played = said[0] if said else None if asked is None else _Said(f"--game {game}", asked)
    if wanting or played is None:
        return Context(_newest(played), None, tuple(texts), newest=True)
    if game is None and (named := named_runs(texts)):
        return Context(named[0], None, tuple(texts))
    return Context(None, _playable(played, game), tuple(texts))


def _said(texts: Sequence[str]) -> Iterator[_Said]:
    """What each policy says of its game, if anything."""
    for _, text in every_part(texts):
        sort = sort_of(text)
        if sort == "export":
            yield _exported(text, Path(text).expanduser())
        elif sort == "other run":
            yield _Said(text, _game_of(find_run(text.partition("@")[2])))
        elif sort == "path":
            raise PolicyError(f"there is no policy at {text}: name a folder or a file that `league export` wrote")


def _exported(text: str, place: Path) -> _Said:
    """The game of an export or of a file of weights. Raises PolicyError, SnapshotError."""
    folder = place if place.is_dir() else place.parent
    try:
        about = json.loads(files.read_capped(folder / "metadata.json", METADATA_CAP))
        if place.is_dir() or any(one["file"] == place.name for one in about["policies"]):
            return _Said(text, _restored(about["config"]["game"]))
    except (OSError, ValueError, LookupError, TypeError, LeagueError):
        pass
    if (folder.parent / FILE).is_file():
        return _Said(text, _game_of(folder.parent))
    found = next(iter(sorted(folder.glob(f"*{files.SUFFIX}"))), None) if place.is_dir() else place
    if found is None or not found.is_file():
        raise PolicyError(f"there is no policy at {text}: name a folder or a file that `league export` wrote")
    about, _ = read_exported(found)
    game = {"id": about.get("game"), "options": about.get("game_options", {})}
    return _Said(text, _restored(game), complete=False)


def _restored(game: object) -> GameConfig:
    return from_dict({"game": game}).game


def _game_of(run: Path) -> GameConfig:
    with Store.reader(run) as store:
        return _restored(store.config()["game"])


def _called(id: str) -> tuple[str, str]:
    """The file's or module's name and the game's, without folders."""
    place, _, name = id.rpartition(":")
    return Path(place).name, name


def _require_one_game(said: Sequence[_Said], asked: GameConfig | None) -> None:
    for one in said:
        if not one.may_meet(said[0].game, said[0].complete):
            raise PolicyError(
                f"these policies play different games: '{said[0].text}' plays {said[0].game.label}, "
                f"'{one.text}' plays {one.game.label}"
            )
        if asked is not None and not is_own(asked.id) and asked.id != one.game.id:
            raise PolicyError(f"'{one.text}' plays {one.game.label}, not {asked.id}: leave out --game")


def _require_played(said: Sequence[_Said], run: Path) -> None:
    game = _game_of(run) if said else None
    for one in said:
        if game is not None and not one.may_meet(game):
            raise PolicyError(
                f"'{one.text}' plays {one.game.label}, and the run {run} plays {game.label}: leave out --run where the "
                "policies say what is played, or name another run"
            )


def _newest(played: _Said | None) -> Path:
    """The newest run; if a game is said, the newest that plays it. Raises RunError if there is none."""
    if played is None:
        return find_run(None)
    for folder in Store.find_runs(RUNS):
        try:
            if played.agrees(_game_of(folder)):
                return folder
        except LeagueError:
            continue  # a damaged run must not hide the others
    raise RunError(
        f"'{played.text}' plays {played.game.label}, and no run under {RUNS}/ does: name the run of the other policies "
        "with --run, or write POLICY@RUN"
    )


def _playable(said: _Said, game: str | None) -> GameConfig:
    """The game to play without a run. What an export names is not imported: it may come from anybody."""
    played = said.game
    if game is not None:
        played = played.model_copy(update={"id": game})
    elif is_own(played.id):
        raise PolicyError(
            f"'{said.text}' plays {played.id}, which is code that is not part of league: say where it is by "
            f"--game FILE.py:{_called(played.id)[1]}, or name a run of it with --run"
        )
    if played.wrappers:
        raise PolicyError(
            f"'{said.text}' plays {played.id} in the wrappers {', '.join(played.wrappers)}, which are code that is not "
            "part of league: name a run of it with --run"
        )
    return played
