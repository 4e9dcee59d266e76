"""What bad signs look like: each function takes a learner's history and says in words what it shows, or nothing.

The thresholds are meant to be silent on healthy runs: they stand well beyond what the configs that ship with `league`
show. Each is documented where it is declared; `signs.py` says of each what causes it and which setting to look at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from league.learning.diagnostics.history import Curve, History, known, mean, noise, together

ENOUGH = 10
"""Rounds of which a median is taken at least."""

KL_LIMIT = 0.1
"""An approx_kl above this is a jump whatever came before: common targets are 0.01 to 0.05."""
KL_TIMES, KL_FLOOR = 5.0, 0.03
"""Also a jump: this many times the median before it, and above a size at which it begins to matter."""
CLIPPED, CLIPPED_ROUNDS = 0.4, 5
"""The clip_fraction above which most of an update is thrown away, and for how many rounds in a row."""
COLLAPSED, EARLY = 0.2, 25
"""The share of its first value that the entropy of choices may fall to within so many rounds from the run's first."""
CERTAIN, CERTAIN_ROUNDS = 0.01, 5
"""The entropy of choices, in nats, below which a policy tries nothing new, and for how many rounds in a row."""
FLAT_SHARE, FLAT_ROUNDS = 0.98, 40
"""The share of its first value that entropy should be below after so many rounds."""
RISEN = 2.0
"""Nats by which the entropy of points in a box may rise within the window (it has no highest value)."""
BLIND_ROUNDS, WARM_UP = 5, 10
"""Rounds in a row with explained_variance of 0 or less; those of the warm-up, when values are those of a network that
has learnt nothing, do not count."""
FORESEEN = 0.02
"""A value_loss, where values are normalised, below which hardly anything is left to foresee: that of one that knows
nothing is about 0.5."""
DIVERGED, DIVERGED_ROUNDS, DIVERGED_FLOOR = 10.0, 3, 0.05
"""A loss this many times its median before, for so many rounds in a row, and not tiny."""
EXPLODED, EXPLODED_ROUNDS = 10.0, 2
"""A gradient's norm this many times its median before it, where it is also clipped; of value learners for so many
rounds in a row, as every new target is a jolt."""
HELD, HELD_ROUNDS = 3.0, 20
"""Norms above this many times max_grad_norm, in so many rounds in a row: clipping sets the step, not the loss."""
VANISHED, VANISHED_ROUNDS = 1e-6, 5
"""A gradient's norm that is as good as 0, for how many rounds in a row."""
UNMOVED, UNMOVED_ROUNDS = 1e-7, 10
"""An approx_kl with which a policy stands still, for how many rounds in a row."""
FALLEN, SURE = 0.5, 4.0
"""The share of what was learnt that is lost again; changes count from this many times the noise between rounds."""
SPAN, ENDS = 20, 5
"""Rounds of which returns are compared at least, and how many at each end are averaged."""
APART = -0.2
"""Between opponents: seats whose returns' changes are correlated below this play against each other, as they should."""
CONSTANT = 0.05
"""Returns whose sum varies by less than this share of what one seat's does are zero-sum."""
TINY = 1e-3
"""A change of a return (of 1, or of the share of a larger one) that is not worth a word, however still the curve is."""
EXPLORING = 0.5
"""The share of random decisions above which returns say nothing of what was learnt."""
AWAY_ROUNDS = 8
"""Rounds in a row with values above or below what any return allows."""
NEAR = 0.1
"""What values may be beyond returns that hardly vary, as before a reward is ever met."""
THIN, THIN_ROUNDS = 0.5, 5
"""How often a decision is learnt from, at least, and for how many rounds in a row it was less."""
STOPPED_ROUNDS = 10
"""Rounds in a row of which target_kl ended the update after half of its epochs or sooner."""
IDLE_ROUNDS = 5
"""Rounds in a row without one decision."""
ENDLESS_ROUNDS = 20
"""Rounds in a row in which no episode ended."""


