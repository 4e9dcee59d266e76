"""The user's own code of a run: where each file is and what it holds, so that neither can change unseen.

A run keeps, for its game, wrappers, matchmaker, rating system and anchors, the absolute path and the sha256 of every
file that they were loaded from, what they import beside them included. What a run keeps is data: `own_game` alone
decides whether a reader loads it.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from league import files, plugins
from league.config.user_code import SETTINGS, at_places_of, own_names
from league.errors import ConfigError, GameError
from league.policies.names import anchor_name, is_weights
from league.storage.reading import CODE_FACT, Reading

if TYPE_CHECKING:
    from league.storage.store import Store

CHANGE_KIND = "code change"
"""The kind of an accepted change among a run's events; its data are those of a `Change`."""

GUEST = "guest"
"""What the code of a guest is, which no setting names."""

_LARGEST = 2**24
"""The most bytes of a file that are read to see whether it has changed."""

_MEANING = {
    "game": "results before and after are of different games, and policies play what they did not learn",
    "wrapper": "results before and after are of different games, and policies play what they did not learn",
    "matchmaker": "rounds before and after are planned by different rules",
    "anchor": "results before and after are of different policies under one name",
    "guest": "results before and after are of different policies under one name",
    "rating system": "its ratings are other ones from the next rated games on; `league rate` computes them now",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One name of the user's code. what: a value of `SETTINGS`, or GUEST. name: with the absolute path of a file.

    folder: that its files lie in. content: the sha256 of each file, by its path in the folder.
    """

    what: str
    name: str
    folder: str
    content: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same wherever the files are."""
        return self.what, anchor_name(self.name)


@dataclass(frozen=True, slots=True)
class Change:
    """What has changed of a name since a run's last round. files: their paths. instead: of which other files."""

    what: str
    name: str
    files: tuple[str, ...]
    instead: tuple[str, ...] = ()

    def text(self) -> str:
        """In words, with what it means."""
        files, many = " and ".join(self.files), len(self.files) > 1
        changed = f"{'have' if many else 'has'} changed"
        if self.instead:
            changed = f"{'differ' if many else 'differs'} from {' and '.join(self.instead)}, which the run used"
        return f"{files}, of the {self.what} {self.name}, {changed}: {_MEANING[self.what]}"


def loaded(data: Mapping[str, object]) -> list[Code]:
    """All of the user's own code that a config names, which must be loaded."""
    return [_code(SETTINGS[key], name) for key, name in own_names(data)]


def again(known: Sequence[Code]) -> list[Code]:
    """The same names, with what they have imported by now."""
    return [_code(one.what, one.name) for one in known]


def kept(store: Reading) -> list[Code]:
    """What a run keeps; nothing in runs without code of the user's and in those of older versions."""
    return [Code(**one) for one in store.facts().get(CODE_FACT, {}).get("used", ())]


def keep(store: Store, used: Sequence[Code], config: Mapping[str, object] | None = None) -> None:
    """Keep what is used now, and anchors and guests that were used before.

    config: with the names as they are now, where they may have moved.
    """
    fact = store.facts().get(CODE_FACT, {"used": [], "moved": {}})
    moved, now = dict(fact["moved"]), {one.key for one in used}
    if config is not None:
        before = store.config()
        written = {new: old for old, new in moved.items()}
        pairs = zip(own_names(before), own_names(at_places_of(before, config)), strict=True)
        moved |= {written.get(old, old): new for (_, old), (_, new) in pairs if old != new}
    gone = [one for one in kept(store) if one.key not in now and one.what in ("anchor", GUEST)]
    new = {"used": [asdict(one) for one in [*used, *gone]], "moved": moved}
    if new != fact:
        store.put_fact(CODE_FACT, new)


def record(store: Store, used: Sequence[Code], config: Mapping[str, object], found: Sequence[Change]) -> None:
    """Keep what a run uses that begins or goes on, and changes that were accepted. config: as for `keep`."""
    last = store.last_round()
    with store.transaction():
        keep(store, used, config)
        for one in found:
            store.put_event(last.round if last else 0, CHANGE_KIND, asdict(one))


def changes(before: Sequence[Code], now: Sequence[Code] | None = None) -> list[Change]:
    """What has changed. now: what is loaded; None: what the same names would load.

    A file that was imported before and not yet now is compared as it lies on disk. Guests are not compared: one whose
    code has changed is another guest.
    """
    present = {one.key: one for one in before if one.what != GUEST}
    if now is not None:
        present = {one.key: one for one in now if one.key in present}
    found = []
    for one in before:
        other = present.get(one.key)
        if other is not None:
            seen = {} if now is None else other.content
            changed = [file for file in one.content if seen.get(file, _digest(other.folder, file)) != one.content[file]]
            old, new = (tuple(os.path.join(folder, file) for file in changed) for folder in (one.folder, other.folder))
            if changed:
                found.append(Change(*one.key, new, old if old != new else ()))
    return found


def require_unchanged(store: Reading, found: Sequence[Change]) -> None:
    """Raises ConfigError where results before and after a change would be mixed."""
    mixing = [one.text() for one in found if one.what != "rating system"]
    if mixing:
        raise ConfigError(
            f"{store.folder}: since its last round {'; '.join(mixing)}. Put it back as it was, start afresh beside the "
            "run with --new, or let `league run` go on with --accept-changes, which is recorded in the run"
        )


def warnings(store: Reading) -> list[str]:
    """What a reader of a run should know about the user's code as it is now."""
    known = kept(store)
    found = [one for one in changes(known) if any(os.path.exists(file) for file in one.files)]
    unknown = [] if known else [name for _, name in own_names(store.config()) if plugins.names_file(name)]
    return [
        *(f"since the run's last round {one.text()}" for one in found),
        *(f"an older version made the run, which does not say where {name} was" for name in unknown),
    ]


def accepted(store: Reading) -> list[str]:
    """The changes with which a run went on, in words, oldest first."""
    texts = []
    for event in store.events():
        if event.kind == CHANGE_KIND:
            data = event.data
            one = Change(data["what"], data["name"], tuple(data["files"]), tuple(data["instead"]))
            texts.append(f"after round {event.round}, as was accepted, {one.text()}")
    return texts


def own_game(store: Reading) -> None:
    """Raises GameError unless the user's own code that a run's game consists of is where the run says."""
    config = {"game": store.config()["game"]}
    require_there(store, config)
    for _, name in own_names(config):
        file = Path(name.rpartition(":")[0])
        if plugins.names_file(name) and not file.is_file():
            raise GameError(
                f"{store.folder} plays '{name}', and there is no file '{file}' (searched at {file.absolute()}). An "
                "older version made the run, which does not say where it was: go to its folder"
            )


def require_there(store: Reading, config: Mapping[str, Any]) -> None:
    """Raises GameError where a file that the run used is gone. config: of the run, or some of its sections."""
    used = {one.name for one in kept(store)}
    for key, name in own_names(config):
        if name in used and not Path(name if is_weights(name) else name.rpartition(":")[0]).is_file():
            raise GameError(
                f"{store.folder}: {key} is {name}, and that file is gone. If it has moved, tell the run where it is "
                f"now: {_moved_command(store, config, key, name)}"
            )


def _moved_command(store: Reading, config: Mapping[str, Any], key: str, name: str) -> str:
    """The command that tells a run where a file has moved to, and trains nothing."""
    section, _, setting = key.partition(".")
    last, value, new = store.last_round(), config[section][setting], f"NEW_FOLDER/{anchor_name(name)}"
    now = new if isinstance(value, str) else [new if one == name else one for one in value]
    option = f"--game {shlex.quote(new)}" if key == "game.id" else f"--set {shlex.quote(f'{key}={now}')}"
    run = shlex.quote(str(store.folder.absolute()))
    return f"league run --run {run} {option} --rounds {max(last.round if last else 0, 1)}"


def keep_guest(store: Store, name: str) -> None:
    """Keep the code of a guest, which is loaded. name: with the absolute path of a file."""
    guest = _code(GUEST, name)
    keep(store, [*(one for one in kept(store) if one.key != guest.key), guest])


def places(known: Sequence[Code]) -> dict[str, str]:
    """Where the code of anchors is, by what a run calls them."""
    return {anchor_name(one.name): one.name for one in known if one.what == "anchor"}


def _code(what: str, name: str) -> Code:
    if is_weights(name):  # named by their content
        return Code(what, name, str(Path(name).parent), {Path(name).name: Path(name).stem})
    found = plugins.files_of(name)
    return Code(what, name, found.folder, found.content)


def _digest(folder: str, file: str) -> str | None:
    """The sha256 of a file; None where there is none. Only regular files are opened: the path is what a run says."""
    path = Path(folder, file)
    try:
        return files.digest(files.read_capped(path, _LARGEST)) if path.is_file() else None
    except OSError:
        return None
