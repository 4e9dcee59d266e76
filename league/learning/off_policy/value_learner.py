"""Learning what actions are worth, from a replay buffer: QMIX and VDN.

`ValueLearner.learn` is the whole of it: keep what the round brought, then draw sequences and take gradient steps. What
a side's joint action is worth is mixed from what its seats' actions are (`mixers`); with sides of one seat this is
double DQN (van Hasselt et al. 2016, arXiv:1509.06461), whatever the mixer.
Letters in shapes: C decisions learnt from, W rows before them, Q drawn sequences, n seats of a side, A actions, F
numbers of the state, M numbers of memory.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from typing_extensions import TypeVar

from league.errors import ConfigError, SnapshotError
from league.events import Tick
from league.games.actions import Discrete
from league.learning.learner import SINGLE_THREAD, Learner, TrainingInput, UpdateResult, move_towards, with_prefix
from league.learning.off_policy.experience import Segment, Sides, Waiting, segment
from league.learning.off_policy.mixers import Monotonic, Sum
from league.learning.off_policy.replay import Drawn, Replay, Window
from league.learning.on_policy.losses import regression_loss
from league.learning.settings import QmixSettings, ReplaySettings, VdnSettings, annealed
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy
from league.policies.settings import NetworkSettings
from league.threads import Threads

ReplayT = TypeVar("ReplayT", bound=ReplaySettings, covariant=True, default=ReplaySettings)

_MEASURED = ("td_loss", "q_value", "target", "grad_norm")


@dataclass(slots=True)
class Worth:
    """What a learner says of sequences. chosen: `[C, Q, n]` worth of each seat's action, 0 where it does not act.

    value: `[C, Q]` of the joint actions. target: `[C, Q]`, without gradients.
    """

    chosen: Tensor
    value: Tensor
    target: Tensor


class ValueLearner(Learner[ReplayT]):
    """A learner of action values. A subclass says how a side's are mixed.

    updates: gradient steps so far. Raises ConfigError for games that it cannot learn.
    """

    actor_gain = 0.1
    uses_team_reward = True
    waiting: Waiting

    @property
    def policy(self) -> NeuralPolicy:
        """See `Learner.policy`."""
        return NeuralPolicy(self.role.name, self.actor, self.epsilon())

    def frozen(self) -> NeuralPolicy:
        """See `Learner.frozen`."""
        return replace(super().frozen(), epsilon=self.settings.epsilon_rated)

    def epsilon(self) -> float:
        """The share of random decisions in training now."""
        settings = self.settings
        return annealed(settings.epsilon, settings.epsilon_end, settings.epsilon_steps, self.steps)

    def networks(self) -> dict[str, nn.Module]:
        """See `Learner.networks`."""
        return {"actor": self.actor, "mixer": self.mixer, "target": self.target, "target_mixer": self.target_mixer}

    def parameters(self) -> list[Tensor]:
        """The actor's and the mixer's."""
        return [*self.actor.parameters(), *self.mixer.parameters()]

    def tensors(self) -> dict[str, Tensor]:
        """See `Learner.tensors`."""
        return super().tensors() | {"updates": torch.tensor(self.updates)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Learner.load`."""
        super().load(tensors)
        self.updates = int(tensors.get("updates", torch.tensor(0)))

    def initialise_from(self, policy: NeuralPolicy) -> None:
        """See `Learner.initialise_from`."""
        super().initialise_from(policy)
        self.target.load_state_dict(self.actor.state_dict())

    def replay_state(self) -> dict[str, Tensor]:
        """See `Learner.replay_state`: priorities, and the decisions that wait."""
        return self.replay.tensors() | {f"waiting.{key}": value for key, value in self.waiting.items()}

    def replay_segments(self, write: Callable[[Mapping[str, Tensor]], str]) -> list[str]:
        """See `Learner.replay_segments`."""
        return self.replay.ids(write)

    def load_replay(self, state: Mapping[str, Tensor], segments: Sequence[tuple[str, Mapping[str, Tensor]]]) -> None:
        """See `Learner.load_replay`."""
        try:
            self.replay.load([(id, Segment.of(tensors, self.device)) for id, tensors in segments], state)
        except (KeyError, RuntimeError, IndexError) as error:
            raise SnapshotError(f"learner {self.name}: its replay buffer does not fit: {error}") from None
        self.waiting = {key: value.to(self.device) for key, value in with_prefix(state, "waiting.").items()}

    def learn(
        self, inputs: TrainingInput, tick: Tick = lambda fraction: None, threads: Threads = SINGLE_THREAD
    ) -> UpdateResult:
        """See `Learner.learn`."""
        began, settings = time.perf_counter(), self.settings
        found, self.waiting = segment(
            inputs.rollout,
            self.sides,
            inputs.owner,
            self.waiting,
            settings.chunk,
            settings.burn_in if self.actor.memory else 0,
            self.looks_at_state,
        )
        self.replay.add(found)
        middle = time.perf_counter()
        metrics = {"epsilon": self.epsilon(), "learning_rate": self.learning_rate()}
        # Whole rounds leave the buffer, so that it may be full a little before it holds `capacity`.
        if self.replay.decisions >= settings.warmup or self.replay.full:
            metrics |= self._update(inputs.generator, found.decisions, tick, threads)
        steps = found.steps
        self.steps += steps
        acted = found.rows["present"]
        self.update_moments({"actor": found.rows["obs"][acted]})
        metrics |= {"agent_steps": float(steps), "buffer": float(self.replay.decisions)}
        return UpdateResult(metrics, {"advantages": middle - began, "update": time.perf_counter() - middle})

    @property
    def looks_at_state(self) -> bool:
        """Whether the mixer is given the game's state."""
        return isinstance(self.mixer, Monotonic) and self.game.state_shape is not None

    def judge(self, window: Window, threads: Threads = SINGLE_THREAD) -> Worth:
        """What sequences are worth, and what they should be: y = r + γ Q_tot'(next), along the side's decisions."""
        settings, rows = self.settings, window.rows
        burn_in = len(rows["side"]) - settings.chunk - 1
        seat = self.sides.seats[rows["side"][0]].flatten()

        def asked(network: Network, learns: bool) -> Tensor:
            with torch.set_grad_enabled(learns):
                return values_of(network, window, seat, burn_in)

        said, other = threads.map(lambda one: asked(*one), [(self.actor, True), (self.target, False)])
        rows = {name: value[burn_in:] for name, value in rows.items()}
        present, state = rows["present"], self._state(rows)
        chosen = said[:-1].gather(3, rows["action"][:-1, ..., None])[..., 0]
        chosen = torch.where(present[:-1], chosen, 0.0)
        value = self.mixer(chosen, None if state is None else state[:-1])
        with torch.no_grad():
            best = (said if settings.double else other)[1:]
            if "mask" in rows:
                best = torch.where(rows["mask"][1:], best, -torch.inf)
            following = other[1:].gather(3, best.argmax(3, keepdim=True))[..., 0]
            following = torch.where(present[1:], following, 0.0)
            worth = self.target_mixer(following, None if state is None else state[1:])
            worth = torch.where(rows["goes_on"][:-1], worth, 0.0)
            target = settings.reward_scale * rows["reward"][:-1] + settings.discount * worth
        return Worth(chosen, value, target)

    def _update(self, generator: torch.Generator, brought: int, tick: Tick, threads: Threads) -> dict[str, float]:
        """Gradient steps on sequences from the buffer; their metrics. brought: decisions that the round brought."""
        settings, parameters = self.settings, self.parameters()
        self.optimiser.param_groups[0]["lr"] = self.learning_rate()
        sums, skipped = torch.zeros(len(_MEASURED)), 0
        drew = torch.zeros((), dtype=torch.int64, device=self.device)
        burn_in = settings.burn_in if self.actor.memory else 0
        for step in range(settings.updates):
            drawn = self.replay.draw(settings.batch, settings.priority, settings.priority_correction, generator)
            window = self.replay.window(drawn.number, settings.chunk, burn_in)
            judged = self.judge(window, threads)
            learns = window.rows["learns"][burn_in:-1]
            count = learns.sum()
            drew += count
            error = torch.where(learns, judged.value - judged.target, 0.0)
            loss = (regression_loss(error, settings.value_loss, settings.huber_delta) * drawn.weight).sum() / count
            self.optimiser.zero_grad(set_to_none=True)
            if settings.priority > 0:
                self._prioritise(drawn, window, judged, error, burn_in)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
            tick((step + 1) / settings.updates)
            if not bool(torch.isfinite(loss.detach() + norm)):
                skipped += 1
                continue
            self.optimiser.step()
            self._move_target()
            means = [torch.where(learns, one, 0.0).sum() / count for one in (judged.value.detach(), judged.target)]
            sums += torch.stack((loss.detach(), *means, norm)).cpu()
        self.optimiser.zero_grad(set_to_none=True)
        self.skipped = self.skipped + 1 if skipped == settings.updates else 0
        taken = settings.updates - skipped
        found = dict(zip(_MEASURED, (sums / taken).tolist(), strict=True)) if taken else {}
        return found | {
            "updates": float(settings.updates),
            "skipped_steps": float(skipped),
            "replay_ratio": float(drew) / max(brought, 1),
        }

    def _prioritise(self, drawn: Drawn, window: Window, judged: Worth, error: Tensor, burn_in: int) -> None:
        """Sequences that were drawn: each seat's priority is its share of the side's error, |δ ∂Q_tot/∂Q_i|."""
        shares = torch.autograd.grad(judged.value.sum(), judged.chosen, retain_graph=True)[0]
        acted = window.rows["present"][burn_in:-1] & window.rows["learns"][burn_in:-1, :, None]
        errors = error.detach()[..., None] * shares
        if bool(errors.isfinite().all()):
            self.replay.learnt(drawn.number, errors, acted)

    def _move_target(self) -> None:
        """After a gradient step: onto the network once in `target_every` steps, or towards it."""
        self.updates += 1
        settings = self.settings
        rate = settings.target_rate
        if rate is None:
            rate = 1.0 if self.updates % settings.target_every == 0 else 0.0
        if rate:
            move_towards(self.target, self.actor, rate)
            move_towards(self.target_mixer, self.mixer, rate)

    def _state(self, rows: Mapping[str, Tensor]) -> Tensor | None:
        """What a mixer is given, `[C + 1, Q, F]`: the state, or what the side's seats see; and which side it is."""
        if not isinstance(self.mixer, Monotonic):
            return None
        if "state" in rows:
            found = rows["state"]
        else:
            found = rows["obs"].flatten(3).to(torch.float32)
            found = torch.where(rows["present"][..., None], found, 0.0).flatten(2)
        if len(self.sides.seats) == 1:
            return found
        return torch.cat((found, nn.functional.one_hot(rows["side"], len(self.sides.seats)).to(found.dtype)), -1)

    def _state_width(self) -> int:
        """F."""
        shape = self.game.state_shape
        sides, seats = self.sides.seats.shape
        seen = seats * torch.Size(self.role.obs_shape).numel() if shape is None else torch.Size(shape).numel()
        return seen + (sides if sides > 1 else 0)

    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        self._check()
        settings = self.settings
        self.sides = Sides.of(self.game, self.role, self.device)
        self.mixer = self._new_mixer(generator).to(self.device)
        self.target = self._copy_of_actor().requires_grad_(False)
        self.target_mixer = self._new_mixer(torch.Generator()).to(self.device).requires_grad_(False)
        self.target_mixer.load_state_dict(self.mixer.state_dict())
        if self.sides.there.shape[1] == 1:
            self.notice = (
                f"{self.name}: sides of one seat have nothing to mix, so that {settings.kind} is double DQN here"
            )
        self.updates = 0
        self.replay = Replay(settings.capacity, self.sides.there)
        self.waiting = {}

    @abstractmethod
    def _new_mixer(self, generator: torch.Generator) -> nn.Module:
        """What mixes the values of a side's seats, with weights drawn from the generator."""

    def _check(self) -> None:
        """Raises ConfigError for games whose actions or sides it cannot learn."""
        kind = self.base_settings.kind
        if not isinstance(self.role.actions, Discrete):
            raise ConfigError(
                f"algorithm.kind = '{kind}' learns one of n actions, but {self.role.name} of {self.game.id} has "
                f"{self.role.actions}: use algorithm.kind = 'mappo' or 'ippo'"
            )
        for side in self.game.sides:
            if set(side) & set(self.role.seats) and not set(side) <= set(self.role.seats):
                roles = [role.name for role in self.game.roles if set(side) & set(role.seats)]
                raise ConfigError(
                    f"algorithm.kind = '{kind}' mixes the values of a side's seats, which must be of one role; "
                    f"{self.game.id} has {' and '.join(roles)} on one side: use game.options = {{ pad = true }}, so "
                    "that one policy serves all seats, or algorithm.kind = 'mappo' or 'ippo'"
                )


