"""The batch that an update learns from, its chunks for networks with memory, and its minibatches.

Letters in shapes: M rows (see `play.trajectory`), D own decisions, N chains, L decisions learned from, C decisions of a
chunk, G chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from league.play.decisions import Decisions
from league.play.trajectory import Chains

_MIN_ROWS_PER_TASK = 1024
"""A minibatch is not cut into tasks of fewer decisions than these: smaller ones cost more than they save."""


@dataclass(slots=True, kw_only=True)
class Chunks:
    """Consecutive decisions of one seat, through which networks with memory are trained.

    index: `[C, G]` int64, number of a decision in the batch; 0 where a chunk is shorter. there: `[C, G]` bool. fresh:
    `[C, G]` bool, the decision begins an episode, so the memory before it is zeros. actor, critic: `[G, M]`, memory
    before each chunk's first decision; None for a network without memory.
    """

    index: Tensor
    there: Tensor
    fresh: Tensor
    actor: Tensor | None
    critic: Tensor | None


@dataclass(slots=True, kw_only=True)
class Batch:
    """What an update learns from; every tensor `[L, ...]`.

    decisions: the learner's own. critic_inputs: what the critic sees of each. value: the critic's, before the update;
    target: the return that it is to learn; advantage: what the actor is trained with (all in the game's own units,
    times `reward_scale`). chunks: where a network has memory.
    """

    decisions: Decisions
    critic_inputs: Tensor
    value: Tensor
    target: Tensor
    advantage: Tensor
    chunks: Chunks | None = None

    def __len__(self) -> int:
        return len(self.decisions.seat)


def make_chunks(
    chain: Chains, chosen: Tensor, length: int, actor_memory: Tensor | None, critic_memory: Tensor | None
) -> Chunks:
    """Cut the decisions that are learned from, `chosen` `[D, N]`, into chunks of `length` along each chain.

    actor_memory: `[M, ...]`, before each row. critic_memory: `[D, N, ...]`, before each decision. The batch numbers its
    decisions in the order of `chosen`: depth by depth, chain by chain.
    """
    device, count = chosen.device, chosen.shape[1]
    place = (chosen.cumsum(0) - 1).clamp(min=0)
    most = int(place.max()) // length + 1 if chosen.any() else 1
    at_depth, at_chain = chosen.nonzero(as_tuple=True)
    within, column = place[chosen] % length, place[chosen] // length * count + at_chain
    begins = torch.cat((torch.zeros_like(chosen[:1]), ~chain.follows[:-1]))
    index = torch.zeros((length, most * count), dtype=torch.int64, device=device)
    there, fresh = (torch.zeros(index.shape, dtype=torch.bool, device=device) for _ in range(2))
    index[within, column] = torch.arange(len(within), device=device)
    there[within, column] = True
    fresh[within, column] = begins[chosen]
    # A chunk's stored memory stands for all that came before it, and is zeros where an episode begins.
    fresh[0] = False
    used = there[0]
    first = index[0, used]
    row = chain.row[chosen][first]
    return Chunks(
        index=index[:, used],
        there=there[:, used],
        fresh=fresh[:, used],
        actor=None if actor_memory is None else actor_memory.index_select(0, row),
        critic=None if critic_memory is None else critic_memory[at_depth[first], at_chain[first]],
    )


def minibatches(batch: Batch, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, int]]:
    """Minibatches of about `size` decisions: numbers of decisions (or of chunks, where there are some), and how many
    decisions these are."""
    device = batch.value.device
    if batch.chunks is None:
        for rows in partition(len(batch), size, generator, device):
            yield rows, len(rows)
        return
    length, count = batch.chunks.index.shape
    decisions = batch.chunks.there.sum(0)
    for rows in partition(count, max(size // length, 1), generator, device):
        yield rows, int(decisions[rows].sum())


def microbatches(rows: Tensor, batch: Batch, most: int) -> list[Tensor]:
    """Cut a minibatch into tasks for threads: up to four, of `_MIN_ROWS_PER_TASK` to `most` decisions each.

    The cut does not depend on the number of threads, so neither does the sum of the tasks' gradients.
    """
    length = 1 if batch.chunks is None else len(batch.chunks.index)
    size = max(min(most, max(len(rows) * length // 4, _MIN_ROWS_PER_TASK)) // length, 1)
    return list(rows.split(size))


def partition(count: int, size: int, generator: torch.Generator, device: torch.device) -> list[Tensor]:
    """A random partition of `count` numbers into parts of `size`; a remainder below half of that is left out."""
    order = torch.randperm(count, generator=generator).to(device)
    parts = list(order.split(size))
    if len(parts) > 1 and 2 * len(parts[-1]) < size:
        parts.pop()
    return parts
