"""`nash` and `average` wherever a POLICY is taken: what they are, what they score, and that they can be taken along."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from calling import league
from running import tiny, trained

import league as package
from league.api import open_run
from league.errors import PolicyError
from league.matchmaking.psro import nash
from league.policies.mixture import Mixture
from league.run.roster.lookup import find

POSITIONS = Path(__file__).parents[1] / "data" / "connect_four_positions.jsonl"
GAMES = ("rating.games_per_match=512", "rating.matches_per_snapshot=12")
RPS = ("game.id=rps", "population.learners=1", "population.snapshot_every=1", "matchmaking.kind=naive", *GAMES)
RPS += ("budget.rounds=12", "algorithm.learning_rate=0.05", "algorithm.epochs=8", "algorithm.entropy=0")


@pytest.fixture(scope="module")
def rps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of rock-paper-scissors whose thirteen snapshots chase each other."""
    return trained(tiny(*RPS), tmp_path_factory.mktemp("rps") / "run")


def exploitability(run: Path, *policies: str) -> list[float]:
    return [line["exploitability"] for line in league("exploit", *policies, "-r", run, "--json").json["lines"]]


def test_nash_is_the_equilibrium_of_the_payoff_that_standings_predict(rps: Path) -> None:
    with open_run(rps) as opened:
        roster = opened.roster
        snapshots, payoff = roster.entrants.snapshots, roster.ratings.payoff
        assert payoff is not None
        places = [payoff.ids.index(one.id) for one in snapshots]
        expected = nash(payoff.model.scores()[np.ix_(places, places)] - 0.5)
        found = find("nash", "player", roster)
        assert isinstance(found.policy, Mixture)
        shares = {id(roster.policy(one.id)): share for one, share in zip(snapshots, expected, strict=True)}
        for member, share in zip(found.policy.members, found.policy.weights, strict=True):
            assert share == pytest.approx(shares[id(member)], abs=len(snapshots) * 1e-4)
        assert found.label == f"nash of {len(found.policy.members)}"


def test_mixtures_are_harder_to_exploit_than_any_of_their_members(rps: Path) -> None:
    every = [line["exploitability"] for line in league("exploit", "--every", "-r", rps, "--json").json["lines"]]
    mixed, average = exploitability(rps, "nash", "average")
    trained_ones = every[1:]
    assert max(mixed, average) < min(trained_ones), "the first snapshot is untrained, and so close to uniform"
    (uniform,) = league("exploit", "--every", "--mixture", "-r", rps, "--json").json["lines"]
    assert average == pytest.approx(uniform["exploitability"], abs=1e-12)


def test_a_mixture_plays_matches(rps: Path) -> None:
    found = league("match", "average", "main.12", "-r", rps, "--games", "4000", "--json").json
    assert found["labels"][0] == "average of 13"
    payoff = league("payoff", *[f"main.{n}" for n in range(13)], "-r", rps, "--games", "4000", "--json").json
    (table,) = payoff["tables"]
    row = table["rows"].index("main.12")
    scores = [0.5 if cell is None else cell["score"] for cell in table["cells"][row]]
    # 4,000 games: four standard deviations of a coin are 0.032; the payoff's own luck is much smaller.
    assert found["score"] == pytest.approx(1.0 - sum(scores) / 13, abs=0.04)


def test_an_exported_mixture_is_the_same_policy(rps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = league("export", "average", "-r", rps, "--out", "all")
    assert said.code == 0
    assert "average of 13" in said.out
    assert exploitability(rps, "./all") == exploitability(rps, "average")
    card = (tmp_path / "all" / "README.md").read_text()
    assert "one of its 13 members" in card
    assert "policy.step(" in card
    about = json.loads((tmp_path / "all" / "metadata.json").read_text())["policies"][0]
    assert [one["name"] for one in about["mixture"]] == [f"main.{n}" for n in range(13)]
    elsewhere = league("match", f"average@{rps}", "./all", "-r", rps, "--games", "64", "--json").json
    assert elsewhere["labels"] == ["average of 13", "mixture of 13 (all)"]

    policy, run = package.load_policy("all"), package.open_run(rps)
    observation = np.zeros(policy.metadata["obs_shape"], np.float32)
    mean = policy.probabilities(observation, 0)
    each = [run.policy(f"main.{n}").probabilities(observation, 0) for n in range(13)]
    assert mean == pytest.approx(np.mean(each, 0), abs=1e-6)
    assert run.policy("average").probabilities(observation, 0) == pytest.approx(mean, abs=1e-6)
    run.close()
    with pytest.raises(PolicyError, match="is a mixture: use"):
        policy.act(observation, 0)
    rng, drawn = np.random.default_rng(5), []
    for _ in range(300):
        _, memory = policy.step(observation, 0, rng=rng)
        _, after = policy.step(observation, 0, memory, rng=rng)
        assert np.array_equal(memory, after), "the same member to the end of the episode"
        assert policy.probabilities(observation, 0, memory=memory) == pytest.approx(each[int(memory[0]) - 1])
        drawn.append(int(memory[0]))
    assert set(drawn) == set(range(1, 14))
    for wrong in (0.0, 14.0, 1.5, float("nan")):
        with pytest.raises(PolicyError, match="names member"):
            policy.step(observation, 0, np.array([wrong], np.float32))


def test_a_response_is_trained_against_a_mixture(rps: Path, tmp_path: Path) -> None:
    command = ("exploit", "average", "-r", rps, "--train-steps", "4000", "--games", "2000", "--out", tmp_path / "found")
    found = league(*command, "--json").json
    (exact,) = exploitability(rps, "average")
    value, low, _ = found["exploitability"]
    assert found["label"] == "average of 13"
    assert low <= exact + 1e-9, "what a response scores bounds it from below"
    assert value > 0.25 * exact, "and the response has learnt something"
    again = league(*command, "--json").json
    assert again["exploitability"] == found["exploitability"]


def test_labelled_positions_judge_a_mixture_by_its_mean(tmp_path: Path) -> None:
    config = tiny("game.id=connect_four", "population.learners=1", "matchmaking.kind=naive", "budget.rounds=2")
    run = trained(config, tmp_path / "run")
    lines = POSITIONS.read_text().splitlines()[:64]
    (tmp_path / "some.jsonl").write_text("\n".join(lines) + "\n")
    probed = [
        league("probe", one, tmp_path / "some.jsonl", "-r", run, "--json").json["lines"][0]["sampled"][0]
        for one in ("average", "main.0", "main.1")
    ]
    assert probed[0] == pytest.approx((probed[1] + probed[2]) / 2, abs=1e-5)


@pytest.mark.parametrize(("game", "options"), [("tag", "{max_cycles=4}"), ("climbing", "{}")])
def test_games_without_two_like_sides_have_no_nash(tmp_path: Path, game: str, options: str) -> None:
    settings = ("budget.rounds=1", "population.learners=1", "matchmaking.kind=naive", f"game.id={game}")
    run = trained(tiny(*settings, f"game.options={options}"), tmp_path / "run")
    failed = league("export", "nash", "-r", run, "--out", tmp_path / "out")
    assert failed.code == 2
    assert "'nash' is an equilibrium between two like sides" in failed.err
    assert league("export", "average", "-r", run, "--out", tmp_path / "out").code == 0
