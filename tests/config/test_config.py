"""Reading, overriding, comparing and explaining configs; and every way to get one wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from league.config.compare import Difference, blocking_differences, differences
from league.config.explain import flatten
from league.config.load import BUILT_IN, DEFAULT_TOML, from_dict, load, resolved_settings, to_dict
from league.config.reference import reference
from league.config.run import MatchmakingConfig, RunConfig
from league.errors import ConfigError
from league.games.registry import NATIVE
from league.learning.settings import ALGORITHMS
from league.matchmaking.core import MATCHMAKERS, make_matchmaker

CONFIGS = Path(__file__).parents[2] / "configs"


def fault(text: str, tmp_path: Path, *overrides: str) -> str:
    """What is said of a config file with this text."""
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(str(path), overrides)
    return str(caught.value).replace(str(path), "mine.toml")


def set_fault(*overrides: str) -> str:
    """What is said of overrides of the built-in config."""
    with pytest.raises(ConfigError) as caught:
        load(None, overrides)
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_config_loads_and_says_what_it_shows(path):
    config = load(str(path))
    assert path.read_text(encoding="utf-8").startswith("# ")
    assert config.game.id in NATIVE or config.game.id.startswith(("pettingzoo:", "mpe2:"))
    assert any(value is not None for value in to_dict(config)["budget"].values())
    make_matchmaker(config.matchmaking.kind, config.matchmaking.settings)


def test_the_built_in_config_is_the_shipped_connect_four():
    assert (CONFIGS / "connect_four.toml").read_text(encoding="utf-8") == DEFAULT_TOML
    config = load(None)
    assert (config.game.id, config.budget.minutes, config.network.actor) == ("connect_four", 3.0, (256, 256, 256))
    assert (config.matchmaking.kind, config.matchmaking.settings["self_play"]) == ("pfsp", 0.8)


def test_a_file_starts_from_the_defaults_and_not_from_the_built_in_config(tmp_path):
    path = tmp_path / "empty.toml"
    path.write_text("")
    assert load(str(path)) == RunConfig()
    assert load(str(path)).budget.minutes is None


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("seed=7", "seed", 7),
        ("game.id=kuhn", "game.id", "kuhn"),
        ("game.id='kuhn'", "game.id", "kuhn"),
        ("device=cuda:1", "device", "cuda:1"),
        ("algorithm.learning_rate=1e-3", "algorithm.learning_rate", 0.001),
        ("algorithm.clip=.3", "algorithm.clip", 0.3),
        ("algorithm.discount=1", "algorithm.discount", 1.0),
        ("algorithm.entropy_steps = 2_000", "algorithm.entropy_steps", 2000),
        ("algorithm.value_normalisation=false", "algorithm.value_normalisation", False),
        ("network.actor=[64, 32]", "network.actor", [64, 32]),
        ("budget.minutes=none", "budget.minutes", None),
        ("population.init=predator=best@a,prey=best@b", "population.init", "predator=best@a,prey=best@b"),
        ("game.options.max_cycles=25", "game.options.max_cycles", 25),
        ("rating.openskill.model=BradleyTerryFull", "rating.openskill.model", "BradleyTerryFull"),
        ("population.spread={entropy=[0.01, 0.1]}", "population.spread.entropy", [0.01, 0.1]),
        ("matchmaking.opponents=9", "matchmaking.opponents", 9),
    ],
)
def test_an_override_is_a_toml_value_or_a_bare_word(override, key, value):
    (found,) = [one for one in resolved_settings(None, [override]) if one.key == key]
    assert (found.value, found.source) == (value, "--set")


def test_sources_tell_file_override_and_default_apart(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('seed = 3\n[game]\nid = "rps"\n[network]\nactor = [8]\n[matchmaking]\nself_play = 0.1\n')
    sources = {one.key: one.source for one in resolved_settings(str(path), ["network.critic=[9]", "seed=4"])}
    assert {key for key, source in sources.items() if source == str(path)} == {
        "game.id",
        "network.actor",
        "matchmaking.self_play",
    }
    assert {key for key, source in sources.items() if source == "--set"} == {"seed", "network.critic"}
    assert sources["matchmaking.kind"] == sources["game.options"] == "default"
    assert {one.source for one in resolved_settings(None)} == {BUILT_IN, "default"}


def test_later_overrides_win():
    assert load(None, ["seed=1", "seed=2"]).seed == 2


def test_another_kind_leaves_the_settings_of_the_files_kind_behind(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[matchmaking]\nkind = "pbt"\nself_play = 0.1\nexploit_steps = 5\n')
    config = load(str(path), ["matchmaking.opponents=2", "matchmaking.kind=naive"])
    assert config.matchmaking.settings == {"self_play": 1.0, "opponents": 2}
    assert load(str(path), ["matchmaking.kind=pbt"]).matchmaking.settings["exploit_steps"] == 5


def test_another_game_leaves_the_options_of_the_files_game_behind(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[game]\nid = "blotto"\noptions = {troops = 3}\n')
    assert load(str(path), ["game.id=rps"]).game.options == {}
    assert load(str(path), ["game.id=blotto"]).game.options == {"troops": 3}


def test_what_the_built_in_config_tunes_stays_with_its_game_and_its_kind_of_algorithm():
    tuned, plain = load(None), RunConfig()
    for override in ("game.id=spread", "algorithm.kind=ippo", "algorithm.kind=qmix"):
        other = load(None, [override, "algorithm.turns=7"])
        kind = other.algorithm.kind
        assert other.algorithm == ALGORITHMS[kind].model_validate({"kind": kind, "turns": 7})
        assert other.network == plain.network
        assert other.budget == tuned.budget
        assert other.matchmaking == (plain if override.startswith("game") else tuned).matchmaking
    for whole in ("game={id='spread'}", "algorithm={kind='qmix'}"):
        assert load(None, [whole]).network == plain.network
    assert load(None, ["game={id='spread'}"]).algorithm == plain.algorithm
    same = load(None, ["game.id=connect_four", "algorithm.kind=mappo", "seed=3"])
    assert (same.algorithm, same.network) == (tuned.algorithm, tuned.network)


def test_a_users_kind_keeps_any_keys():
    config = load(None, ["matchmaking.kind=my.own:Mixed", "matchmaking.heat=[1, 'x']"])
    assert config.matchmaking.settings == {"heat": [1, "x"]}
    assert from_dict(to_dict(config)) == config


@pytest.mark.parametrize("kind", sorted(MATCHMAKERS))
def test_a_kinds_settings_are_complete_and_go_round_by_json(kind):
    config = load(None, [f"matchmaking.kind={kind}"])
    assert set(config.matchmaking.settings) == set(type(make_matchmaker(kind, {})).model_fields)
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sed = 1", "mine.toml: unknown key 'sed'; did you mean 'seed'?"),
        ("[gmae]\nid = 'rps'", "mine.toml: unknown key 'gmae'; did you mean 'game'?"),
        ("entropy = 0.1", "mine.toml: unknown key 'entropy'; did you mean 'algorithm.entropy'?"),
        ("[matchmaking]\nkid = 'pbt'", "mine.toml: unknown key 'matchmaking.kid'; did you mean 'kind'?"),
        (
            "[matchmaking]\nkind = 'naive'\nopponent = 3",
            "mine.toml: unknown key 'matchmaking.opponent'; did you mean 'opponents'?",
        ),
        ("[algorithm]\nlerning_rate = 1", "unknown key 'algorithm.lerning_rate'; did you mean 'learning_rate'?"),
        ("[rating.elo]\nscal = 4", "mine.toml: unknown key 'rating.elo.scal'; did you mean 'scale'?"),
        (
            "[game]\nzzz = 4",
            "mine.toml: unknown key 'game.zzz' (there are: id, options, wrappers, reward, random_starts, "
            "random_start_turns, posts; `league docs configuration` explains each)",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(text, message, tmp_path):
    assert fault(text, tmp_path).endswith(message)


def test_a_setting_of_another_kind_is_recognised():
    assert "('past' is a setting of kind pbt)" in set_fault("matchmaking.past=0.5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 'one'", "'seed': must be a whole number ≥ 0"),
        ("seed = true", "not true"),
        ("seed = -1", "not -1"),
        (
            "game = 'leduc'",
            "'game': must be a section with the keys id, options, wrappers, reward, random_starts, "
            'random_start_turns, posts, not "leduc"',
        ),
        ("matchmaking = 3", "'matchmaking': must be a section with the keys kind, not 3"),
        ("[game]\nid = ''", "'game.id': must be text, not empty"),
        ("[algorithm]\nepochs = 'four'", "'algorithm.epochs': must be a whole number > 0, not \"four\""),
        ("[algorithm]\nepochs = 2.5", "must be a whole number > 0, not 2.5"),
        ("[algorithm]\ndiscount = 1.1", "'algorithm.discount': must be a number ≥ 0 and ≤ 1, not 1.1"),
        ("[algorithm]\nlearning_rate = nan", "'algorithm.learning_rate': must be a number > 0, not NaN"),
        ("[network]\nactor = [8, 'x']", "'network.actor': must be a list of whole numbers > 0, not [8, \"x\"]"),
        ("[network]\nkind = 'cov'", 'must be one of "mlp", "conv", not "cov"; did you mean \'conv\'?'),
        ("device = 'gpu'", "'device': must be auto, cpu, cuda or cuda:N, not \"gpu\""),
        ("[budget]\nminutes = 0", "'budget.minutes': must be a number > 0 or none, not 0"),
        ("[rating]\nby = 'ello'", "'rating.by': must be one of melo, field, robust, bradley-terry, elo, openskill"),
        ("[matchmaking]\nkind = 'fictitous'", "not \"fictitous\"; did you mean 'fictitious'?"),
        (
            "[algorithm]\nkind = 'qmx'",
            "'algorithm.kind': must be one of mappo, ippo, coma, qmix, vdn, not \"qmx\"; did you mean 'qmix'?",
        ),
        ("[matchmaking]\nself_play = 1.5", "'matchmaking.self_play': must be a number ≥ 0 and ≤ 1, not 1.5"),
        ("[matchmaking]\nopponents = '4'", "'matchmaking.opponents': must be a whole number > 0, not \"4\""),
        (
            "[matchmaking]\nkind = 'pbt'\nself_play = 0.8",
            "'matchmaking': self_play + past must be at most 1, not 0.8 + 0.5",
        ),
        (
            "[algorithm]\nkind = 'vdn'\ncapacity = 1000",
            "'algorithm': warmup must be at most capacity, 1000, or learning never begins; it is 2000",
        ),
        (
            "[matchmaking]\nkind = 'pbt'\nperturb = []",
            "'matchmaking.perturb': must be a list of numbers > 0, not empty, not []",
        ),
        (
            "[matchmaking]\nkind = 'pbt'\nranges = {entropy = [0, 1]}",
            "'matchmaking.ranges.entropy': must be two numbers with 0 < low < high, not [0.0, 1.0]",
        ),
        (
            "[matchmaking]\nkind = 'pbt'\nranges = {entropi = [0.1, 1]}",
            "'matchmaking.ranges.entropi': not a number set in [algorithm] that can vary by learner; "
            "did you mean 'entropy'?",
        ),
        (
            "[matchmaking]\nkind = 'pbt'\nranges = {magnet = [0.1, 1.0]}",
            "'matchmaking.ranges.magnet': there is no magnet to vary: algorithm.magnet must begin above 0",
        ),
        (
            "[matchmaking]\nkind = 'pbt'\nranges = {average = [0.1, 0.5]}",
            "'matchmaking.ranges.average': the share of training over which weights are averaged is the same for all",
        ),
        ("[population]\nspread = {epochs = [1, 2]}", "'population.spread.epochs': not a number set in [algorithm]"),
        ("[population]\nspread = {target_kl = [0.01, 0.1]}", "'population.spread.target_kl': not a number set in"),
        (
            "[population]\nspread = {discount = [0.9, 1.1]}",
            "'population.spread.discount': must lie where algorithm.discount may: a number ≥ 0 and ≤ 1, not [0.9, 1.1]",
        ),
        ("[population]\nspread = {clip = 3}", "'population.spread': must be a table of lists of 2 numbers"),
    ],
)
def test_a_value_that_cannot_be_is_answered_with_what_would_be_right(text, message, tmp_path):
    said = fault(text, tmp_path)
    assert said.startswith("mine.toml: ")
    assert message in said
    assert "\n" not in said


def test_all_faults_are_said_at_once_each_with_its_source(tmp_path):
    said = fault("sed = 1\n[algorithm]\nepochs = 0\n", tmp_path, "device=gpu", "matchmaking.opponents=0")
    assert sorted(line.partition("'")[0] for line in said.split("\n")) == [
        "--set: ",
        "--set: ",
        "mine.toml: ",
        "mine.toml: unknown key ",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "--set seed: write it as KEY=VALUE"),
        ("=3", "--set =3: write it as KEY=VALUE"),
        ("game..id=3", "write it as KEY=VALUE"),
        ("seed.x=3", "--set: 'seed': must be a whole number"),
        ("network.actor.x=3", "--set network.actor.x=3: 'network.actor' is a value and has no keys below it"),
        ("network.actor=[1", "--set network.actor=[1: the value is not valid TOML"),
        ("population.learners=none", "--set: 'population.learners': must be a whole number > 0, not none"),
        ("seed=3\ngame.id=4", "'seed': must be a whole number"),
        ("gmae.id=rps", "--set: unknown key 'gmae'; did you mean 'game'?"),
    ],
)
def test_an_override_that_cannot_be_is_named(override, message):
    assert message in set_fault(override)


def test_broken_files_are_named_with_the_place(tmp_path):
    assert "mine.toml: not valid TOML: " in fault("[game\nid = 3", tmp_path)
    assert "(at line 1, column 6)" in fault("[game\nid = 3", tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"# \xff")
    with pytest.raises(ConfigError, match=r"bytes\.toml: not UTF-8 text \(byte 2\)"):
        load(str(tmp_path / "bytes.toml"))
    with pytest.raises(ConfigError, match=r"there is no config file .*byts\.toml; did you mean '.*bytes\.toml'\?"):
        load(str(tmp_path / "byts.toml"))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(str(tmp_path))


def test_a_stored_config_of_another_version_is_refused_by_key():
    with pytest.raises(ConfigError, match=r"stored config: unknown key 'game\.rules'"):
        from_dict({"game": {"id": "rps", "rules": 2}})
    assert from_dict({"game": {"id": "rps"}}).population.learners == 1


def test_differences_name_the_keys_and_both_values():
    one, two = load(None), load(None, ["seed=5", "network.actor=[8]", "game.options.x=1", "budget.rounds=3"])
    assert differences(to_dict(one), to_dict(one)) == []
    assert set(map(str, differences(to_dict(one), to_dict(two)))) == set(
        map(
            str,
            [
                Difference("seed", 0, 5),
                Difference("network.actor", [256, 256, 256], [8]),
                Difference("game.options", {}, None),
                Difference("game.options.x", None, 1),
                Difference("budget.rounds", None, 3),
            ],
        )
    )


@pytest.mark.parametrize(
    ("override", "blocks"),
    [
        ("budget.rounds=9", False),
        ("budget.minutes=none", False),
        ("device=cuda", False),
        ("threads=2", False),
        ("rating.by=elo", False),
        ("rating.elo.k=8", False),
        ("rating.exploitability_every=20", False),
        ("rating.games_per_match=2", True),
        ("rating.matches_per_snapshot=6", True),
        ("rating.share=0.1", True),
        ("rating.bradley_terry.prior=100", True),
        ("seed=1", True),
        ("matchmaking.self_play=0.4", True),
    ],
)
def test_a_run_goes_on_only_where_nothing_that_it_learnt_by_differs(override, blocks):
    assert bool(blocking_differences(to_dict(load(None)), to_dict(load(None, [override])))) is blocks


def test_a_run_of_before_the_share_goes_on_with_the_matches_it_had():
    stored = from_dict({"rating": {"matches_per_snapshot": 6, "games_per_match": 64}})
    assert blocking_differences(to_dict(stored), to_dict(from_dict(to_dict(stored)))) == []
    assert blocking_differences(to_dict(stored), to_dict(from_dict({}))) == [
        Difference("rating.matches_per_snapshot", 6, None),
        Difference("rating.games_per_match", 64, 16),
    ]


@pytest.mark.parametrize("share", ["0", "1", "-0.1"])
def test_the_share_of_rated_matches_lies_between_nothing_and_everything(share):
    with pytest.raises(ConfigError, match=r"rating\.share"):
        load(None, [f"rating.share={share}"])


def test_the_reference_has_every_key_of_every_kind_with_its_documentation():
    keys = [entry.key for entry in reference()]
    assert len(keys) == len(set(keys))
    for kind in MATCHMAKERS:
        # Tables that are empty or free by default are one key of the reference.
        resolved = {
            next((key for key in keys if (found + ".").startswith(key + ".")), found)
            for found in flatten(to_dict(load(None, [f"matchmaking.kind={kind}"])))
        }
        assert resolved <= set(keys)
    assert all(entry.doc and entry.type for entry in reference())


def test_the_reference_says_types_and_defaults_in_words():
    entries = {entry.key: entry for entry in reference()}
    assert entries["budget.minutes"][1:3] == ("a number > 0 or none", "none")
    assert entries["network.actor"][1:3] == ("a list of whole numbers > 0", "[128, 128]")
    by_kind = "1.0 (naive); 0.5 (fictitious, ring, pfsp); 0.8 (openai_five); 0.0 (psro); 0.25 (pbt); 0.35 (alphastar)"
    assert entries["matchmaking.self_play"].default == by_kind
    assert entries["matchmaking.past"].doc.startswith("Only with kind pbt. ")


def test_sections_can_be_built_in_python():
    config = RunConfig(matchmaking=MatchmakingConfig.model_validate({"kind": "pbt", "past": 0.25}))
    assert config.matchmaking.settings["past"] == 0.25
    assert config.matchmaking.settings["self_play"] == 0.25
