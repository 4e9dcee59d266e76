"""The rules: each looks for one warning sign in a learner's history and says what it found, or returns "".

The thresholds are wide: no config that ships with `league` reaches them in a healthy run. Each is documented where it
is declared. `catalogue.py` names the usual cause of each sign and the settings to look at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from league.learning.diagnostics.history import Curve, History, change_correlation, finite, mean, noise

MIN_BASELINE = 10
"""The fewest rounds of which a median is taken."""

KL_LIMIT = 0.1
"""An approx_kl above this is a jump in any case: common targets are 0.01 to 0.05."""
KL_TIMES, KL_FLOOR = 5.0, 0.03
"""An approx_kl this many times its median so far is a jump, too, if it is above the floor."""
CLIP_LIMIT, CLIP_ROUNDS = 0.4, 5
"""A clip_fraction above this, for so many rounds in a row: most of the update is discarded."""
COLLAPSE_SHARE, EARLY_ROUNDS = 0.2, 25
"""Within so many rounds of the run's first, the entropy of choices fell below this share of its first value."""
MIN_ENTROPY, MIN_ENTROPY_ROUNDS = 0.01, 5
"""The entropy of choices in nats below which a policy no longer explores, for so many rounds in a row."""
FLAT_SHARE, FLAT_ROUNDS = 0.98, 40
"""After so many rounds, entropy should be below this share of its first value."""
ENTROPY_RISE = 2.0
"""Nats by which the entropy of points in a box may rise within the window (it has no upper bound)."""
CRITIC_ROUNDS, WARM_UP_ROUNDS = 5, 10
"""Rounds in a row with an explained_variance of 0 or less. The first rounds of a run, with an untrained critic, do not
count."""
NEGLIGIBLE_VALUE_LOSS = 0.02
"""With normalised values, a value_loss below this leaves hardly anything to predict: a critic that predicts nothing has
about 0.5."""
LOSS_TIMES, LOSS_ROUNDS, LOSS_FLOOR = 10.0, 3, 0.05
"""A loss this many times its earlier median, for so many rounds in a row, and above the floor."""
GRADIENT_TIMES, GRADIENT_ROUNDS = 10.0, 2
"""A gradient norm this many times its earlier median that is also clipped. Value-based learners: for so many rounds in
a row, because every new target network causes a jolt."""
CLIPPED_TIMES, CLIPPED_ROUNDS = 3.0, 20
"""Norms above this many times max_grad_norm, for so many rounds in a row: the clip sets the step size, not the loss."""
VANISHED_NORM, VANISHED_ROUNDS = 1e-6, 5
"""A gradient norm that is practically 0, for so many rounds in a row."""
UNCHANGED_KL, UNCHANGED_ROUNDS = 1e-7, 10
"""An approx_kl that means no change of the policy, for so many rounds in a row."""
LOST_SHARE, SIGNIFICANT = 0.5, 4.0
"""The share of the progress that was lost again. A change is significant from this many times the noise on."""
MIN_RETURNS, END_ROUNDS = 20, 5
"""The fewest rounds whose returns are compared, and how many are averaged at each end."""
SAME_SHARE, SAME_ROUNDS = 0.95, 5
"""The share of decisions with the same action above which a policy ignores what it sees, so many rounds in a row."""
RIVALRY = -0.2
"""Opponents whose returns' changes have a correlation below this play against each other, as they should."""
ZERO_SUM_SHARE = 0.05
"""Returns are zero-sum if their sum varies by less than this share of what one seat's return does."""
NEGLIGIBLE_CHANGE = 1e-3
"""A smaller change of a return (relative, for returns above 1) is ignored, however little noise the curve has."""
EXPLORATION_LIMIT = 0.5
"""The share of random decisions above which returns do not show what was learnt."""
RUNAWAY_ROUNDS = 8
"""Rounds in a row with values outside of what any return allows."""
MIN_SPREAD = 0.1
"""How far values may lie beyond returns that hardly vary, as before the first reward is found."""
MIN_REPLAY_RATIO, REPLAY_ROUNDS = 0.5, 5
"""A decision should be sampled this often on average; below it for so many rounds in a row is a sign."""
EARLY_STOP_ROUNDS = 10
"""Rounds in a row in which target_kl ended the update after at most half of its epochs."""
IDLE_ROUNDS = 5
"""Rounds in a row without a decision."""
ENDLESS_ROUNDS = 20
"""Rounds in a row in which no episode ended."""


