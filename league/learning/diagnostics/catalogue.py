"""The catalogue of diagnostics: what each warning sign looks like, its usual cause and the settings to look at.

`new_findings` returns the signs that begin in a round. It depends on the metrics of the last rounds alone, so a run
that was stopped and goes on reports the same. A sign is reported when it begins, and again only after `QUIET_ROUNDS`
rounds without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from league.learning.diagnostics import rules
from league.learning.diagnostics.history import History, LearnerFacts, RoundMetrics, history

WINDOW = 50
"""Rounds that a rule looks at."""

QUIET_ROUNDS = 10
"""Rounds without a sign after which it is reported again."""

ROUNDS_NEEDED = WINDOW + QUIET_ROUNDS
"""Rounds that `new_findings` looks at in all."""

EVENT_KIND = "sign"
"""The kind of a finding among a run's events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One warning sign. metrics: those that the rule reads. threshold: in words. setting: config keys to look at.

    rule: says in words what a history of at most `WINDOW` rounds shows in its last round; "" if the sign is absent.
    """

    name: str
    metrics: tuple[str, ...]
    threshold: str
    cause: str
    setting: str
    rule: Callable[[History], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """A sign that begins in a round. what: the numbers that show it. setting: the keys that affect this learner."""

    learner: str
    diagnostic: Diagnostic
    what: str
    setting: str

    @property
    def message(self) -> str:
        """All of it in one sentence."""
        return f"{self.learner}: {self.what}. Look at {self.setting}: {self.diagnostic.cause}"

    def record(self) -> dict[str, object]:
        """The finding as JSON values, as a run's events keep it."""
        return {"learner": self.learner, "sign": self.diagnostic.name, "what": self.what, "setting": self.setting}


