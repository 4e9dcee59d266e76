"""`league bench`: what it counts, how it measures in turn, what it prints, and what it refuses. No time is asserted."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from calling import league
from rich.cells import cell_len
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from league.config.load import load
from league.config.run import RunConfig
from league.errors import ConfigError
from league.games.registry import NATIVE, make
from league.policies.architecture import NetworkSpec
from league.policies.networks import Network
from league.run.learners import new_learner
from league.studies.bench.bench_report import compare, read
from league.studies.bench.limit_probe import MachineLimit, flop_per_step, products
from league.studies.bench.measure import measured, ratio_of
from league.studies.bench.probe import QUICK, Probe, Workload, versus, workload
from league.studies.bench.probe_list import ProbeList, Ratio, all_probes
from league.studies.bench.rating_probes import ColdStandings, RatingRefit, SyntheticRun
from league.studies.bench.training_probes import PopulationTraining, RunTraining, Training
from league.views.bench_table import bench_table

PEERS = Path(__file__).parents[2] / "configs" / "bench_connect_four.toml"

TINY = """\
threads = 1

[game]
id = "tictactoe"

[population]
snapshot_every = 1

[algorithm]
slots = 16
turns = 16
epochs = 1
minibatch = 64

[network]
actor = [8]
critic = [8]

[rating]
matches_per_snapshot = 2
games_per_match = 8
"""

WIDTH = 80


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `league bench tiny.toml --quick --only … --json` wrote, beside tiny.toml."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "tiny.toml").write_text(TINY)
    names = "training.share_of_limit,training.opponents_8,inference.8,stepping.kuhn,matches"
    called = league("bench", folder / "tiny.toml", "--quick", "--only", names, "--json")
    assert called.code == 0, called.err
    assert called.err == ""
    (folder / "first.json").write_text(called.out)
    return folder / "first.json"


@pytest.fixture(scope="module")
def tiny() -> Workload:
    """The tiny config, for probes of half a second's work in all."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(TINY)
        file.flush()
        config = load(file.name)
    return workload(config, replace(QUICK, seconds=0.01, matches=300, snapshots=5, games=60))


def test_an_agent_step_of_the_network_of_other_libraries_costs_three_megaflop() -> None:
    config = load(str(PEERS))
    spec = make("connect_four", 1).spec
    learner = new_learner(config, spec, 0, 0, torch.device("cpu"))
    # 84 squares and 2 seats; one pass forward, and in 4 epochs one forward and two back.
    passes = 2 * (86 * 128 + 128 * 128 + 128 * 7 + 86 * 256 + 256 * 256 + 256 * 1)
    assert flop_per_step([learner], config.algorithm.epochs) == 13 * passes
    assert round(13 * passes / 1e6, 1) == 3.0


@pytest.mark.parametrize(
    "spec",
    [
        NetworkSpec(kind="mlp", inputs=(84,), seats=2, outputs=7, hidden=(128, 64)),
        NetworkSpec(kind="conv", inputs=(3, 6, 7), seats=2, outputs=7, hidden=(32,), channels=(8, 4)),
        NetworkSpec(
            kind="conv", inputs=(3, 6, 7), seats=2, outputs=7, hidden=(32,), channels=(8, 4), memory="stack", length=3
        ),
        NetworkSpec(kind="mlp", inputs=(84,), seats=2, outputs=7, hidden=(128,), memory="gru", units=16),
        NetworkSpec(kind="mlp", inputs=(84,), seats=2, outputs=7, hidden=(), memory="lstm", units=16),
        NetworkSpec(
            kind="conv",
            inputs=(3, 6, 7),
            seats=2,
            outputs=7,
            hidden=(32,),
            channels=(8, 4),
            memory="transformer",
            length=5,
            units=18,
        ),
    ],
    ids=["mlp", "conv", "stack", "gru", "lstm", "transformer"],
)
def test_products_are_all_that_a_network_multiplies(spec: NetworkSpec) -> None:
    network = Network(spec, 1.0, torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros((5, *spec.inputs)), torch.zeros(5, dtype=torch.int64))
    assert counter.get_total_flops() == 5 * sum(product.flop for product in products(spec))


def test_the_limit_is_the_best_way_to_multiply(tiny: Workload) -> None:
    probe = MachineLimit(tiny, "float32")
    probe.prepare()
    threads = torch.get_num_threads()
    rates = [probe.sample() for _ in range(3)]
    probe.close()
    assert torch.get_num_threads() == threads, "trying more threads leaves none behind"
    details = probe.details()
    assert details["flop_per_second"] == pytest.approx(max(rates) * probe.flop)
    assert any(str(batch) in str(details["best"]) for batch in QUICK.batches)