def kl_jump(h: History) -> str:
    """The policy changed too much at once, at one seat or altogether."""
    worst = ""
    for name in h.named("approx_kl"):
        now, before = h.now(name), known(h.of(name)[:-1])
        if now > KL_LIMIT:
            worst = worst or f"{name} is {now:.3g}, above {KL_LIMIT:g}"
        elif now > KL_FLOOR and len(before) >= ENOUGH and now > KL_TIMES * median(before):
            worst = worst or f"{name} is {now:.3g}, {now / median(before):.0f} times its median of {median(before):.2g}"
    return worst


def clipped(h: History) -> str:
    """Most of the updates' probability ratios are clipped."""
    values = h.last("clip_fraction", CLIPPED_ROUNDS)
    if values and min(values) > CLIPPED:
        return f"clip_fraction is above {CLIPPED:g} for {CLIPPED_ROUNDS} rounds (now {values[-1]:.2g})"
    return ""


def entropy_collapsed(h: History) -> str:
    """A policy of choices became certain, or nearly so within its first rounds."""
    last = h.last("entropy", CERTAIN_ROUNDS)
    if not h.facts.discrete or not last:
        return ""
    if max(last) < CERTAIN:
        return f"entropy is below {CERTAIN:g} for {CERTAIN_ROUNDS} rounds (now {last[-1]:.2g})"
    first = known(h.of("entropy"))[0]
    if h.whole and h.rounds[-1] <= EARLY and last[-1] < COLLAPSED * first:
        return f"entropy fell from {first:.3g} to {last[-1]:.2g} within {h.rounds[-1]} rounds"
    return ""


def entropy_flat(h: History) -> str:
    """A policy with nobody to beat stays as random as it began, and its return stays where it was."""
    values, returns = known(h.of("entropy")), known(h.of("return"))
    if not (h.facts.discrete and h.facts.one_side and h.whole and len(values) >= FLAT_ROUNDS):
        return ""
    if len(returns) < SPAN or min(values) < FLAT_SHARE * values[0] or _change(returns) > SURE * noise(returns):
        return ""
    return f"entropy is {values[-1]:.3g} after {len(values)} rounds, as at the start ({values[0]:.3g})"


def entropy_exploding(h: History) -> str:
    """The spread of points in a box grows without end."""
    values = known(h.of("entropy"))
    if h.facts.discrete or len(values) < SPAN or (risen := _change(values)) < RISEN:
        return ""
    return f"entropy rose by {risen:.2g} nats in {len(values)} rounds (now {values[-1]:.3g})"


def critic_blind(h: History) -> str:
    """The critic foresees nothing of the returns, in games of more than one move."""
    values = h.last("explained_variance", BLIND_ROUNDS)
    if not values or h.rounds[-BLIND_ROUNDS] <= WARM_UP or max(values) > 0 or h.now("episode_length") <= 1:
        return ""
    if h.facts.settings.get("value_normalisation") and h.now("value_loss") < FORESEEN:
        return ""
    return f"explained_variance is 0 or less for {BLIND_ROUNDS} rounds (now {values[-1]:.2g})"


def loss_diverging(h: History) -> str:
    """The loss of the values grows instead of falling."""
    for name in ("value_loss", "td_loss"):
        last, before = h.last(name, DIVERGED_ROUNDS), known(h.of(name)[:-DIVERGED_ROUNDS])
        if not last or len(before) < ENOUGH:
            continue
        usual = median(before)
        if min(last) > max(DIVERGED * usual, DIVERGED_FLOOR):
            return f"{name} is {last[-1]:.3g}, its median before was {usual:.2g}"
    return ""


def gradient_exploding(h: History) -> str:
    """A gradient is many times what it was, so that its direction is all that is left of it."""
    limit = h.facts.settings.get("max_grad_norm", 1.0)
    rounds = EXPLODED_ROUNDS if "target_every" in h.facts.settings else 1
    for name in ("grad_norm", "critic_grad_norm"):
        last, before = h.last(name, rounds), known(h.of(name)[:-rounds])
        if last and len(before) >= ENOUGH and min(last) > max(EXPLODED * median(before), limit):
            return f"{name} is {last[-1]:.3g}, its median before was {median(before):.2g}"
    return ""


