"""Learning action values from a replay buffer: QMIX and VDN.

`ValueLearner.learn` reads top to bottom: store what the round brought, then sample sequences and take gradient steps on
them. A side's joint action value is mixed from those of its seats (`mixers`). With sides of one seat this is double DQN
(van Hasselt et al. 2016, arXiv:1509.06461), whatever the mixer.
Letters in shapes: C decisions learnt from, W burn-in rows before them, Q sampled sequences, n seats of a side, A
actions, F numbers of the state, M numbers of memory.
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
from league.learning.off_policy.experience import PendingRows, Segment, SideLayout, build_segment
from league.learning.off_policy.mixers import MonotonicMixer, SumMixer
from league.learning.off_policy.replay import ReplayBuffer, Sample, SequenceBatch
from league.learning.on_policy.losses import regression_loss
from league.learning.settings import QmixSettings, ReplaySettings, VdnSettings, annealed
from league.policies.networks import Network
from league.policies.neural import NeuralPolicy
from league.policies.settings import NetworkSettings
from league.threads import Threads

ReplayT = TypeVar("ReplayT", bound=ReplaySettings, covariant=True, default=ReplaySettings)

_MEASURED = ("td_loss", "q_value", "target", "grad_norm")


@dataclass(slots=True, kw_only=True)
class TdEstimate:
    """Values and targets of sampled sequences.

    seat_values: `[C, Q, n]`, of each seat's action; 0 where it does not act. value: `[C, Q]`, of the joint actions.
    target: `[C, Q]`, without gradients.
    """

    seat_values: Tensor
    value: Tensor
    target: Tensor


class ValueLearner(Learner[ReplayT]):
    """A learner of action values. A subclass chooses the mixer.

    updates: gradient steps so far. pending: decisions whose successor lies beyond the latest rollout. Raises
    ConfigError for games that it cannot learn.
    """

    actor_gain = 0.1
    uses_team_reward = True
    pending: PendingRows

    @property
    def policy(self) -> NeuralPolicy:
        """See `Learner.policy`."""
        return NeuralPolicy(self.role.name, self.actor, self.epsilon())

    def frozen(self) -> NeuralPolicy:
        """See `Learner.frozen`."""
        return replace(super().frozen(), epsilon=self.settings.epsilon_rated)

    def epsilon(self) -> float:
        """The current fraction of random decisions in training."""
        settings = self.settings
        return annealed(settings.epsilon, settings.epsilon_end, settings.epsilon_steps, self.age)

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
        """See `Learner.replay_state`: priorities, and the pending decisions."""
        return self.replay.tensors() | {f"waiting.{key}": value for key, value in self.pending.items()}

    def replay_segments(self, write: Callable[[Mapping[str, Tensor]], str]) -> list[str]:
        """See `Learner.replay_segments`."""
        return self.replay.ids(write)

    def load_replay(self, state: Mapping[str, Tensor], segments: Sequence[tuple[str, Mapping[str, Tensor]]]) -> None:
        """See `Learner.load_replay`."""
        try:
            self.replay.load([(id, Segment.of(tensors, self.device)) for id, tensors in segments], state)
        except (KeyError, RuntimeError, IndexError) as error:
            raise SnapshotError(f"learner {self.name}: its replay buffer does not fit: {error}") from None
        self.pending = {key: value.to(self.device) for key, value in with_prefix(state, "waiting.").items()}

    def learn(
        self, inputs: TrainingInput, tick: Tick = lambda fraction: None, threads: Threads = SINGLE_THREAD
    ) -> UpdateResult:
        """See `Learner.learn`."""
        began, settings = time.perf_counter(), self.settings
        found, self.pending = build_segment(
            inputs.rollout,
            self.layout,
            owner=inputs.owner,
            pending=self.pending,
            chunk=settings.chunk,
            burn_in=settings.burn_in if self.actor.memory else 0,
            with_state=self.mixes_state,
        )
        self.replay.add(found)
        middle = time.perf_counter()
        metrics = {"epsilon": self.epsilon(), "learning_rate": self.learning_rate()}
        # Whole rounds are dropped, so the buffer may be full shortly before it holds `capacity` decisions.
        if self.replay.decisions >= settings.warmup or self.replay.full:
            metrics |= self._update(inputs.generator, found.decisions, tick, threads)
        steps = found.steps
        self.steps += steps
        acted = found.rows["present"]
        self.update_moments({"actor": found.rows["obs"][acted]})
        metrics |= {"agent_steps": float(steps), "buffer": float(self.replay.decisions)}
        return UpdateResult(metrics, {"advantages": middle - began, "update": time.perf_counter() - middle})

    @property
    def mixes_state(self) -> bool:
        """Whether the mixer is given the game's state."""
        return isinstance(self.mixer, MonotonicMixer) and self.game.state_shape is not None

    def estimate(self, batch: SequenceBatch, threads: Threads = SINGLE_THREAD) -> TdEstimate:
        """Values and targets y = r + γ Q_tot'(next) of sequences, along the side's own decisions."""
        settings, rows = self.settings, batch.rows
        burn_in = len(rows["side"]) - settings.chunk - 1
        seat = self.layout.seats[rows["side"][0]].flatten()

        def evaluate(network: Network, with_gradients: bool) -> Tensor:
            with torch.set_grad_enabled(with_gradients):
                return unroll_values(network, batch, seat, burn_in)

        online, target = threads.map(lambda one: evaluate(*one), [(self.actor, True), (self.target, False)])
        rows = {name: value[burn_in:] for name, value in rows.items()}
        present, state = rows["present"], self._mixer_state(rows)
        chosen = online[:-1].gather(3, rows["action"][:-1, ..., None])[..., 0]
        chosen = torch.where(present[:-1], chosen, 0.0)
        value = self.mixer(chosen, None if state is None else state[:-1])
        with torch.no_grad():
            best = (online if settings.double else target)[1:]
            if "mask" in rows:
                best = torch.where(rows["mask"][1:], best, -torch.inf)
            following = target[1:].gather(3, best.argmax(3, keepdim=True))[..., 0]
            following = torch.where(present[1:], following, 0.0)
            next_value = self.target_mixer(following, None if state is None else state[1:])
            next_value = torch.where(rows["goes_on"][:-1], next_value, 0.0)
            goal = settings.reward_scale * rows["reward"][:-1] + settings.discount * next_value
        return TdEstimate(seat_values=chosen, value=value, target=goal)

    def _update(self, generator: torch.Generator, new: int, tick: Tick, threads: Threads) -> dict[str, float]:
        """Take gradient steps on sampled sequences; returns metrics. new: decisions that the round brought."""
        settings, parameters = self.settings, self.parameters()
        self.optimiser.param_groups[0]["lr"] = self.learning_rate()
        sums, skipped = torch.zeros(len(_MEASURED)), 0
        reused = torch.zeros((), dtype=torch.int64, device=self.device)
        burn_in = settings.burn_in if self.actor.memory else 0
        for step in range(settings.updates):
            sample = self.replay.sample(settings.batch, settings.priority, settings.priority_correction, generator)
            batch = self.replay.gather(sample.number, settings.chunk, burn_in)
            found = self.estimate(batch, threads)
            learns = batch.rows["learns"][burn_in:-1]
            count = learns.sum()
            reused += count
            error = torch.where(learns, found.value - found.target, 0.0)
            loss = (regression_loss(error, settings.value_loss, settings.huber_delta) * sample.weight).sum() / count
            self.optimiser.zero_grad(set_to_none=True)
            if settings.priority > 0:
                self._prioritise(sample, batch, found, error, burn_in)
            loss.backward()
            self.actor.tie_gradients()
            norm = nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
            tick((step + 1) / settings.updates)
            if not bool(torch.isfinite(loss.detach() + norm)):
                skipped += 1
                continue
            self.optimiser.step()
            self._move_target()
            means = [torch.where(learns, one, 0.0).sum() / count for one in (found.value.detach(), found.target)]
            sums += torch.stack((loss.detach(), *means, norm)).cpu()
        self.optimiser.zero_grad(set_to_none=True)
        self.actor.tie_weights()
        self.skipped = self.skipped + 1 if skipped == settings.updates else 0
        taken = settings.updates - skipped
        metrics = dict(zip(_MEASURED, (sums / taken).tolist(), strict=True)) if taken else {}
        return metrics | {
            "updates": float(settings.updates),
            "skipped_steps": float(skipped),
            "replay_ratio": float(reused) / max(new, 1),
        }

    def _prioritise(self, sample: Sample, batch: SequenceBatch, found: TdEstimate, error: Tensor, burn_in: int) -> None:
        """Update priorities: each seat's is its share of the side's TD error, |δ ∂Q_tot/∂Q_i|."""
        shares = torch.autograd.grad(found.value.sum(), found.seat_values, retain_graph=True)[0]
        acted = batch.rows["present"][burn_in:-1] & batch.rows["learns"][burn_in:-1, :, None]
        errors = error.detach()[..., None] * shares
        if bool(errors.isfinite().all()):
            self.replay.update_priorities(sample.number, errors, acted)

    def _move_target(self) -> None:
        """After a gradient step: copy the network once in `target_every` steps, or move towards it (`target_rate`)."""
        self.updates += 1
        settings = self.settings
        rate = settings.target_rate
        if rate is None:
            rate = 1.0 if self.updates % settings.target_every == 0 else 0.0
        if rate:
            move_towards(self.target, self.actor, rate)
            move_towards(self.target_mixer, self.mixer, rate)

    def _mixer_state(self, rows: Mapping[str, Tensor]) -> Tensor | None:
        """`[C + 1, Q, F]`: the state, or the observations of the side's seats; then one-hot which side it is."""
        if not isinstance(self.mixer, MonotonicMixer):
            return None
        if "state" in rows:
            found = rows["state"]
        else:
            found = rows["obs"].flatten(3).to(torch.float32)
            found = torch.where(rows["present"][..., None], found, 0.0).flatten(2)
        if len(self.layout.seats) == 1:
            return found
        return torch.cat((found, nn.functional.one_hot(rows["side"], len(self.layout.seats)).to(found.dtype)), -1)

    def _state_width(self) -> int:
        """F."""
        shape = self.game.state_shape
        sides, seats = self.layout.seats.shape
        width = seats * torch.Size(self.role.obs_shape).numel() if shape is None else torch.Size(shape).numel()
        return width + (sides if sides > 1 else 0)

    def _build(self, network: NetworkSettings, generator: torch.Generator) -> None:
        self._check()
        settings = self.settings
        self.layout = SideLayout.of(self.game, self.role, self.device)
        self.mixer = self._new_mixer(generator).to(self.device)
        self.target = self._copy(self.actor).requires_grad_(False)
        self.target_mixer = self._new_mixer(torch.Generator()).to(self.device).requires_grad_(False)
        self.target_mixer.load_state_dict(self.mixer.state_dict())
        if self.layout.has_seat.shape[1] == 1:
            self.notice = (
                f"{self.name}: a side of one seat has nothing to mix, so {settings.kind} amounts to double DQN here"
            )
        self.updates = 0
        self.replay = ReplayBuffer(settings.capacity, self.layout.has_seat)
        self.pending = {}

    @abstractmethod
    def _new_mixer(self, generator: torch.Generator) -> nn.Module:
        """The mixer, with weights drawn from the generator."""

    def _check(self) -> None:
        """Raises ConfigError for a game whose actions or sides it cannot learn."""
        kind = self.base_settings.kind
        if not isinstance(self.role.actions, Discrete):
            raise ConfigError(
                f"algorithm.kind = '{kind}' needs discrete actions, but {self.role.name} of {self.game.id} has "
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
    """QMIX: a monotonic mixer that depends on the state (Rashid et al. 2018, arXiv:1803.11485)."""

    def _new_mixer(self, generator: torch.Generator) -> nn.Module:
        settings = self.settings
        seats = self.layout.seats.shape[1]
        if seats == 1:
            return SumMixer()
        return MonotonicMixer(seats, self._state_width(), settings.mixer, settings.hypernetwork, generator)


class Vdn(ValueLearner[VdnSettings]):
    """VDN: the sum of the seats' values (Sunehag et al. 2018, arXiv:1706.05296)."""

    def _new_mixer(self, generator: torch.Generator) -> nn.Module:
        return SumMixer()


def unroll_values(network: Network, batch: SequenceBatch, seat: Tensor, burn_in: int) -> Tensor:
    """`[C + 1, Q, n, A]`: a network's action values of every row, with each seat's own memory. seat: `[Q * n]`."""
    rows = batch.rows
    obs, present = rows["obs"].flatten(1, 2), rows["present"].flatten(1, 2)
    begins, seats = rows["begins"], present.shape[1] // rows["side"].shape[1]
    memory = batch.memory.flatten(0, 1)
    if network.memory:
        with torch.no_grad():
            for turn in range(burn_in):
                memory = torch.where(_by_seat(begins[turn], seats)[:, None], 0.0, memory)
                after = network.step(obs[turn], seat, memory)[1]
                memory = torch.where(present[turn][:, None], after, memory)
        memory = torch.where(_by_seat(begins[burn_in], seats)[:, None], 0.0, memory)
    obs, present, begins = obs[burn_in:], present[burn_in:], begins[burn_in:]
    fresh = torch.cat((torch.zeros_like(begins[:1]), begins[1:]))
    if not network.memory or bool(present.all()):
        values = network.unroll(obs, seat, memory, _by_seat(fresh, seats))
    else:
        values = _unroll_own(network, obs, seat=seat, memory=memory, fresh=_by_seat(fresh, seats), present=present)
    unflattened: Tensor = values.unflatten(1, (-1, seats))
    return unflattened


def _unroll_own(network: Network, obs: Tensor, seat: Tensor, memory: Tensor, fresh: Tensor, present: Tensor) -> Tensor:
    """`[C + 1, N, A]`, N = Q * n, where rows in which a seat does not act leave its memory alone."""
    order = (~present).to(torch.uint8).argsort(dim=0, stable=True)
    episode = fresh.cumsum(0).gather(0, order)
    begins = torch.cat((episode[:1] > 0, episode[1:] != episode[:-1]))
    index = order.view(*order.shape, *(1 for _ in obs.shape[2:])).expand(obs.shape)
    values = network.unroll(obs.gather(0, index), seat, memory, begins)
    return values.gather(0, order.argsort(0)[..., None].expand(values.shape))


def _by_seat(values: Tensor, seats: int) -> Tensor:
    """`[..., Q]` → `[..., Q * n]`."""
    return values.repeat_interleave(seats, -1)
