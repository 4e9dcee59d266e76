"""Bad signs in a learner's metrics: what each looks like, what usually causes it, and which setting to look at.

`begun` says which of them begin in a round, from the metrics of the last rounds alone: a run that was stopped and goes
on says the same. A sign is told when it begins, and again only after it was absent for `QUIET` rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from league.learning.diagnostics import rules as t
from league.learning.diagnostics.history import Facts, History, Round, history

WINDOW = 50
"""Rounds that a sign looks at."""

QUIET = 10
"""Rounds for which a sign must have been absent before it is told again."""

KEPT = WINDOW + QUIET
"""Rounds that `begun` looks at in all."""


SIGN = "sign"
"""The kind under which signs that were seen stand among a run's events."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A bad sign. metrics: what it is read from. threshold: in words. setting: keys of the config to look at.

    test: what a history of at most `WINDOW` rounds shows in its last round, in words; empty where it is not there.
    """

    name: str
    metrics: tuple[str, ...]
    threshold: str
    cause: str
    setting: str
    test: Callable[[History], str]


@dataclass(frozen=True, slots=True)
class Seen:
    """A sign that begins in a round. what: the numbers that show it. setting: those to look at that the learner has."""

    learner: str
    sign: Sign
    what: str
    setting: str

    @property
    def message(self) -> str:
        """All of it in one sentence."""
        return f"{self.learner}: {self.what}. Look at {self.setting}: {self.sign.cause}"

    def record(self) -> dict[str, object]:
        """As a run's history keeps it."""
        return {"learner": self.learner, "sign": self.sign.name, "what": self.what, "setting": self.setting}


