"""The machine's limit: the speed of the matrix products that training needs, without anything else.

Each decision in a rollout costs one forward pass of the actor (to act) and one of the critic (for the advantage). Each
epoch of the update adds a forward pass of both, and two products per layer for the gradients of inputs and weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import Tensor

from league.learning.learner import Learner
from league.policies.architecture import NetworkSpec
from league.policies.memory import heads_of
from league.policies.networks import Network
from league.run.learners import new_learner
from league.studies.bench.probe import Probe, Workload, now
from league.threads import Threads, usable_cores

_BRIEF = 0.01
"""Seconds of the first trial of a candidate; only the best candidates are measured for longer."""

_SLOW = 0.3
"""A trial that takes more seconds than this is the last of its kind: no larger batches are tried."""

_FINALISTS = 3
_MAX_ELEMENTS = 2**25
"""The most elements of one matrix; those of convolutions are large."""

_DEVICE_BATCHES = (65536, 262144)
"""Larger batches for accelerators: small ones do not keep them busy."""


@dataclass(frozen=True, slots=True)
class Product:
    """One layer as a matrix product for each input: `[rows, inputs] × [inputs, outputs]`."""

    rows: int
    inputs: int
    outputs: int

    @property
    def flop(self) -> int:
        """Floating point operations of a forward pass of one input: two for each multiplication and addition."""
        return 2 * self.rows * self.inputs * self.outputs


def products(network: NetworkSpec) -> list[Product]:
    """The layers of a network for one decision. A 3×3 convolution is one product per cell of the board.

    A transformer embeds its whole window of observations for every decision, as it must when it acts.
    """
    found = []
    side_by_side, times = (network.length if network.memory == kind else 1 for kind in ("stack", "transformer"))
    width = side_by_side * prod(network.inputs)
    if network.kind == "conv":
        places = network.inputs[1] * network.inputs[2]
        for before, after in pairwise((side_by_side * network.inputs[0], *network.channels)):
            found.append(Product(times * places, 9 * before, after))
        width = network.channels[-1] * places
    widths = (width + network.seats, *network.hidden)
    found += [Product(times, before, after) for before, after in pairwise(widths)]
    return found + _memory_products(network, widths[-1]) + [Product(1, network.units or widths[-1], network.outputs)]


def _memory_products(network: NetworkSpec, width: int) -> list[Product]:
    """The products of a recurrent cell or a transformer with `width` inputs."""
    units, length = network.units, network.length
    if network.memory in ("gru", "lstm"):
        gates = (3 if network.memory == "gru" else 4) * units
        return [Product(1, width, gates), Product(1, units, gates)]
    if network.memory == "transformer":
        heads = heads_of(units)
        square, mixing = Product(1, units, units), [Product(heads, units, length), Product(heads, length, units)]
        wide = [Product(1, units, 4 * units), Product(1, 4 * units, units)]
        return [Product(length, width, units), *[square] * 4, *mixing, *wide]
    return []


def layers(learner: Learner) -> list[Product]:
    """The layers of a learner's networks."""
    networks = [network for network in learner.networks().values() if isinstance(network, Network)]
    return [product for network in networks for product in products(network.spec)]