def test_the_report(first: Path) -> None:
    found = json.loads(first.read_text(), parse_constant=lambda name: 1 / 0)
    assert found["report"] == "league bench"
    assert found["quick"] is True
    assert set(found["machine"]) == {"cpu", "cores", "gpu", "torch", "python", "platform", "device"}
    assert found["config"]["network"]["actor"] == [8]
    assert found["tuning"]["threads"] == 1
    assert found["skipped"] == {}
    assert set(found["probes"]) == {
        "machine.limit.float32",
        "training.self_play",
        "training.opponents_8",
        "inference.8",
        "stepping.kuhn",
        "stepping.kuhn.rules",
        "matches",
    }
    for one in found["probes"].values():
        assert 0 < one["low"] <= one["median"] <= one["high"]
        assert one["samples"] == 2
    assert set(found["phases"]["training.self_play"]) == {"games", "inference", "advantages", "update"}
    assert sum(found["phases"]["training.self_play"].values()) <= 1
    assert found["probes"]["training.self_play"]["details"]["opponent_steps_per_second"] == 0
    assert found["probes"]["training.opponents_8"]["details"]["opponent_steps_per_second"] > 0


def test_shares_are_of_rates_in_the_same_cycle(first: Path) -> None:
    found = json.loads(first.read_text())
    share, rate = found["ratios"]["training.share_of_limit"], found["probes"]["training.self_play"]
    limit = found["probes"]["machine.limit.float32"]
    # Of two samples each, the median is the mean, and the range is the two themselves.
    pairings = [
        sorted((rate["low"] / limit[one], rate["high"] / limit[other]))
        for one, other in (("low", "high"), ("high", "low"))
    ]
    assert [share["low"], share["high"]] in [pytest.approx(pair) for pair in pairings]
    ratio = Ratio("share", "", "rate", "limit", scale=0.5)
    samples = {"rate": {0: 3.0, 1: 8.0, 2: 10.0}, "limit": {0: 6.0, 2: 4.0}}
    found = ratio_of(ratio, samples)
    assert (found.low, found.median, found.high, found.samples) == (0.25, 0.75, 1.25, 2)
    assert ratio_of(ratio, {"rate": {0: 1.0}, "limit": {1: 1.0}}) is None
    assert ratio_of(ratio, {"rate": {0: 1.0}}) is None


