"""An empty store for tests that fill it."""

from __future__ import annotations

import pytest
from stores import PLACE

from league.storage.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "run", {"seed": 7, "game": {"id": "kuhn"}}, {"game": "kuhn"}, PLACE) as store:
        yield store