class Qmix(ValueLearner[QmixSettings]):
    """A monotonic mixture that depends on the state (Rashid et al. 2018, arXiv:1803.11485)."""

    def _new_mixer(self, generator: torch.Generator) -> nn.Module:
        settings = self.settings
        seats = self.sides.seats.shape[1]
        if seats == 1:
            return Sum()
        return Monotonic(seats, self._state_width(), settings.mixer, settings.hypernetwork, generator)


class Vdn(ValueLearner[VdnSettings]):
    """The sum of the seats' values (Sunehag et al. 2018, arXiv:1706.05296)."""

    def _new_mixer(self, generator: torch.Generator) -> nn.Module:
        return Sum()


def values_of(network: Network, window: Window, seat: Tensor, burn_in: int) -> Tensor:
    """`[C + 1, Q, n, A]`: what a network says of every row, each seat remembering its own. seat: `[Q * n]`."""
    rows = window.rows
    obs, present = rows["obs"].flatten(1, 2), rows["present"].flatten(1, 2)
    begins, seats = rows["begins"], present.shape[1] // rows["side"].shape[1]
    memory = window.memory.flatten(0, 1)
    if network.memory:
        with torch.no_grad():
            for turn in range(burn_in):
                memory = torch.where(_each(begins[turn], seats)[:, None], 0.0, memory)
                after = network.step(obs[turn], seat, memory)[1]
                memory = torch.where(present[turn][:, None], after, memory)
        memory = torch.where(_each(begins[burn_in], seats)[:, None], 0.0, memory)
    obs, present, begins = obs[burn_in:], present[burn_in:], begins[burn_in:]
    fresh = torch.cat((torch.zeros_like(begins[:1]), begins[1:]))
    if not network.memory or bool(present.all()):
        said = network.unroll(obs, seat, memory, _each(fresh, seats))
    else:
        said = _unroll_own(network, obs, seat, memory, _each(fresh, seats), present)
    apart: Tensor = said.unflatten(1, (-1, seats))
    return apart


def _unroll_own(network: Network, obs: Tensor, seat: Tensor, memory: Tensor, fresh: Tensor, present: Tensor) -> Tensor:
    """`[C + 1, N, A]`, N = Q * n, where each seat's memory passes by the rows in which it does not act."""
    order = (~present).to(torch.uint8).argsort(dim=0, stable=True)
    episode = fresh.cumsum(0).gather(0, order)
    begins = torch.cat((episode[:1] > 0, episode[1:] != episode[:-1]))
    index = order.view(*order.shape, *(1 for _ in obs.shape[2:])).expand(obs.shape)
    said = network.unroll(obs.gather(0, index), seat, memory, begins)
    return said.gather(0, order.argsort(0)[..., None].expand(said.shape))


def _each(values: Tensor, seats: int) -> Tensor:
    """`[..., Q]` → `[..., Q * n]`."""
    return values.repeat_interleave(seats, -1)