def flop_per_step(learners: Sequence[Learner], epochs: int) -> float:
    """FLOP of one agent-step, including its share of the update: a mean over roles, weighted by seats that act."""
    seats = sum(learner.role.acting for learner in learners)
    passes = sum(learner.role.acting * product.flop for learner in learners for product in layers(learner))
    return (1 + 3 * epochs) * passes / seats


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to use the machine: `count` threads share one batch, or (alone) each thread has a batch of its own."""

    count: int
    alone: bool
    batch: int

    def __str__(self) -> str:
        if self.count == 1:
            return f"1 thread, {self.batch} rows"
        return f"{self.count} threads, {self.batch} rows {'each' if self.alone else 'together'}"


@dataclass(frozen=True, slots=True)
class _Trial:
    """One measurement of a candidate. rate: agent-steps per second. took: seconds of the whole trial."""

    candidate: Candidate
    rate: float
    took: float


class MachineLimit(Probe):
    """Agent-steps per second of matrix products alone, in one precision, for the fastest candidate.

    precision: "float32" or "bfloat16". Each sample tries all candidates briefly, then measures the fastest for longer.
    """

    unit = "agent-steps/s"

    def __init__(self, workload: Workload, precision: str) -> None:
        super().__init__(f"machine.limit.{precision}", f"matrix products alone, {precision}")
        self._workload, self._dtype = workload, getattr(torch, precision)
        self._best: _Trial | None = None
        self._pools: dict[int, Threads] = {}

    def prepare(self) -> None:
        config, spec = self._workload.config, self._workload.spec
        learners = [new_learner(config, spec, 0, role, self._workload.device) for role in range(len(spec.roles))]
        self.flop = flop_per_step(learners, self._workload.epochs)
        self._layers = [(learner.role.acting, layers(learner)) for learner in learners]
        self._pools = {count: Threads(count) for count in _counts() if count > 1}

    def sample(self) -> float:
        tried = [found for count, alone in self._thread_layouts() for found in self._trials(count, alone)]
        tried.sort(key=lambda one: one.rate, reverse=True)
        seconds = self._workload.effort.seconds / _FINALISTS
        finals = [one if one.took > seconds else self._try(one.candidate, seconds) for one in tried[:_FINALISTS]]
        best = max(finals, key=lambda one: one.rate)
        if self._best is None or best.rate > self._best.rate:
            self._best = best
        return best.rate

    def details(self) -> dict[str, object]:
        """FLOP/s and the candidate of the best sample."""
        if self._best is None:
            return {}
        return {"flop_per_second": self._best.rate * self.flop, "best": str(self._best.candidate)}

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _thread_layouts(self) -> list[tuple[int, bool]]:
        if self._workload.device.type != "cpu":
            return [(1, True)]
        return [(count, alone) for count in _counts() for alone in ((True, False) if count > 1 else (True,))]

    def _batches(self) -> list[int]:
        batches = [*self._workload.effort.batches]
        if self._workload.device.type != "cpu":
            batches += _DEVICE_BATCHES
        widest = max(one.rows * max(one.inputs, one.outputs) for _, layers in self._layers for one in layers)
        return [batch for batch in batches if batch * widest <= _MAX_ELEMENTS] or batches[:1]

    def _trials(self, count: int, alone: bool) -> list[_Trial]:
        """Trials of growing batch sizes, which end when a trial takes too long."""
        found: list[_Trial] = []
        for batch in self._batches():
            found.append(self._try(Candidate(count, alone, batch), _BRIEF))
            if found[-1].took > _SLOW:
                break
        return found

    def _try(self, candidate: Candidate, seconds: float) -> _Trial:
        """Time the forward passes and the passes of the update separately, for `seconds` in all."""
        began = time.perf_counter()
        jobs = candidate.count if candidate.alone else 1
        batches = [_Batch(self._layers, candidate.batch, self._dtype, self._workload.device) for _ in range(jobs)]
        if not candidate.alone:
            torch.set_num_threads(candidate.count)
        try:
            acting = self._time(candidate, batches, _Batch.forward, seconds / 2)
            learning = self._time(candidate, batches, _Batch.forward_and_backward, seconds / 2)
        finally:
            torch.set_num_threads(1)
        rate = sum(batch.steps for batch in batches) / (acting + self._workload.epochs * learning)
        return _Trial(candidate, rate, time.perf_counter() - began)

    def _time(
        self, candidate: Candidate, batches: Sequence[_Batch], part: Callable[[_Batch], None], seconds: float
    ) -> float:
        """Seconds for `part` of all batches, which run in parallel."""

        def repeat(batch: _Batch) -> None:
            for _ in range(times):
                part(batch)

        times, device = 1, self._workload.device
        while True:
            began = now(device)
            if len(batches) > 1:
                self._pools[candidate.count].map(repeat, batches)
            else:
                repeat(batches[0])
            took = now(device) - began
            if took >= seconds:
                return took / times
            times = max(2 * times, min(int(1.2 * times * seconds / max(took, 1e-9)), 64 * times))


class _Batch:
    """One batch of inputs for all layers of all networks. Results go to preallocated memory."""

    def __init__(
        self, roles: Sequence[tuple[int, Sequence[Product]]], batch: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        seats = sum(acting for acting, _ in roles)
        generator = torch.Generator().manual_seed(batch)

        def filled(rows: int, columns: int) -> Tensor:
            return torch.randn((rows, columns), generator=generator).to(device, dtype)

        self.steps = 0
        self._layers = []
        for acting, layers in roles:
            count = max(batch * acting // seats, 1)
            self.steps += count
            for layer in layers:
                rows = count * layer.rows
                inputs, weights = filled(rows, layer.inputs), filled(layer.outputs, layer.inputs)
                found = filled(rows, layer.outputs)
                self._layers.append((inputs, weights, found, torch.empty_like(inputs), torch.empty_like(weights)))

    def forward(self) -> None:
        """One forward pass."""
        for inputs, weights, found, _, _ in self._layers:
            torch.mm(inputs, weights.t(), out=found)

    def forward_and_backward(self) -> None:
        """One forward pass and the gradients of all inputs and weights."""
        self.forward()
        for inputs, weights, found, of_inputs, of_weights in self._layers:
            torch.mm(found, weights, out=of_inputs)
            torch.mm(found.t(), inputs, out=of_weights)


def _counts() -> list[int]:
    """The numbers of threads to try: the powers of two up to the number of cores, and that number."""
    cores = usable_cores()
    return sorted({cores, *(2**power for power in range(cores.bit_length()) if 2**power <= cores)})
