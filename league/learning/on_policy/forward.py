"""Passes of actors and critics over decisions of a batch, with memory or without.

Letters in shapes: L decisions of the batch, n some of them, C decisions of a chunk, G chunks, A numbers that the actor
puts out for a decision, M numbers of memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from league.learning.on_policy.batch import Batch
from league.policies.networks import Network


@dataclass(slots=True)
class Outputs:
    """take: `[n]`, which decisions of the batch. logits: `[n, A]` of the actor, or None. critic: `[n, outputs]`."""

    take: Tensor
    logits: Tensor | None
    critic: Tensor


def forward(actor: Network, critic: Network, batch: Batch, rows: Tensor, with_actor: bool) -> Outputs:
    """Evaluate both networks. rows: numbers of decisions, or of chunks where the batch has some."""
    if batch.chunks is not None:
        take = batch.chunks.index[:, rows][batch.chunks.there[:, rows]]
        output = _through_time(
            critic, batch, inputs=batch.critic_inputs, memory=batch.chunks.critic, rows=rows, take=take
        )
        return Outputs(take, actor_logits(actor, batch, rows, take) if with_actor else None, output)
    seat = batch.decisions.seat.index_select(0, rows)
    if with_actor and batch.critic_inputs is batch.decisions.obs and actor.trunk_is_plain and critic.trunk_is_plain:
        # Both see the same, so its preparation is shared.
        features = actor.features(batch.decisions.obs.index_select(0, rows), seat)
        return Outputs(rows, actor.answer(features), critic.answer(features))
    logits = actor(batch.decisions.obs.index_select(0, rows), seat) if with_actor else None
    return Outputs(rows, logits, critic(batch.critic_inputs.index_select(0, rows), seat))


def actor_logits(network: Network, batch: Batch, rows: Tensor, take: Tensor) -> Tensor:
    """`[n, A]` of the actor, or of its magnet, which is given the actor's memory. rows: see `forward`. take: `[n]`."""
    if batch.chunks is None:
        logits: Tensor = network(batch.decisions.obs.index_select(0, take), batch.decisions.seat.index_select(0, take))
        return logits
    return _through_time(network, batch, inputs=batch.decisions.obs, memory=batch.chunks.actor, rows=rows, take=take)


def _through_time(
    network: Network, batch: Batch, inputs: Tensor, memory: Tensor | None, rows: Tensor, take: Tensor
) -> Tensor:
    """`[n, outputs]` of the decisions `take` in the chunks `rows`. memory: `[G, M]` before them, None without."""
    chunks = batch.chunks
    if chunks is None or memory is None:
        plain: Tensor = network(inputs.index_select(0, take), batch.decisions.seat.index_select(0, take))
        return plain
    index = chunks.index[:, rows]
    seen = inputs.index_select(0, index.flatten()).unflatten(0, index.shape)
    outputs = network.unroll(seen, batch.decisions.seat[index[0]], memory.index_select(0, rows), chunks.fresh[:, rows])
    return outputs[chunks.there[:, rows]]