def gradient_clipped(h: History) -> str:
    """Gradients are far above the norm that they are scaled down to, always."""
    limit = h.facts.settings.get("max_grad_norm", math.inf)
    for name in ("grad_norm", "critic_grad_norm"):
        values = h.last(name, HELD_ROUNDS)
        if values and min(values) > HELD * limit:
            return f"{name} is {values[-1]:.3g}, above {HELD:g} times {limit:g} for {HELD_ROUNDS} rounds"
    return ""


def gradient_vanishing(h: History) -> str:
    """Nothing reaches the weights."""
    for name in ("grad_norm", "critic_grad_norm"):
        values = h.last(name, VANISHED_ROUNDS)
        if values and max(values) < VANISHED:
            return f"{name} is below {VANISHED:g} for {VANISHED_ROUNDS} rounds (now {values[-1]:.2g})"
    return ""


def steps_skipped(h: History) -> str:
    """Gradient steps whose loss or gradient was not finite."""
    now = h.now("skipped_steps")
    return f"{now:.0f} gradient step{'s' * (now != 1)} skipped: loss or gradient was not finite" if now > 0 else ""


def return_falling(h: History) -> str:
    """With nobody to beat, most of what was learnt is lost again."""
    returns = known(h.of("return"))
    if not h.facts.one_side or len(returns) < SPAN or h.now("epsilon") > EXPLORING:
        return ""
    middles = [mean(returns[end - ENDS : end]) for end in range(ENDS, len(returns) + 1)]
    best, now, first = max(middles), middles[-1], middles[0]
    if best - now > max(SURE * noise(returns), FALLEN * (best - first), TINY * max(abs(best), 1.0)):
        return f"return is {now:.3g}, it was {best:.3g} (means of {ENDS} rounds)"
    return ""


def standing_still(h: History) -> str:
    """The policy does not change; or, with nobody to beat, its return is what it was in the first rounds."""
    moved = h.last("approx_kl", UNMOVED_ROUNDS)
    if moved and max(map(abs, moved)) < UNMOVED and _in_steps(h):
        return f"approx_kl is below {UNMOVED:g} for {UNMOVED_ROUNDS} rounds: the policy does not change"
    returns = known(h.of("return"))
    if not (h.facts.one_side and h.whole and len(returns) >= FLAT_ROUNDS) or h.now("epsilon") > EXPLORING:
        return ""
    parts = [mean(returns[begin : begin + ENOUGH]) for begin in range(0, len(returns) - ENOUGH + 1, ENDS)]
    if max(parts) - min(parts) > noise(returns):
        return ""
    return f"return is {parts[-1]:.3g} after {len(returns)} rounds, as at the start ({parts[0]:.3g})"


def _in_steps(h: History) -> bool:
    """Whether it moves in several steps a round: approx_kl, measured before each, tells nothing of a single one."""
    settings = h.facts.settings
    # Without a clip (COMA), the policy takes one pass; what is left is a step where it is half a minibatch.
    passes = settings.get("epochs", math.inf) if "clip" in settings else 1.0
    return passes > 1 or h.now("agent_steps") >= 1.5 * settings.get("minibatch", 0.0)


def seats_apart(h: History) -> str:
    """One seat's return climbs as another's falls: team-mates, or opponents in a game that is not zero-sum."""
    sides, span = h.facts.sides, slice(-2 * SPAN, None)
    seats = {seat: curve[span] for seat, curve in h.seats.items() if seat in sides}
    seats = {seat: curve for seat, curve in seats.items() if len(curve) >= SPAN and all(map(math.isfinite, curve))}
    if len(seats) < 2 or not (h.facts.scored or h.facts.one_side) or _zero_sum(list(seats.values())):
        return ""
    moves = {seat: _in_noise(curve) for seat, curve in seats.items()}
    mine = [seat for seat in seats if f"return/{seat}" in h.values]
    if not mine or moves[climbs := max(mine, key=moves.__getitem__)] <= SURE:
        return ""
    for falls in sorted(seats, key=moves.__getitem__):
        if moves[falls] >= -SURE:
            return ""
        if sides[falls] == sides[climbs] or together(seats[climbs], seats[falls]) > APART:
            up, down = (f"from {_first(seats[seat]):.3g} to {_last(seats[seat]):.3g}" for seat in (climbs, falls))
            return f"return/{climbs} climbs {up} as return/{falls} falls {down}"
    return ""