def kl_jump(history: History) -> str:
    """The policy changed too much in one update, at one seat or overall."""
    worst = ""
    for name in history.matching("approx_kl"):
        now, before = history.latest(name), finite(history.curve(name)[:-1])
        if now > KL_LIMIT:
            worst = worst or f"{name} is {now:.3g}, above {KL_LIMIT:g}"
        elif now > KL_FLOOR and len(before) >= MIN_BASELINE and now > KL_TIMES * median(before):
            worst = worst or f"{name} is {now:.3g}, {now / median(before):.0f} times its median of {median(before):.2g}"
    return worst


def clip_fraction_high(history: History) -> str:
    """Most probability ratios of the update are clipped."""
    values = history.last("clip_fraction", CLIP_ROUNDS)
    if values and min(values) > CLIP_LIMIT:
        return f"clip_fraction is above {CLIP_LIMIT:g} for {CLIP_ROUNDS} rounds (now {values[-1]:.2g})"
    return ""


def entropy_collapsed(history: History) -> str:
    """A policy over discrete actions became deterministic, or nearly so early in the run."""
    last = history.last("entropy", MIN_ENTROPY_ROUNDS)
    if not history.facts.discrete or not last:
        return ""
    if max(last) < MIN_ENTROPY:
        return f"entropy is below {MIN_ENTROPY:g} for {MIN_ENTROPY_ROUNDS} rounds (now {last[-1]:.2g})"
    first = finite(history.curve("entropy"))[0]
    if history.complete and history.rounds[-1] <= EARLY_ROUNDS and last[-1] < COLLAPSE_SHARE * first:
        return f"entropy fell from {first:.3g} to {last[-1]:.2g} within {history.rounds[-1]} rounds"
    return ""


def entropy_flat(history: History) -> str:
    """In a game without opponents, entropy and return stay where they began."""
    values, returns = finite(history.curve("entropy")), finite(history.curve("return"))
    if not (history.facts.discrete and history.facts.one_side and history.complete and len(values) >= FLAT_ROUNDS):
        return ""
    if (
        len(returns) < MIN_RETURNS
        or min(values) < FLAT_SHARE * values[0]
        or _total_change(returns) > SIGNIFICANT * noise(returns)
    ):
        return ""
    return f"entropy is {values[-1]:.3g} after {len(values)} rounds, as at the start ({values[0]:.3g})"


def entropy_exploding(history: History) -> str:
    """The standard deviation of a continuous policy keeps growing."""
    values = finite(history.curve("entropy"))
    if history.facts.discrete or len(values) < MIN_RETURNS or (risen := _total_change(values)) < ENTROPY_RISE:
        return ""
    return f"entropy rose by {risen:.2g} nats in {len(values)} rounds (now {values[-1]:.3g})"


def critic_blind(history: History) -> str:
    """The critic does not predict the returns, in a game of more than one move."""
    values = history.last("explained_variance", CRITIC_ROUNDS)
    if (
        not values
        or history.rounds[-CRITIC_ROUNDS] <= WARM_UP_ROUNDS
        or max(values) > 0
        or history.latest("episode_length") <= 1
    ):
        return ""
    if history.facts.settings.get("value_normalisation") and history.latest("value_loss") < NEGLIGIBLE_VALUE_LOSS:
        return ""
    return f"explained_variance is 0 or less for {CRITIC_ROUNDS} rounds (now {values[-1]:.2g})"


def loss_diverging(history: History) -> str:
    """The value loss grows instead of falling."""
    for name in ("value_loss", "td_loss"):
        last, before = history.last(name, LOSS_ROUNDS), finite(history.curve(name)[:-LOSS_ROUNDS])
        if not last or len(before) < MIN_BASELINE:
            continue
        usual = median(before)
        if min(last) > max(LOSS_TIMES * usual, LOSS_FLOOR):
            return f"{name} is {last[-1]:.3g}, its median before was {usual:.2g}"
    return ""


def gradient_exploding(history: History) -> str:
    """A gradient norm is many times what it was, so that clipping leaves only its direction."""
    limit = history.facts.settings.get("max_grad_norm", 1.0)
    rounds = GRADIENT_ROUNDS if "target_every" in history.facts.settings else 1
    for name in ("grad_norm", "critic_grad_norm"):
        last, before = history.last(name, rounds), finite(history.curve(name)[:-rounds])
        if last and len(before) >= MIN_BASELINE and min(last) > max(GRADIENT_TIMES * median(before), limit):
            return f"{name} is {last[-1]:.3g}, its median before was {median(before):.2g}"
    return ""


def gradient_clipped(history: History) -> str:
    """Gradient norms are always far above max_grad_norm."""
    limit = history.facts.settings.get("max_grad_norm", math.inf)
    for name in ("grad_norm", "critic_grad_norm"):
        values = history.last(name, CLIPPED_ROUNDS)
        if values and min(values) > CLIPPED_TIMES * limit:
            return f"{name} is {values[-1]:.3g}, above {CLIPPED_TIMES:g} times {limit:g} for {CLIPPED_ROUNDS} rounds"
    return ""