def test_no_run_and_no_file_is_left(first: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    names = "training.run,rating.elo"
    called = league("bench", first.parent / "tiny.toml", "--quick", "--only", names, "--json")
    assert called.code == 0, called.err
    phases = json.loads(called.out)["phases"]["training.run"]
    assert set(phases) == {"games", "inference", "advantages", "update", "rated matches", "storage"}
    assert min(phases.values()) > 0
    assert list(here.iterdir()) == list(temporary.iterdir()) == []


class Noted(Probe):
    """Notes in a common list what is asked of it."""

    unit = "things/s"

    def __init__(self, name: str, notes: list[str], most: int = 1000) -> None:
        super().__init__(name, name)
        self.notes, self.most, self.taken = notes, most, 0.0

    def prepare(self) -> None:
        self.notes.append(f"{self.name} prepared")

    def warm(self) -> None:
        self.notes.append(f"{self.name} warmed")

    def sample(self) -> float:
        self.notes.append(self.name)
        self.taken += 1
        return self.taken


def test_probes_are_measured_in_turn() -> None:
    notes: list[str] = []
    ticks: list[float] = []
    probes = [Noted("a", notes), Noted("b", notes, most=2), Noted("c", notes)]
    found = measured(probes, replace(QUICK, cycles=3), ticks.append)
    begin = [f"{name} {what}" for name in "abc" for what in ("prepared", "warmed")]
    assert notes == [*begin, *"abc", *"abc", *"ac"]
    assert found == {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {0: 1.0, 1: 2.0}, "c": {0: 1.0, 1: 2.0, 2: 3.0}}
    assert ticks == sorted(ticks)
    assert 0 <= ticks[0] < ticks[-1] == 1


def test_time_that_is_used_up_ends_what_has_been_measured_once() -> None:
    for effort in (replace(QUICK, cycles=3, limit=0.0), replace(QUICK, cycles=3, enough=0.0)):
        notes: list[str] = []
        found = measured([Noted("a", notes), Noted("b", notes)], effort, lambda done: None)
        assert found == {"a": {0: 1.0}, "b": {0: 1.0}}


def rated(probe: Probe) -> float:
    """What a probe says, from beginning to end."""
    try:
        probe.prepare()
        probe.warm()
        return probe.sample()
    finally:
        probe.close()


def test_a_population_of_eight_trains_at_eight_tables(tiny: Workload) -> None:
    probe = PopulationTraining("training.population_8", "eight", tiny.variant("population.learners=8"))
    assert rated(probe) > 0
    lineups = [{policy for seating in table for policy in seating.lineup} for table in probe.seatings()]
    assert len(lineups) == 8
    for index, seated in enumerate(lineups):
        assert f"main-{index}" in seated
        assert any(name.endswith(".0") for name in seated), "the past"
        assert any(name.startswith("main-") and "." not in name for name in seated - {f"main-{index}"}), "the others"
    assert probe.details()["opponent_steps_per_second"] > 0


def test_opponents_are_distinct_and_the_learner_sits_on_every_side(tiny: Workload) -> None:
    probe = Training("training.opponents_64", "64", tiny, 64)
    assert rated(probe) > 0
    (seatings,) = probe.seatings()
    assert len({seating.lineup for seating in seatings}) == 128
    assert sum(seating.share for seating in seatings) == pytest.approx(1)
    assert {seating.lineup.index("main") for seating in seatings} == {0, 1}
    weights = [policy.weights()["head.0.weight"] for policy in probe.frozen().values()]
    assert len(weights) == 64
    assert not any(torch.equal(weights[0], other) for other in weights[1:])


def test_lineups_of_games_of_several_seats_and_roles() -> None:
    tag = make("mpe2:simple_tag_v3", 1).spec
    live = {role.name: f"live {role.name}" for role in tag.roles}
    rival = {role.name: f"rival {role.name}" for role in tag.roles}
    for lineup, side in zip(versus(tag, live, [rival]), range(2), strict=True):
        assert [name.startswith("live") for name in lineup] == [post.side == side for post in tag.posts]
        assert [name.partition(" ")[2] for name in lineup] == [post.role for post in tag.posts]


def test_a_large_ledger_is_rated_and_shown(tiny: Workload) -> None:
    archive = SyntheticRun(tiny.effort)
    try:
        assert rated(RatingRefit(archive, "openskill")) > 0
        assert rated(ColdStandings(archive)) > 0
        folder = archive.folder
    finally:
        archive.close()
    assert not folder.exists()


def test_everything_that_the_issue_names_is_there(tiny: Workload) -> None:
    listed = all_probes(tiny, SyntheticRun(tiny.effort))
    names = [probe.name for probe in listed.choose([])]
    assert len(names) == len(set(names))
    groups = ("machine", "stepping", "inference", "training", "matches", "rating")
    assert tuple(dict.fromkeys(sorted((name.partition(".")[0] for name in names), key=groups.index))) == groups
    assert {"training.pettingzoo:classic/connect_four-v3", "training.mpe2:simple_spread_v3"} <= set(names)
    assert {f"stepping.{id}{what}" for id in NATIVE for what in ("", ".rules")} <= set(names)
    assert listed.skipped == {}
    for ratio in listed.ratios:
        assert {ratio.over, ratio.under} <= set(names)
        assert [probe.name for probe in listed.choose([ratio.name])] == [
            name for name in names if name in (ratio.over, ratio.under)
        ]
    assert {probe.name for probe in listed.choose(["machine"])} == {"machine.limit.float32", "machine.limit.bfloat16"}
    assert any(isinstance(probe, RunTraining) for probe in listed.choose(["training"]))


def test_environments_against_bare_ones(first: Path) -> None:
    id = "pettingzoo:classic/connect_four-v3"
    called = league("bench", first.parent / "tiny.toml", "--quick", "--only", f"stepping.{id}.of_bare", "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    assert set(found["probes"]) == {f"stepping.{id}", f"stepping.{id}.bare"}
    assert found["ratios"][f"stepping.{id}.of_bare"]["median"] > 0


def test_a_game_of_one_side_has_no_opponents(first: Path) -> None:
    listed = all_probes(workload(spread(), QUICK), SyntheticRun(QUICK))
    for name in ("training.opponents_8", "training.opponents_64", "inference.64"):
        assert listed.skipped[name] == "mpe2:simple_spread_v3 has no opponents"
    refused = league("bench", "--game", "mpe2:simple_spread_v3", "--only", "inference")
    assert refused.code == 2
    assert "--only inference: it cannot be measured here: mpe2:simple_spread_v3 has no opponents" in refused.err


def spread() -> RunConfig:
    return load(None, ["game.id='mpe2:simple_spread_v3'"])


@pytest.mark.parametrize(
    ("name", "meant"), [("training.selfplay", "training.self_play"), ("match", "matches"), ("trainin", "training")]
)
def test_unknown_names_are_refused(name: str, meant: str) -> None:
    refused = league("bench", "--only", f"stepping.kuhn,{name}")
    assert refused.code == 2
    assert f"--only {name}: there is no such measurement; did you mean '{meant}'? (groups: " in refused.err
    with pytest.raises(ConfigError, match="groups: a, b"):
        ProbeList([Noted("a.x", []), Noted("b", [])]).choose(["zzz"])


def test_compare_with_an_earlier_run(first: Path) -> None:
    arguments = ("bench", first.parent / "tiny.toml", "--quick", "--only", "stepping.kuhn", "--compare", first)
    found = league(*arguments, "--set", "algorithm.epochs=3", "--json").json
    before = json.loads(first.read_text())["probes"]["stepping.kuhn"]["median"]
    change = found["comparison"]["probes"]["stepping.kuhn"]
    assert change == {"old": before, "ratio": found["probes"]["stepping.kuhn"]["median"] / before}
    assert set(found["comparison"]["probes"]) == {"stepping.kuhn", "stepping.kuhn.rules"}
    assert found["comparison"]["warnings"] == ["config: algorithm.epochs was 1, is 3"]


def test_reports_of_other_machines_are_compared_with_a_warning(first: Path) -> None:
    here = read(first)
    there = replace(here, machine={**here.machine, "cpu": "another"}, quick=False, effort={**here.effort, "cycles": 9})
    assert compare(here, there, "x").warnings == (
        f"machine: cpu was another, is {here.machine['cpu']}",
        "effort: cycles was 9, is 2",
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ('{"report": "league bench"}', "version: Field required"),
        (None, "report: 'another'"),
    ],
)
def test_files_that_are_no_report_are_refused(first: Path, tmp_path: Path, content: str | None, why: str) -> None:
    file = tmp_path / "old.json"
    file.write_text(content or json.dumps(json.loads(first.read_text()) | {"report": "another"}))
    refused = league("bench", "--compare", file)
    assert refused.code == 2
    assert f"{file} is not a report of `league bench --json` (" in refused.err
    assert why in refused.err
    missing = league("bench", "--compare", tmp_path / "none.json")
    assert (missing.code, "No such file" in missing.err) == (2, True)


def shown(*args: object) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=WIDTH, highlight=False).print(bench_table(*args))
    return out.getvalue().splitlines()