SIGNS: tuple[Sign, ...] = (
    Sign(
        "kl_jump",
        ("approx_kl", "approx_kl/SEAT"),
        f"above {t.KL_LIMIT:g}; or above {t.KL_FLOOR:g} and {t.KL_TIMES:g} times its median",
        "steps that are too large, or too many passes over one rollout",
        "algorithm.learning_rate, algorithm.epochs, algorithm.target_kl",
        t.kl_jump,
    ),
    Sign(
        "clip_fraction_high",
        ("clip_fraction",),
        f"above {t.CLIPPED:g} for {t.CLIPPED_ROUNDS} rounds",
        "steps that are too large, or too many passes over one rollout",
        "algorithm.learning_rate, algorithm.epochs, algorithm.minibatch",
        t.clipped,
    ),
    Sign(
        "entropy_collapsed",
        ("entropy",),
        f"choices: below {t.COLLAPSED:g} of its first value within {t.EARLY} rounds; or below {t.CERTAIN:g} for "
        f"{t.CERTAIN_ROUNDS} rounds",
        "an entropy bonus that is too small, or steps that are too large: it stopped exploring (which is right where "
        "the game is solved)",
        "algorithm.entropy, algorithm.entropy_end, algorithm.learning_rate",
        t.entropy_collapsed,
    ),
    Sign(
        "entropy_flat",
        ("entropy", "return"),
        f"one side, choices: never below {t.FLAT_SHARE:g} of its first value in {t.FLAT_ROUNDS} rounds or more, and "
        "the return no better",
        "an entropy bonus that outweighs the rewards, or rewards that no action changes",
        "algorithm.entropy, algorithm.learning_rate, game.reward",
        t.entropy_flat,
    ),
    Sign(
        "entropy_exploding",
        ("entropy",),
        f"points in a box: {t.RISEN:g} nats higher than at the window's beginning",
        "an entropy bonus that outweighs the rewards: the policy's deviation grows without end",
        "algorithm.entropy",
        t.entropy_exploding,
    ),
    Sign(
        "critic_blind",
        ("explained_variance", "value_loss"),
        f"0 or less for {t.BLIND_ROUNDS} rounds, from round {t.WARM_UP + 1} on, in games of more than one move, and "
        f"value_loss above {t.FORESEEN:g}",
        "a critic that is too small, does not see what decides, or is drowned by the policy's loss",
        "network.critic, algorithm.value_coefficient, algorithm.value_normalisation, algorithm.discount",
        t.critic_blind,
    ),
    Sign(
        "loss_diverging",
        ("value_loss", "td_loss"),
        f"{t.DIVERGED:g} times its median for {t.DIVERGED_ROUNDS} rounds, and above {t.DIVERGED_FLOOR:g}",
        "returns that grow beyond what values were scaled for, or steps that are too large",
        "algorithm.learning_rate, algorithm.value_normalisation, algorithm.discount",
        t.loss_diverging,
    ),
    Sign(
        "gradient_exploding",
        ("grad_norm", "critic_grad_norm"),
        f"{t.EXPLODED:g} times its median, and above algorithm.max_grad_norm; qmix, vdn: for {t.EXPLODED_ROUNDS} "
        "rounds",
        "an outlier among rewards or observations, or steps that are too large",
        "algorithm.max_grad_norm, algorithm.learning_rate",
        t.gradient_exploding,
    ),
    Sign(
        "gradient_clipped",
        ("grad_norm", "critic_grad_norm"),
        f"above {t.HELD:g} times algorithm.max_grad_norm for {t.HELD_ROUNDS} rounds",
        "a scale of rewards or observations that the networks were not made for: clipping alone sets the steps' size",
        "algorithm.max_grad_norm, algorithm.value_normalisation, algorithm.value_coefficient, algorithm.reward_scale",
        t.gradient_clipped,
    ),
    Sign(
        "gradient_vanishing",
        ("grad_norm", "critic_grad_norm"),
        f"below {t.VANISHED:g} for {t.VANISHED_ROUNDS} rounds",
        "saturated or dead units, a policy that is certain, or rewards that are always 0",
        "network.activation, algorithm.entropy, game.reward",
        t.gradient_vanishing,
    ),
    Sign(
        "steps_skipped",
        ("skipped_steps",),
        "above 0",
        "observations or rewards that are huge or not finite, or steps that are too large",
        "algorithm.learning_rate, algorithm.precision",
        t.steps_skipped,
    ),
    Sign(
        "return_falling",
        ("return",),
        f"one side: {t.FALLEN:g} of what was learnt is lost again (means of {t.ENDS} rounds, beyond {t.SURE:g} times "
        "the noise)",
        "steps that are too large late in the run, or forgetting",
        "algorithm.learning_rate, algorithm.epochs, algorithm.entropy_end, algorithm.updates, algorithm.target_every",
        t.return_falling,
    ),
    Sign(
        "standing_still",
        ("approx_kl", "return"),
        f"approx_kl below {t.UNMOVED:g} for {t.UNMOVED_ROUNDS} rounds; or, one side: the return of {t.FLAT_ROUNDS} "
        "rounds or more is that of the first",
        "a learning rate that is too small, rewards that are never met, or gradients that do not arrive",
        "algorithm.learning_rate, algorithm.entropy, algorithm.epsilon_steps, algorithm.turns",
        t.standing_still,
    ),
    Sign(
        "seats_apart",
        ("return/SEAT",),
        f"one seat's climbs as another's falls, each by {t.SURE:g} times its noise: on one side, or of opponents in a "
        "game that is not zero-sum",
        "reward hacking (a seat is paid for what costs the others) or asymmetric information (a seat sees what others "
        "do not)",
        "game.reward, network.sharing",
        t.seats_apart,
    ),
    Sign(
        "values_run_away",
        ("value", "q_value", "return"),
        f"far above or below every return seen for {t.AWAY_ROUNDS} rounds, from round {t.WARM_UP + 1} on",
        "estimates that are learnt from themselves: the maximum over noisy ones is taken for the truth, the target "
        "follows too fast, or the horizon is too long",
        "algorithm.discount, algorithm.learning_rate, algorithm.target_every",
        t.values_run_away,
    ),
    Sign(
        "cuts_undiscounted",
        ("truncated",),
        "above 0, with algorithm.discount = 1",
        "values that are bootstrapped without a discount have no bound where play has no end of its own",
        "algorithm.discount",
        t.cuts_undiscounted,
    ),
    Sign(
        "replay_thin",
        ("replay_ratio",),
        f"below {t.THIN:g} for {t.THIN_ROUNDS} rounds",
        "far more is played than is learnt from: a decision is drawn updates × batch × chunk / (slots × turns) times",
        "algorithm.updates, algorithm.batch, algorithm.slots",
        t.replay_thin,
    ),
    Sign(
        "stopped_early",
        ("epochs",),
        f"half of algorithm.epochs or fewer for {t.STOPPED_ROUNDS} rounds, with algorithm.target_kl",
        "steps that are too large for the change that is allowed: most of every rollout goes unused",
        "algorithm.learning_rate, algorithm.target_kl, algorithm.epochs",
        t.stopped_early,
    ),
    Sign(
        "never_acting",
        ("agent_steps", "agent_steps/SEAT"),
        f"0 for {t.IDLE_ROUNDS} rounds",
        "a seat that the game never asks, or that is always held by frozen opponents",
        "matchmaking.self_play, game.id",
        t.never_acting,
    ),
    Sign(
        "endless",
        ("episodes",),
        f"0 for {t.ENDLESS_ROUNDS} rounds",
        "episodes that are far longer than a round, or never end",
        "algorithm.turns, game.options",
        t.endless,
    ),
)
"""All signs, in the order in which they are told."""


def begun(rounds: Sequence[Round], facts: Mapping[str, Facts]) -> list[Seen]:
    """The signs that begin in the last of `rounds`, by learner.

    rounds: the last `KEPT` ones at least, oldest first, or all that there are. facts: by learner.
    """
    found = []
    for learner, about in facts.items():
        past = history(learner, about, rounds[-KEPT:])
        whole = past.window(0, WINDOW)
        for sign in SIGNS:
            what = sign.test(whole)
            if what and not _was_there(sign, past):
                found.append(Seen(learner, sign, what, _heeded(sign.setting, about)))
    return found


def _heeded(setting: str, about: Facts) -> str:
    """Of a sign's keys, those that its learner heeds; all where it heeds none."""
    return ", ".join(key for key in setting.split(", ") if key not in about.unheeded) or setting


def _was_there(sign: Sign, past: History) -> bool:
    """Whether a sign was there in one of the rounds before the last."""
    return any(sign.test(past.window(back, WINDOW)) for back in range(1, min(QUIET, len(past.rounds) - 1) + 1))
