"""The learning of the reference: advantages and losses by hand, decision by decision, in float64.

A network is a plain function of one observation; torch serves for gradients and Adam only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from league.learning.on_policy.ppo import Mappo
from league.policies.networks import Network

MOVING = 0.99
"""How much of the value statistics stays at each update."""


class Mlp:
    """A network of fully connected layers, in float64."""

    def __init__(self, network: Network) -> None:
        self.seats, self.activation = network.spec.seats, network.spec.activation
        self.parameters = [value.detach().double().requires_grad_() for value in network.parameters()]

    def __call__(self, obs: Tensor, seat: int) -> Tensor:
        """The last layer's outputs for one observation."""
        seated = [1.0 if number == seat else 0.0 for number in range(self.seats)]
        hidden = torch.cat((obs.double().flatten(), torch.tensor(seated, dtype=torch.float64)))
        layers = list(zip(self.parameters[::2], self.parameters[1::2], strict=True))
        for weight, bias in layers[:-1]:
            hidden = weight @ hidden + bias
            hidden = hidden.clamp(min=0.0) if self.activation == "relu" else hidden.tanh()
        weight, bias = layers[-1]
        return weight @ hidden + bias


@dataclass(eq=False)
class Decision:
    """One decision of one seat, and all that became of it.

    sees: what the critic sees of it. reward: collected since. next: the seat's next decision of the same episode.
    then: what the critic sees of what came after, where that is no decision of this rollout.
    """

    slot: int
    seat: int
    role: str
    owner: str
    obs: Tensor
    sees: Tensor
    legal: list[int]
    action: int
    log_prob: float
    reward: float = 0.0
    next: Decision | None = None
    then: Tensor | None = None
    terminated: bool = False
    value: float = 0.0
    advantage: float = 0.0
    place: int = 0

    @property
    def known(self) -> bool:
        """Whether what came after it is known."""
        return self.terminated or self.next is not None or self.then is not None

    @property
    def target(self) -> float:
        """The return to learn."""
        return self.value + self.advantage