DIAGNOSTICS: tuple[Diagnostic, ...] = (
    Diagnostic(
        name="kl_jump",
        metrics=("approx_kl", "approx_kl/SEAT"),
        threshold=f"above {rules.KL_LIMIT:g}; or above {rules.KL_FLOOR:g} and {rules.KL_TIMES:g} times its median",
        cause="steps that are too large, or too many passes over one rollout",
        setting="algorithm.learning_rate, algorithm.epochs, algorithm.target_kl",
        rule=rules.kl_jump,
    ),
    Diagnostic(
        name="clip_fraction_high",
        metrics=("clip_fraction",),
        threshold=f"above {rules.CLIP_LIMIT:g} for {rules.CLIP_ROUNDS} rounds",
        cause="steps that are too large, or too many passes over one rollout",
        setting="algorithm.learning_rate, algorithm.epochs, algorithm.minibatch",
        rule=rules.clip_fraction_high,
    ),
    Diagnostic(
        name="entropy_collapsed",
        metrics=("entropy",),
        threshold=(
            f"discrete actions: below {rules.COLLAPSE_SHARE:g} of its first value within {rules.EARLY_ROUNDS} "
            f"rounds; or below {rules.MIN_ENTROPY:g} for {rules.MIN_ENTROPY_ROUNDS} rounds"
        ),
        cause=(
            "an entropy bonus that is too small, or steps that are too large: it stopped exploring (which is right "
            "once the game is solved)"
        ),
        setting="algorithm.entropy, algorithm.entropy_end, algorithm.learning_rate",
        rule=rules.entropy_collapsed,
    ),
    Diagnostic(
        name="entropy_flat",
        metrics=("entropy", "return"),
        threshold=(
            f"one side, discrete actions: never below {rules.FLAT_SHARE:g} of its first value in {rules.FLAT_ROUNDS} "
            "rounds or more, and the return no better"
        ),
        cause="an entropy bonus that outweighs the rewards, or rewards that no action changes",
        setting="algorithm.entropy, algorithm.learning_rate, game.reward",
        rule=rules.entropy_flat,
    ),
    Diagnostic(
        name="entropy_exploding",
        metrics=("entropy",),
        threshold=f"points in a box: {rules.ENTROPY_RISE:g} nats higher than at the window's beginning",
        cause="an entropy bonus that outweighs the rewards: the policy's standard deviation keeps growing",
        setting="algorithm.entropy",
        rule=rules.entropy_exploding,
    ),
    Diagnostic(
        name="critic_blind",
        metrics=("explained_variance", "value_loss"),
        threshold=(
            f"0 or less for {rules.CRITIC_ROUNDS} rounds, from round {rules.WARM_UP_ROUNDS + 1} on, in games of more "
            f"than one move, and value_loss above {rules.NEGLIGIBLE_VALUE_LOSS:g}"
        ),
        cause=(
            "a critic that is too small, lacks information that decides the outcome, or is dominated by the policy loss"
        ),
        setting="network.critic, algorithm.value_coefficient, algorithm.value_normalisation, algorithm.discount",
        rule=rules.critic_blind,
    ),
    Diagnostic(
        name="loss_diverging",
        metrics=("value_loss", "td_loss"),
        threshold=(
            f"{rules.LOSS_TIMES:g} times its median for {rules.LOSS_ROUNDS} rounds, and above {rules.LOSS_FLOOR:g}"
        ),
        cause="returns that outgrow the scale of the values, or steps that are too large",
        setting="algorithm.learning_rate, algorithm.value_normalisation, algorithm.discount",
        rule=rules.loss_diverging,
    ),
    Diagnostic(
        name="gradient_exploding",
        metrics=("grad_norm", "critic_grad_norm"),
        threshold=(
            f"{rules.GRADIENT_TIMES:g} times its median, and above algorithm.max_grad_norm; qmix, vdn: for "
            f"{rules.GRADIENT_ROUNDS} rounds"
        ),
        cause="an outlier among rewards or observations, or steps that are too large",
        setting="algorithm.max_grad_norm, algorithm.learning_rate",
        rule=rules.gradient_exploding,
    ),
    Diagnostic(
        name="gradient_clipped",
        metrics=("grad_norm", "critic_grad_norm"),
        threshold=f"above {rules.CLIPPED_TIMES:g} times algorithm.max_grad_norm for {rules.CLIPPED_ROUNDS} rounds",
        cause="rewards or observations of a scale that does not suit the networks: the clip alone sets the step size",
        setting=(
            "algorithm.max_grad_norm, algorithm.value_normalisation, algorithm.value_coefficient, "
            "algorithm.reward_scale"
        ),
        rule=rules.gradient_clipped,
    ),
    Diagnostic(
        name="gradient_vanishing",
        metrics=("grad_norm", "critic_grad_norm"),
        threshold=f"below {rules.VANISHED_NORM:g} for {rules.VANISHED_ROUNDS} rounds",
        cause="saturated or dead units, a deterministic policy, or rewards that are always 0",
        setting="network.activation, algorithm.entropy, game.reward",
        rule=rules.gradient_vanishing,
    ),
    Diagnostic(
        name="steps_skipped",
        metrics=("skipped_steps",),
        threshold="above 0",
        cause="observations or rewards that are huge or not finite, or steps that are too large",
        setting="algorithm.learning_rate, algorithm.precision",
        rule=rules.steps_skipped,
    ),
    Diagnostic(
        name="return_falling",
        metrics=("return",),
        threshold=(
            f"one side: {rules.LOST_SHARE:g} of the progress is lost again (means of {rules.END_ROUNDS} rounds, "
            f"beyond {rules.SIGNIFICANT:g} times the noise)"
        ),
        cause="steps that are too large late in the run, or forgetting",
        setting=(
            "algorithm.learning_rate, algorithm.epochs, algorithm.entropy_end, algorithm.updates, "
            "algorithm.target_every"
        ),
        rule=rules.return_falling,
    ),
    Diagnostic(
        name="behind_past",
        metrics=("against_past", "against_past_high"),
        threshold=(
            "against_past (its score against the field less that of the best of the snapshots before it) is below 0 "
            "with its whole 95 % interval"
        ),
        cause=(
            "steps that are too large, or a policy that stopped exploring and forgot: population.recover goes on from "
            "the better snapshot"
        ),
        setting="algorithm.learning_rate, algorithm.entropy, algorithm.epsilon_end, population.recover",
        rule=rules.behind_past,
    ),
    Diagnostic(
        name="same_action",
        metrics=("same_action", "episode_length"),
        threshold=f"above {rules.SAME_SHARE:g} for {rules.SAME_ROUNDS} rounds, in games of more than one move",
        cause=(
            "a policy that ignores what it sees: an entropy bonus that is too small, or steps that are too large "
            "(right only where one action is best everywhere)"
        ),
        setting="algorithm.entropy, algorithm.learning_rate, algorithm.epsilon_end",
        rule=rules.same_action,
    ),
    Diagnostic(
        name="standing_still",
        metrics=("approx_kl", "return"),
        threshold=(
            f"approx_kl below {rules.UNCHANGED_KL:g} for {rules.UNCHANGED_ROUNDS} rounds; or, one side: the return "
            f"of {rules.FLAT_ROUNDS} rounds or more is that of the first"
        ),
        cause=(
            "a learning rate that is too small, rewards that are never found, or gradients that do not reach the "
            "weights"
        ),
        setting="algorithm.learning_rate, algorithm.entropy, algorithm.epsilon_steps, algorithm.turns",
        rule=rules.standing_still,
    ),
    Diagnostic(
        name="seats_apart",
        metrics=("return/SEAT",),
        threshold=(
            f"one seat's rises while another's falls, each by {rules.SIGNIFICANT:g} times its noise: on one side, or "
            "of opponents in a game that is not zero-sum"
        ),
        cause=(
            "reward hacking (a seat is rewarded for what costs the others) or asymmetric information (a seat sees "
            "what others do not)"
        ),
        setting="game.reward, network.sharing",
        rule=rules.seats_apart,
    ),
    Diagnostic(
        name="values_run_away",
        metrics=("value", "q_value", "return"),
        threshold=(
            f"far above or below every return seen for {rules.RUNAWAY_ROUNDS} rounds, from round "
            f"{rules.WARM_UP_ROUNDS + 1} on"
        ),
        cause=(
            "bootstrapped overestimation: the maximum over noisy estimates is biased upwards, the target network "
            "follows too fast, or the horizon is too long"
        ),
        setting="algorithm.discount, algorithm.learning_rate, algorithm.target_every",
        rule=rules.values_run_away,
    ),
    Diagnostic(
        name="cuts_undiscounted",
        metrics=("truncated",),
        threshold="above 0, with algorithm.discount = 1",
        cause="values that are bootstrapped without a discount have no bound in games without a natural end",
        setting="algorithm.discount",
        rule=rules.cuts_undiscounted,
    ),
    Diagnostic(
        name="replay_thin",
        metrics=("replay_ratio",),
        threshold=f"below {rules.MIN_REPLAY_RATIO:g} for {rules.REPLAY_ROUNDS} rounds",
        cause=(
            "far more is played than is learnt from: a decision is sampled updates × batch × chunk / (slots × "
            "turns) times"
        ),
        setting="algorithm.updates, algorithm.batch, algorithm.slots",
        rule=rules.replay_thin,
    ),
    Diagnostic(
        name="stopped_early",
        metrics=("epochs",),
        threshold=f"half of algorithm.epochs or fewer for {rules.EARLY_STOP_ROUNDS} rounds, with algorithm.target_kl",
        cause="steps that are too large for target_kl: most of every rollout goes unused",
        setting="algorithm.learning_rate, algorithm.target_kl, algorithm.epochs",
        rule=rules.stopped_early,
    ),
    Diagnostic(
        name="never_acting",
        metrics=("agent_steps", "agent_steps/SEAT"),
        threshold=f"0 for {rules.IDLE_ROUNDS} rounds",
        cause="a seat that never acts in the game, or that is always held by frozen opponents",
        setting="matchmaking.self_play, game.id",
        rule=rules.never_acting,
    ),
    Diagnostic(
        name="endless",
        metrics=("episodes",),
        threshold=f"0 for {rules.ENDLESS_ROUNDS} rounds",
        cause="episodes that are far longer than a round or never end",
        setting="algorithm.turns, game.options",
        rule=rules.endless,
    ),
)
"""All diagnostics, in the order in which their findings are reported."""