def gradient_vanishing(history: History) -> str:
    """The gradient is practically zero."""
    for name in ("grad_norm", "critic_grad_norm"):
        values = history.last(name, VANISHED_ROUNDS)
        if values and max(values) < VANISHED_NORM:
            return f"{name} is below {VANISHED_NORM:g} for {VANISHED_ROUNDS} rounds (now {values[-1]:.2g})"
    return ""


def steps_skipped(history: History) -> str:
    """Gradient steps were skipped because the loss or gradient was not finite."""
    now = history.latest("skipped_steps")
    return f"{now:.0f} gradient step{'s' * (now != 1)} skipped: loss or gradient was not finite" if now > 0 else ""


def return_falling(history: History) -> str:
    """In a game without opponents, most of the progress was lost again."""
    returns = finite(history.curve("return"))
    if not history.facts.one_side or len(returns) < MIN_RETURNS or history.latest("epsilon") > EXPLORATION_LIMIT:
        return ""
    middles = [mean(returns[end - END_ROUNDS : end]) for end in range(END_ROUNDS, len(returns) + 1)]
    best, now, first = max(middles), middles[-1], middles[0]
    if best - now > max(
        SIGNIFICANT * noise(returns), LOST_SHARE * (best - first), NEGLIGIBLE_CHANGE * max(abs(best), 1.0)
    ):
        return f"return is {now:.3g}, it was {best:.3g} (means of {END_ROUNDS} rounds)"
    return ""


def behind_past(history: History) -> str:
    """The newest snapshot is significantly worse than the best of those that it descends from."""
    ahead, high = history.latest("against_past"), history.latest("against_past_high")
    if not high < 0:
        return ""
    return f"the newest snapshot scores {-ahead:.2g} less than the best of those before it, at least {-high:.2g}"


def same_action(history: History) -> str:
    """A policy takes the same action in nearly every position, in a game of more than one move."""
    values = history.last("same_action", SAME_ROUNDS)
    if not values or min(values) <= SAME_SHARE or not history.latest("episode_length") > 1:
        return ""
    return f"the same action in {100 * values[-1]:.3g} % of all positions that allow it, for {SAME_ROUNDS} rounds"


def standing_still(history: History) -> str:
    """The policy does not change; or, in a game without opponents, the return is what it was in the first rounds."""
    moved = history.last("approx_kl", UNCHANGED_ROUNDS)
    if moved and max(map(abs, moved)) < UNCHANGED_KL and _takes_several_steps(history):
        return f"approx_kl is below {UNCHANGED_KL:g} for {UNCHANGED_ROUNDS} rounds: the policy does not change"
    returns = finite(history.curve("return"))
    if (
        not (history.facts.one_side and history.complete and len(returns) >= FLAT_ROUNDS)
        or history.latest("epsilon") > EXPLORATION_LIMIT
    ):
        return ""
    parts = [
        mean(returns[begin : begin + MIN_BASELINE]) for begin in range(0, len(returns) - MIN_BASELINE + 1, END_ROUNDS)
    ]
    if max(parts) - min(parts) > noise(returns):
        return ""
    return f"return is {parts[-1]:.3g} after {len(returns)} rounds, as at the start ({parts[0]:.3g})"


def _takes_several_steps(history: History) -> bool:
    """Whether a round has several gradient steps: approx_kl is measured before a step, so it is 0 for a single one."""
    settings = history.facts.settings
    # COMA, which has no clip, takes one pass; a remainder makes a step of its own from half a minibatch on.
    passes = settings.get("epochs", math.inf) if "clip" in settings else 1.0
    return passes > 1 or history.latest("agent_steps") >= 1.5 * settings.get("minibatch", 0.0)


def seats_apart(history: History) -> str:
    """One seat's return rises while another's falls: team-mates, or opponents in a game that is not zero-sum."""
    sides, span = history.facts.sides, slice(-2 * MIN_RETURNS, None)
    seats = {seat: curve[span] for seat, curve in history.seats.items() if seat in sides}
    seats = {
        seat: curve for seat, curve in seats.items() if len(curve) >= MIN_RETURNS and all(map(math.isfinite, curve))
    }
    if len(seats) < 2 or not (history.facts.scored or history.facts.one_side) or _zero_sum(list(seats.values())):
        return ""
    moves = {seat: _change_in_noise(curve) for seat, curve in seats.items()}
    mine = [seat for seat in seats if f"return/{seat}" in history.values]
    if not mine or moves[climbs := max(mine, key=moves.__getitem__)] <= SIGNIFICANT:
        return ""
    for falls in sorted(seats, key=moves.__getitem__):
        if moves[falls] >= -SIGNIFICANT:
            return ""
        if sides[falls] == sides[climbs] or change_correlation(seats[climbs], seats[falls]) > RIVALRY:
            up, down = (
                f"from {_first_mean(seats[seat]):.3g} to {_last_mean(seats[seat]):.3g}" for seat in (climbs, falls)
            )
            return f"return/{climbs} climbs {up} as return/{falls} falls {down}"
    return ""


