"""Rollouts: T turns of a table into preallocated, turn-major tensors.

Letters in shapes: T turns, B slots, S seats, K acting seats of a role, P posts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from league.games.core import Acting, Game, RoleSpec
from league.play.decisions import Decisions
from league.play.table import Move, Table
from league.play.trajectory import Rollout


def nothing_pending(game: Game, role: RoleSpec, memory: int = 0, joint_actions: bool = False) -> Decisions:
    """`[B, R]` with no decision in it: what is pending before a table's first rollout.

    memory: width of the memory of the role's learner, 0 for none. joint_actions: keep what every seat did.
    """
    spec, shape, device = game.spec, (game.slots, len(role.seats)), game.device
    state = joint = None
    if spec.state_shape is not None:
        state = torch.zeros((*shape, *spec.state_shape), device=device)
    if joint_actions:
        joint = torch.zeros((*shape, len(spec.seats)), dtype=torch.int64, device=device)
    return Decisions(
        obs=_no_obs(role, shape, device),
        mask=torch.ones((*shape, role.actions.width), dtype=torch.bool, device=device),
        seat=torch.tensor(role.seats, device=device).expand(shape),
        present=torch.zeros(shape, dtype=torch.bool, device=device),
        action=torch.zeros((*shape, *role.actions.shape), dtype=role.action_dtype, device=device),
        log_prob=torch.zeros(shape, device=device),
        owner=torch.zeros(shape, dtype=torch.int64, device=device),
        memory=torch.zeros((*shape, memory), device=device) if memory else None,
        state=state,
        joint_action=joint,
        reward=torch.zeros(shape, device=device),
    )


def collect(
    table: Table, turns: int, pending: dict[str, Decisions], tick: Callable[[float], None] = lambda fraction: None
) -> Rollout:
    """Play `turns` turns in every slot. pending: by role, of the rollout before. tick: called with the fraction done.

    Does not wait for the device before the end. Raises PolicyError where a policy's logits are not a distribution.
    """
    spec, slots, device = table.game.spec, table.game.slots, table.game.device
    rows = {
        role.name: _empty_rows(role, turns, table.turn.acts[role.name], pending[role.name].memory)
        for role in spec.roles
    }
    flags = torch.zeros((2, turns, slots, len(spec.seats)), dtype=torch.bool, device=device)
    numbers = torch.zeros((2, turns, slots, len(spec.seats)), device=device)
    ended = torch.zeros((turns, slots), dtype=torch.bool, device=device)
    length = torch.zeros((turns, slots), dtype=torch.int64, device=device)
    lineup = torch.zeros((turns, slots, len(table.posts)), dtype=torch.int64, device=device)
    state = final_state = final_obs = None
    if spec.state_shape is not None:
        state = torch.zeros((turns, slots, *spec.state_shape), device=device)
        if spec.can_truncate:
            final_state = torch.zeros_like(state)
            final_obs = {role.name: _no_obs(role, (turns, slots, len(role.seats)), device) for role in spec.roles}
    for t in range(turns):
        move = table.advance()
        for name, into in rows.items():
            into.write(t, _decisions(move, name, into))
        numbers[0, t], numbers[1, t] = move.turn.reward, move.turn.score
        flags[0, t], flags[1, t] = move.turn.terminated, move.turn.truncated
        ended[t], length[t], lineup[t] = move.turn.ended, move.clock + 1, move.lineup
        if state is not None and move.state is not None:
            state[t] = move.state
        if final_state is not None and move.turn.final_state is not None:
            final_state[t] = move.turn.final_state
        if final_obs is not None and move.turn.final_obs is not None:
            for name, seen in move.turn.final_obs.items():
                final_obs[name][t] = seen
        tick((t + 1) / turns)
    for into in rows.values():
        table.check(into.log_prob, into.owner)
    return Rollout(
        rows=rows,
        pending=pending,
        reward=numbers[0],
        terminated=flags[0],
        truncated=flags[1],
        ended=ended,
        length=length,
        score=numbers[1],
        lineup=lineup,
        post_of_seat=table.post_of_seat,
        state=state,
        final_state=final_state,
        last=table.turn,
        final_obs=final_obs,
    )


def _no_obs(role: RoleSpec, shape: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.zeros((*shape, *role.obs_shape), dtype=role.obs_dtype, device=device)


def _decisions(move: Move, role: str, like: Decisions) -> Decisions:
    """`[B, K]`: what a role's seats decided on a turn; of their memory as much as `like` keeps."""
    acting, memory = move.acts[role], None
    if like.memory is not None and move.memory is not None:
        memory = move.memory[role][..., : like.memory.shape[-1]]
    return Decisions(
        obs=acting.obs,
        mask=acting.mask,
        seat=acting.seat,
        present=acting.present,
        action=move.action[role],
        log_prob=move.log_prob[role],
        owner=move.owner[role],
        memory=memory,
    )


def _empty_rows(role: RoleSpec, turns: int, acting: Acting, memory: Tensor | None) -> Decisions:
    """`[T, B, K]`. memory: `[B, R, M]` of what is pending, None without memory."""
    shape, device, mask = (turns, *acting.seat.shape), acting.seat.device, acting.mask
    return Decisions(
        obs=_no_obs(role, shape, device),
        mask=None if mask is None else torch.zeros((*shape, role.actions.width), dtype=torch.bool, device=device),
        seat=torch.zeros(shape, dtype=torch.int64, device=device),
        present=torch.zeros(shape, dtype=torch.bool, device=device),
        action=torch.zeros((*shape, *role.actions.shape), dtype=role.action_dtype, device=device),
        log_prob=torch.zeros(shape, device=device),
        owner=torch.zeros(shape, dtype=torch.int64, device=device),
        memory=None if memory is None else torch.zeros((*shape, memory.shape[-1]), device=device),
    )
