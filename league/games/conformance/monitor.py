"""Checks every turn of a game against the contract of `league.games.core`, and records which rule is broken where."""

from __future__ import annotations

import torch
from torch import Tensor

from league.errors import GameError
from league.games.core import Game, GameSpec, Turn
from league.games.native.core import NativeGame


class Violations:
    """Broken rules, each with the first place where it was broken."""

    def __init__(self, spec: GameSpec) -> None:
        self.spec = spec
        self.found: dict[str, str] = {}

    def add(self, rule: str, place: str) -> None:
        """Record that `rule` was broken at `place`, unless it is already recorded."""
        self.found.setdefault(rule, place)

    def add_first(self, rule: str, wrong: Tensor, turn: int, role: str = "") -> None:
        """Record the first True of `wrong`: `[B]` by slot, `[B, S]` by seat, or `[B, K, …]` by row of `role`."""
        if not bool(wrong.any()):
            return
        first = [int(index) for index in wrong.nonzero()[0]]
        place = f"slot {first[0]}, turn {turn}"
        if role:
            place += f", role {role}" + (f", row {first[1]}" if len(first) > 1 else "")
        elif len(first) > 1:
            place += f", seat {self.spec.seats[first[1]]}"
        self.add(rule, place)

    def report(self) -> None:
        """Raise a GameError with every broken rule, if there are any."""
        if self.found:
            lines = "".join(f"\n  - {rule} ({place})" for rule, place in self.found.items())
            raise GameError(f"{self.spec.id} breaks the contract of a game:{lines}")