def new_findings(
    rounds: Sequence[RoundMetrics],
    facts: Mapping[str, LearnerFacts],
    diagnostics: Sequence[Diagnostic] = DIAGNOSTICS,
    failed: Callable[[Diagnostic, Exception], None] | None = None,
) -> list[Finding]:
    """The signs that begin in the last of `rounds`, by learner.

    rounds: oldest first; at least the last `ROUNDS_NEEDED`, or all that there are. facts: by learner. failed: takes
    what a rule raises, so that the others are still checked; without it, the exception is raised.
    """
    found = []
    for learner, about in facts.items():
        past = history(learner, about, rounds[-ROUNDS_NEEDED:])
        window = past.window(0, WINDOW)
        for diagnostic in diagnostics:
            try:
                what = diagnostic.rule(window)
                if what and not _was_present(diagnostic, past):
                    found.append(Finding(learner, diagnostic, what, _effective(diagnostic.setting, about)))
            except Exception as error:
                if failed is None:
                    raise
                failed(diagnostic, error)
    return found


def _effective(setting: str, about: LearnerFacts) -> str:
    """Those of a diagnostic's keys that affect the learner; all of them if none does."""
    return ", ".join(key for key in setting.split(", ") if key not in about.unused_settings) or setting


def _was_present(diagnostic: Diagnostic, past: History) -> bool:
    """Whether the sign was present in one of the `QUIET_ROUNDS` rounds before the last."""
    return any(
        diagnostic.rule(past.window(back, WINDOW)) for back in range(1, min(QUIET_ROUNDS, len(past.rounds) - 1) + 1)
    )