class Student:
    """A copy of a learner that learns slowly. It is left as it was; this one's weights go their own way."""

    def __init__(self, learner: Mappo) -> None:
        self.name, self.role, self.settings = learner.name, learner.role, learner.settings
        self.actor, self.critic = Mlp(learner.actor), Mlp(learner.critic)
        self.mean, self.square, self.weight = 0.0, 0.0, 0.0
        self.steps, self.seats = 0, learner.game.seats
        self.adam = torch.optim.Adam(
            [*self.actor.parameters, *self.critic.parameters],
            lr=self.settings.learning_rate,
            eps=self.settings.adam_epsilon,
            foreach=False,
        )

    def scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the value targets so far."""
        if not self.weight:
            return 0.0, 1.0
        mean = self.mean / self.weight
        return mean, math.sqrt(max(self.square / self.weight - mean**2, 1e-4))

    def worth(self, sees: Tensor, seat: int) -> float:
        """The critic's value in the game's units."""
        mean, deviation = self.scale()
        with torch.no_grad():
            return float(self.critic(sees, seat)[0]) * deviation + mean

    def judge(self, own: list[Decision]) -> list[Decision]:
        """Values and advantages of one seat's decisions, latest last; returns those with a known future."""
        gamma, lam = self.settings.discount, self.settings.gae_lambda
        own = [decision for decision in own if decision.owner == self.name]
        for decision in own:
            decision.value, decision.advantage = self.worth(decision.sees, decision.seat), 0.0
        for decision in reversed(own):
            if decision.terminated:
                decision.advantage = decision.reward - decision.value
            elif decision.next is not None:
                delta = decision.reward + gamma * decision.next.value - decision.value
                decision.advantage = delta + gamma * lam * decision.next.advantage
            elif decision.then is not None:
                following = self.worth(decision.then, decision.seat)
                decision.advantage = decision.reward + gamma * following - decision.value
        return [decision for decision in own if decision.known]

    def entropy_weight(self) -> float:
        """Of the entropy bonus now."""
        begin, end = self.settings.entropy, self.settings.entropy_end
        if end is None:
            return begin
        return begin + (end - begin) * min(self.steps / self.settings.entropy_steps, 1.0)

    def learn(self, lessons: list[Decision], generator: torch.Generator) -> dict[str, float]:
        """The update, minibatch by minibatch. lessons: in the order that the generator shuffles."""
        settings, weight = self.settings, self.entropy_weight()
        if not lessons:
            return {"agent_steps": 0.0}
        mean, deviation = self.scale()
        old = [(lesson.value - mean) / deviation for lesson in lessons]
        if settings.value_normalisation:
            self.mean = MOVING * self.mean + (1 - MOVING) * average([lesson.target for lesson in lessons])
            self.square = MOVING * self.square + (1 - MOVING) * average([lesson.target**2 for lesson in lessons])
            self.weight = MOVING * self.weight + (1 - MOVING)
        mean, deviation = self.scale()
        targets = [(lesson.target - mean) / deviation for lesson in lessons]
        gains = [lesson.advantage for lesson in lessons]
        if settings.advantage_normalisation and len(gains) > 1:
            centre = average(gains)
            spread = math.sqrt(sum((gain - centre) ** 2 for gain in gains) / (len(gains) - 1))
            gains = [(gain - centre) / (spread + 1e-8) for gain in gains]
        measured: list[dict[str, float]] = []
        apart: dict[int, list[float]] = {}
        epochs = 0
        for _ in range(settings.epochs):
            order = torch.randperm(len(lessons), generator=generator).tolist()
            begun = len(measured)
            for begin in range(0, len(lessons), settings.minibatch):
                rows = order[begin : begin + settings.minibatch]
                if begin == 0 or 2 * len(rows) >= settings.minibatch:
                    chosen = [(lessons[i], gains[i], old[i], targets[i]) for i in rows]
                    measured.append(self._step(chosen, weight, apart))
            epochs += 1
            divergence = average([found["approx_kl"] for found in measured[begun:]])
            if settings.target_kl is not None and divergence > 1.5 * settings.target_kl:
                break
        self.steps += len(lessons)
        errors = [lesson.target - lesson.value for lesson in lessons]
        seats = {f"approx_kl/{self.seats[seat]}": average(found) for seat, found in apart.items()}
        return (
            {key: average([found[key] for found in measured]) for key in measured[0]}
            | seats
            | {
                "explained_variance": 1.0 - variance(errors) / variance([lesson.target for lesson in lessons]),
                "value": average([lesson.value for lesson in lessons]),
                "entropy_weight": weight,
                "learning_rate": settings.learning_rate,
                "skipped_steps": 0.0,
                "epochs": float(epochs),
                "agent_steps": float(len(lessons)),
            }
        )

    def _step(
        self, rows: list[tuple[Decision, float, float, float]], entropy_weight: float, apart: dict[int, list[float]]
    ) -> dict[str, float]:
        """One gradient step on the mean of the rows' losses. apart: takes how far each seat's decisions moved."""
        clip, near_clip = self.settings.clip, self.settings.value_clip
        zero = torch.zeros((), dtype=torch.float64)
        policy_loss, value_loss, entropy, approx_kl, clipped = zero, zero, zero, 0.0, 0
        for lesson, gain, old, target in rows:
            logs = log_probs(self.actor(lesson.obs, lesson.seat), lesson.legal)
            log_ratio = logs[lesson.legal.index(lesson.action)] - lesson.log_prob
            ratio = log_ratio.exp()
            bounded = ratio.clamp(1 - clip, 1 + clip)
            policy_loss = policy_loss - torch.minimum(ratio * gain, bounded * gain)
            entropy = entropy - (logs.exp() * logs).sum()
            value = self.critic(lesson.sees, lesson.seat)[0]
            error = (value - target) ** 2
            if near_clip > 0:
                near = (old + (value - old).clamp(-near_clip, near_clip) - target) ** 2
                error = torch.maximum(error, near)
            value_loss = value_loss + 0.5 * error
            approx_kl += (ratio - 1 - log_ratio).item()
            apart.setdefault(lesson.seat, []).append((ratio - 1 - log_ratio).item())
            clipped += abs(ratio.item() - 1) > clip
        size = len(rows)
        loss = (policy_loss - entropy_weight * entropy + self.settings.value_coefficient * value_loss) / size
        self.adam.zero_grad()
        loss.backward()
        norms = [limit(network.parameters, self.settings.max_grad_norm) for network in (self.actor, self.critic)]
        self.adam.step()
        return {
            "policy_loss": policy_loss.item() / size,
            "value_loss": value_loss.item() / size,
            "entropy": entropy.item() / size,
            "approx_kl": approx_kl / size,
            "clip_fraction": clipped / size,
            "grad_norm": norms[0],
            "critic_grad_norm": norms[1],
        }


def limit(parameters: Sequence[Tensor], most: float) -> float:
    """Scale gradients down to the norm `most` where theirs is larger; returns the norm that they had."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients))
    for gradient in gradients:
        gradient *= min(most / (norm + 1e-6), 1.0)
    return norm


def log_probs(logits: Tensor, legal: list[int]) -> Tensor:
    """Of the legal actions, in their order."""
    chosen = logits.double()[legal]
    return chosen - chosen.exp().sum().log()


def average(values: Sequence[float]) -> float:
    """The mean."""
    return sum(values) / len(values)


def variance(values: Sequence[float]) -> float:
    """The mean squared distance from the mean."""
    centre = average(values)
    return average([(value - centre) ** 2 for value in values])