def test_the_table_for_people(first: Path) -> None:
    report = read(first)
    shares = replace(report.ratios["training.share_of_limit"], median=0.784, low=0.75, high=0.81)
    mixed = replace(shares, median=1.42, low=1.38, high=1.44)
    report = replace(
        report,
        ratios={"training.share_of_limit": shares, "training.bfloat16.of_self_play": mixed},
        phases={"training.self_play": {"games": 0.05, "inference": 0.1, "update": 0.8}},
        skipped={"stepping.odd\x1b[2J": "it is not installed"},
        tuning={**report.tuning, "precision": "float32"},
    )
    lines = shown(report)
    assert max(map(cell_len, lines)) <= WIDTH
    assert lines[0] == "training reaches 0.78 of this machine's limit   0.75 to 0.81"
    text = " ".join(" ".join(lines).split())
    assert "80% of the training time is the update." in text
    assert "1 thread ·" in text
    assert "tictactoe, self-play" in text
    assert "self_play 5 10 80 5" in text
    assert "not measured: stepping.odd·[2J: it is not installed" in text
    assert "--set algorithm.precision=bfloat16 trains 1.4 times as fast here" in text
    assert lines[-1].startswith("  league bench --quick --compare bench.json")
    # There is nothing to gain where runs train in bfloat16 anyway.
    assert "precision=" not in "".join(shown(replace(report, tuning={**report.tuning, "precision": "bfloat16"})))


def test_a_table_of_changes(first: Path) -> None:
    new = read(first)
    old = {name: replace(one, median=2 * one.median) for name, one in new.probes.items()}
    changes = compare(new, replace(new, probes=old), "bench.json")
    lines = shown(new, changes)
    assert max(map(cell_len, lines)) <= WIDTH
    assert len([line for line in lines if line.endswith("× 0.50")]) == len(new.probes)
    assert not [line for line in lines if line.startswith("not as in")]
    lines = shown(new, replace(changes, warnings=("machine: cpu was a, is b",)))
    assert "not as in bench.json: machine: cpu was a, is b" in lines


def test_help() -> None:
    called = league("bench", "--help")
    assert called.code == 0
    for option in ("--quick", "--compare", "--only", "--set", "--game", "--device", "--json"):
        assert option in called.out