def values_run_away(history: History) -> str:
    """Value estimates are far above or below every return seen."""
    returns = [finite(history.curve(name)) for name in history.matching("return")]
    if not any(returns) or len(history.rounds) < RUNAWAY_ROUNDS or history.rounds[-RUNAWAY_ROUNDS] <= WARM_UP_ROUNDS:
        return ""
    best, worst = max(map(max, filter(None, returns))), min(map(min, filter(None, returns)))
    # Where episodes are truncated, values look beyond the cut, to a horizon of 1 / (1 - discount) decisions.
    lengths, discount = finite(history.curve("episode_length")), history.facts.settings.get("discount", 1.0)
    beyond = max(1 / ((1 - discount) * min(lengths)) if lengths and discount < 1 else 1.0, 1.0)
    spread = max(2 * (best - worst), MIN_SPREAD)
    most, least = best + abs(best) * beyond + spread, worst - abs(worst) * beyond - spread
    for name in ("value", "q_value"):
        # Values are learnt from scaled rewards; returns are reported unscaled.
        values = [
            value / history.facts.settings.get("reward_scale", 1.0) for value in history.last(name, RUNAWAY_ROUNDS)
        ]
        if values and min(values) > most:
            return f"{name} is {values[-1]:.3g}, the largest return was {best:.3g}"
        if values and max(values) < least:
            return f"{name} is {values[-1]:.3g}, the smallest return was {worst:.3g}"
    return ""


def cuts_undiscounted(history: History) -> str:
    """Episodes are truncated, and the value beyond the cut is not discounted."""
    now = history.latest("truncated")
    if now > 0 and history.facts.settings.get("discount", 0.0) == 1.0:
        return f"{100 * now:.3g} % of episodes were cut off, and algorithm.discount is 1"
    return ""


def replay_thin(history: History) -> str:
    """Decisions leave the replay buffer before they were sampled once on average."""
    values = history.last("replay_ratio", REPLAY_ROUNDS)
    if values and max(values) < MIN_REPLAY_RATIO:
        return f"replay_ratio is {values[-1]:.2g}: a decision is learnt from so many times on average"
    return ""


def stopped_early(history: History) -> str:
    """target_kl ends every update after half of its epochs or fewer."""
    wanted, values = history.facts.settings.get("epochs", 0.0), history.last("epochs", EARLY_STOP_ROUNDS)
    if "target_kl" not in history.facts.settings or not values or max(values) > wanted / 2:
        return ""
    return (
        f"target_kl ended the update after {max(values):g} of {wanted:g} epochs, or sooner, {EARLY_STOP_ROUNDS} times"
    )


def never_acting(history: History) -> str:
    """A learner, or one of its seats, makes no decisions."""
    for name in history.matching("agent_steps"):
        values = history.last(name, IDLE_ROUNDS)
        if values and max(values) == 0:
            return f"{name} is 0 for {IDLE_ROUNDS} rounds"
    return ""


def endless(history: History) -> str:
    """No episode ends, so there are no returns."""
    values = history.last("episodes", ENDLESS_ROUNDS)
    return f"no episode ended in {ENDLESS_ROUNDS} rounds" if values and max(values) == 0 else ""


def _first_mean(curve: Curve) -> float:
    return mean(curve[:END_ROUNDS])


def _last_mean(curve: Curve) -> float:
    return mean(curve[-END_ROUNDS:])


def _total_change(curve: Curve) -> float:
    return _last_mean(curve) - _first_mean(curve)


def _change_in_noise(curve: Curve) -> float:
    """The total change of a curve in units of its noise; 0 if there is none."""
    change, unit = _total_change(curve), noise(curve)
    return change / unit if unit > 0 else math.copysign(math.inf, change) if change else 0.0


def _zero_sum(curves: Sequence[Curve]) -> bool:
    """Whether the sum of the curves stays constant while they change."""
    total = [sum(values) for values in zip(*curves, strict=True)]
    moved = max(max(curve) - min(curve) for curve in curves)
    return all(abs(after - before) <= ZERO_SUM_SHARE * moved for before, after in pairwise([total[0], *total]))