def values_run_away(h: History) -> str:
    """Values are far above, or below, what any round returned."""
    returns = [known(h.of(name)) for name in h.named("return")]
    if not any(returns) or len(h.rounds) < AWAY_ROUNDS or h.rounds[-AWAY_ROUNDS] <= WARM_UP:
        return ""
    best, worst = max(map(max, filter(None, returns))), min(map(min, filter(None, returns)))
    # Where episodes are cut off, values look beyond their end, to a horizon of 1 / (1 - discount) decisions.
    lengths, discount = known(h.of("episode_length")), h.facts.settings.get("discount", 1.0)
    beyond = max(1 / ((1 - discount) * min(lengths)) if lengths and discount < 1 else 1.0, 1.0)
    spread = max(2 * (best - worst), NEAR)
    most, least = best + abs(best) * beyond + spread, worst - abs(worst) * beyond - spread
    for name in ("value", "q_value"):
        # Values are learnt of scaled rewards; returns are shown as they are.
        values = [value / h.facts.settings.get("reward_scale", 1.0) for value in h.last(name, AWAY_ROUNDS)]
        if values and min(values) > most:
            return f"{name} is {values[-1]:.3g}, the largest return was {best:.3g}"
        if values and max(values) < least:
            return f"{name} is {values[-1]:.3g}, the smallest return was {worst:.3g}"
    return ""


def cuts_undiscounted(h: History) -> str:
    """Episodes are cut off, and what is expected beyond the cut is not discounted."""
    now = h.now("truncated")
    if now > 0 and h.facts.settings.get("discount", 0.0) == 1.0:
        return f"{100 * now:.3g} % of episodes were cut off, and algorithm.discount is 1"
    return ""


def replay_thin(h: History) -> str:
    """What is played leaves the replay buffer before it was learnt from."""
    values = h.last("replay_ratio", THIN_ROUNDS)
    if values and max(values) < THIN:
        return f"replay_ratio is {values[-1]:.2g}: a decision is learnt from so many times on average"
    return ""


def stopped_early(h: History) -> str:
    """target_kl ends every update long before its epochs are done."""
    wanted, values = h.facts.settings.get("epochs", 0.0), h.last("epochs", STOPPED_ROUNDS)
    if "target_kl" not in h.facts.settings or not values or max(values) > wanted / 2:
        return ""
    return f"target_kl ended the update after {max(values):g} of {wanted:g} epochs, or sooner, {STOPPED_ROUNDS} times"


def never_acting(h: History) -> str:
    """A learner, or one of its seats, has nothing to decide."""
    for name in h.named("agent_steps"):
        values = h.last(name, IDLE_ROUNDS)
        if values and max(values) == 0:
            return f"{name} is 0 for {IDLE_ROUNDS} rounds"
    return ""


def endless(h: History) -> str:
    """No episode ends, so that no return is ever known."""
    values = h.last("episodes", ENDLESS_ROUNDS)
    return f"no episode ended in {ENDLESS_ROUNDS} rounds" if values and max(values) == 0 else ""


def _first(curve: Curve) -> float:
    return mean(curve[:ENDS])


def _last(curve: Curve) -> float:
    return mean(curve[-ENDS:])


def _change(curve: Curve) -> float:
    return _last(curve) - _first(curve)


def _in_noise(curve: Curve) -> float:
    """The change of a curve in units of its noise; 0 where it does not change at all."""
    change, unit = _change(curve), noise(curve)
    return change / unit if unit > 0 else math.copysign(math.inf, change) if change else 0.0


def _zero_sum(curves: Sequence[Curve]) -> bool:
    """Whether the curves' sum stays the same as they change."""
    total = [sum(values) for values in zip(*curves, strict=True)]
    moved = max(max(curve) - min(curve) for curve in curves)
    return all(abs(after - before) <= CONSTANT * moved for before, after in pairwise([total[0], *total]))
