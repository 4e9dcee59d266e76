"""Guests: policies from outside that are rated by what they are, whatever they are called.

A guest's id is the sha256 of its content, so that its games can never be counted for another policy: of the file, for
a snapshot or an export; for a scripted policy, of its text; for the user's own, of its path and its file's content.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from league import files, plugins
from league.errors import PolicyError
from league.policies.core import Policy
from league.policies.names import RANDOM, is_scripted
from league.records import Snapshot, anchor
from league.run.roster.lookup import find
from league.run.roster.policy_text import sort_of
from league.run.roster.roster import Roster


@dataclass(frozen=True, slots=True)
class Guest:
    """A policy, and the record under which it is rated."""

    record: Snapshot
    policy: Policy


def invite(text: str, role: str, roster: Roster) -> Guest:
    """The policy that `text` refers to, as a guest; random play, the zero of all ratings, as the anchor that it is.

    A snapshot is called by its name, every other policy as the user named it. Raises as `lookup.find` does.
    """
    found = find(text, role, roster)
    if text == RANDOM:
        return Guest(anchor(role, len(roster.spec.roles)), found.policy)
    if found.id is not None and files.is_id(found.id):
        name = str(Path(text)) if sort_of(text) == "export" else found.label
        return Guest(_record(found.id, name, role), found.policy)
    content = {"policy": text, "role": role} | ({} if is_scripted(text) else _own_code(text))
    return Guest(_record(files.digest(files.canonical_json(content).encode()), text, role), found.policy)


def admit(guest: Guest, known: Iterable[Snapshot], where: str) -> Snapshot:
    """The record of a guest among the `known` ones of its role; its own if it is new.

    where: what they are known to, for the message. Raises PolicyError if the guest's name is that of another policy.
    """
    record = guest.record
    for one in known:
        if one.id == record.id:
            return one
        if one.guest and (one.guest, one.role) == (record.guest, record.role):
            raise PolicyError(
                f"'{record.name}' is not the policy of that name that played in {where}: its content was "
                f"{one.short} and is now {record.short}. Give it another name, so that its games are its own"
            )
    return record


def _record(id: str, name: str, role: str) -> Snapshot:
    return Snapshot(id=id, role=role, learner="", number=0, round=0, steps=0, origin="anchor", guest=name)


def _own_code(text: str) -> dict[str, object]:
    """What defines a policy of the user's own, which is loaded: its file, and the sha256 of all that it consists of."""
    place, _, name = text.rpartition(":")
    module, found = sys.modules.get(place), plugins.files_of(text)
    file = Path(place if place.endswith(".py") else getattr(module, "__file__", None) or "").expanduser().absolute()
    content = dict(found.content)
    try:
        own = content.pop(os.path.relpath(file, found.folder), None) or files.digest_file(file)
    except OSError as problem:
        raise PolicyError(f"policy '{text}': {file}, which defines it, cannot be read: {problem.strerror}") from problem
    # Files of a package beside the policy's own do not count: they may be of anything else.
    beside = content if place.endswith(".py") else {}
    return {"policy": name, "file": str(file), "sha256": own} | ({"beside": beside} if beside else {})