class ContractMonitor:
    """Checks every turn of one game. done: `[B, S]`, the seats for which the current episode has ended."""

    def __init__(self, game: Game, violations: Violations, zero_sum: bool) -> None:
        self.game, self.violations, self.zero_sum = game, violations, zero_sum
        self.done = torch.zeros((game.slots, len(game.spec.seats)), dtype=torch.bool, device=game.device)

    def check_turn(self, turn: Turn, count: int) -> None:
        """Check one turn; the first (count 0) is the start."""
        known = set(self.violations.found)
        self._check_tensors(turn, count)
        if set(self.violations.found) != known:
            return  # tensors of the wrong shape or dtype cannot be checked further
        if count == 0:
            self._check_start(turn)
        self._check_endings(turn, count)
        self._check_scores(turn, count)
        self._check_acting(turn, count)

    def _check_tensors(self, turn: Turn, count: int) -> None:
        spec, slots = self.game.spec, self.game.slots
        seats = len(spec.seats)
        for name in ("reward", "score"):
            self._check_tensor(f"Turn.{name}", getattr(turn, name), (slots, seats), torch.float32, count)
        for name in ("terminated", "truncated"):
            self._check_tensor(f"Turn.{name}", getattr(turn, name), (slots, seats), torch.bool, count)
        self._check_tensor("Turn.ended", turn.ended, (slots,), torch.bool, count)
        if turn.forfeit is not None:
            self._check_tensor("Turn.forfeit", turn.forfeit, (slots, seats), torch.bool, count)
        for name in ("state", "final_state"):
            state = getattr(turn, name)
            if state is not None and spec.state_shape is not None:
                self._check_tensor(f"Turn.{name}", state, (slots, *spec.state_shape), None, count)
                self._check_finite(f"Turn.{name}", state, count)
            elif state is not None:
                self.violations.add(f"Turn.{name} must be None if the spec has no state_shape", f"turn {count}")
        if spec.state_shape is not None and turn.state is None:
            self.violations.add("Turn.state must be given if the spec has a state_shape", f"turn {count}")
        self._check_final_observations(turn, count)
        names = [role.name for role in spec.roles]
        if set(turn.acts) - set(names):
            self.violations.add(f"Turn.acts may contain only the roles {names}, not {list(turn.acts)}", f"turn {count}")
        for role in spec.roles:
            acting = turn.acts.get(role.name)
            if acting is None:
                self.violations.add(f"Turn.acts must contain the role {role.name}", f"turn {count}")
                continue
            rows, place = (slots, role.acting), f"acts['{role.name}']"
            self._check_tensor(f"{place}.obs", acting.obs, (*rows, *role.obs_shape), role.obs_dtype, count)
            self._check_tensor(f"{place}.seat", acting.seat, rows, torch.int64, count)
            self._check_tensor(f"{place}.present", acting.present, rows, torch.bool, count)
            if acting.mask is not None:
                self._check_tensor(f"{place}.mask", acting.mask, (*rows, role.actions.width), torch.bool, count)

    def _check_final_observations(self, turn: Turn, count: int) -> None:
        """Check the observations of truncated seats; if there are any, every seat of every role has a row."""
        final, spec = turn.final_obs, self.game.spec
        if (final is None) != (turn.final_state is None):
            self.violations.add("Turn.final_obs must be given exactly when final_state is", f"turn {count}")
        if final is not None and set(final) != {role.name for role in spec.roles}:
            self.violations.add(f"Turn.final_obs must contain all roles, not {list(final)}", f"turn {count}")
        for role in spec.roles:
            seen = (final or {}).get(role.name)
            if seen is not None:
                what, shape = f"final_obs['{role.name}']", (self.game.slots, len(role.seats), *role.obs_shape)
                self._check_tensor(what, seen, shape, role.obs_dtype, count)
                if seen.shape == shape:
                    self._check_finite(what, seen, count, turn.truncated[:, list(role.seats)], role.name)

    def _check_tensor(
        self, what: str, tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype | None, count: int
    ) -> None:
        device = self.game.device
        if tuple(tensor.shape) != shape:
            self.violations.add(f"{what} must have shape {list(shape)}, not {list(tensor.shape)}", f"turn {count}")
        if dtype is not None and tensor.dtype != dtype:
            self.violations.add(f"{what} must be {dtype}, not {tensor.dtype}", f"turn {count}")
        if tensor.device.type != device.type:
            self.violations.add(f"{what} must be on {device}, not {tensor.device}", f"turn {count}")

    def _check_finite(
        self, what: str, tensor: Tensor, count: int, present: Tensor | None = None, role: str = ""
    ) -> None:
        if tensor.dtype.is_floating_point:
            rows = 1 if present is None else 2
            wrong = ~tensor.isfinite().flatten(rows).all(-1) if tensor.dim() > rows else ~tensor.isfinite()
            self.violations.add_first(
                f"{what} must be finite", wrong if present is None else wrong & present, count, role
            )

    def _check_start(self, turn: Turn) -> None:
        for name in ("reward", "terminated", "truncated", "ended"):
            self.violations.add_first(f"Turn.{name} must be zero at the start", getattr(turn, name) != 0, 0)

    def _check_endings(self, turn: Turn, count: int) -> None:
        violations, over = self.violations, turn.terminated | turn.truncated
        violations.add_first(
            "a seat's episode is terminated or truncated, never both", turn.terminated & turn.truncated, count
        )
        violations.add_first("a seat's episode ends only once", over & self.done, count)
        done = self.done | over
        violations.add_first(
            "an episode may end only when it has ended for every seat", turn.ended[:, None] & ~done, count
        )
        violations.add_first(
            "an episode must end as soon as it has ended for every seat", done.all(1) & ~turn.ended, count
        )
        if not self.game.spec.can_truncate:
            violations.add_first(
                "nothing may be truncated if the spec says can_truncate = False", turn.truncated, count
            )
        elif self.game.spec.state_shape is not None and turn.final_state is None:
            violations.add_first("Turn.final_state must be given if a seat is truncated", turn.truncated, count)
        late = self.done & (turn.reward != 0)
        violations.add_first("a seat gets no reward after its episode's end", late, count)
        self.done = done & ~turn.ended[:, None]

    def _check_scores(self, turn: Turn, count: int) -> None:
        violations, spec, ended = self.violations, self.game.spec, turn.ended[:, None]
        self._check_finite("Turn.reward", turn.reward, count)
        violations.add_first("the score of an ended episode must be finite", ended & ~turn.score.isfinite(), count)
        if spec.score_range is not None:
            low, high = spec.score_range
            beyond = (turn.score < low - 1e-4) | (turn.score > high + 1e-4)
            violations.add_first(
                f"a score must lie within the spec's range of {low:g} to {high:g}", ended & beyond, count
            )
        if spec.outcome == "placements":
            for side in spec.sides:
                scores = turn.score[:, list(side)]
                violations.add_first("seats of one side share its placement", (scores != scores[:, :1]) & ended, count)
        if self.zero_sum:
            violations.add_first(
                "the scores of an episode sum to zero", turn.ended & (turn.score.sum(1).abs() > 1e-4), count
            )
        if turn.forfeit is not None:
            violations.add_first("a legal action is never a forfeit", turn.forfeit, count)

    def _check_acting(self, turn: Turn, count: int) -> None:
        violations, spec = self.violations, self.game.spec
        times = torch.zeros(self.done.shape, dtype=torch.int64, device=self.done.device)
        for role in spec.roles:
            acting = turn.acts[role.name]
            own = torch.isin(acting.seat, torch.tensor(role.seats, device=acting.seat.device))
            violations.add_first(f"only the seats {list(role.seats)} have the role {role.name}", ~own, count, role.name)
            if spec.can_truncate and isinstance(self.game, NativeGame):
                # Its final observations are the rows of its last position, so these must be in the order of seats.
                moved = acting.seat != torch.tensor(role.seats, device=acting.seat.device)
                violations.add_first(
                    "rows of a native game that can truncate are in the order of seats", moved, count, role.name
                )
            if acting.mask is not None:
                violations.add_first("a mask has at least one legal action", ~acting.mask.any(2), count, role.name)
            self._check_finite(f"acts['{role.name}'].obs", acting.obs, count, acting.present, role.name)
            times.scatter_add_(1, acting.seat.clamp(0, len(spec.seats) - 1), acting.present.long())
        violations.add_first("a seat acts at most once per turn", times > 1, count)
        violations.add_first("a seat does not act after its episode's end", (times > 0) & self.done, count)
        violations.add_first("at least one seat acts on every turn", times.sum(1) == 0, count)
