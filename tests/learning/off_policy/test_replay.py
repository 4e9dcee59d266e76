"""The replay buffer: what it holds, what leaves it, and how often sequences are drawn."""

from __future__ import annotations

import torch
from torch import Tensor

from league.learning.off_policy.experience import Segment
from league.learning.off_policy.replay import ReplayBuffer
from league.policies import weights

SIDES = torch.tensor([[True, True], [True, False]])


def made(number: int, sequences: int = 4) -> Segment:
    """Sequences of 1, 2, 3, … decisions, which all tell their segment's number and their row, of side 0 and 1 in turn.

    After each comes a row that it is bootstrapped from.
    """
    count = torch.arange(1, sequences + 1)
    first = (count + 1).cumsum(0) - count - 1
    total = int((count + 1).sum())
    row, owner = torch.arange(total), torch.repeat_interleave(torch.arange(sequences), count + 1)
    learns = torch.ones(total, dtype=torch.bool).index_fill(0, first + count, False)
    rows = {
        "obs": torch.stack((torch.full((total,), number), row), 1)[:, None].repeat(1, 2, 1),
        "present": SIDES[owner % 2],
        "action": torch.zeros((total, 2), dtype=torch.int64),
        "side": owner % 2,
        "reward": row.float(),
        "learns": learns,
        "goes_on": learns,
        "begins": torch.zeros(total, dtype=torch.bool),
    }
    return Segment(rows, first, torch.zeros_like(first), count, torch.full((sequences, 2, 3), float(number)))


def held(replay: ReplayBuffer) -> list[int]:
    return replay.memory[:, 0, 0].int().tolist()


def test_windows_are_the_sequences_however_the_ring_has_turned() -> None:
    replay = ReplayBuffer(35, SIDES)
    for number in range(1, 40):
        replay.add(made(number, 1 + number % 5))
        window = replay.gather(torch.arange(len(replay.first)), 6, 0)
        expected = [(n, q) for n in range(1, number + 1) for q in range(1 + n % 5)]
        expected = expected[-len(replay.first) :]
        assert held(replay) == [n for n, _ in expected]
        for place, (n, q) in enumerate(expected):
            original = made(n, 1 + n % 5)
            first, count = int(original.first[q]), int(original.count[q])
            for name in ("obs", "reward", "side"):
                assert torch.equal(
                    window.rows[name][: count + 1, place], original.rows[name][first : first + count + 1]
                )
            assert window.rows["learns"][:, place].tolist() == [True] * count + [False] * (7 - count)
            assert not window.rows["present"][count + 1 :, place].any()


def test_the_oldest_leave_beyond_the_capacity_but_never_the_latest() -> None:
    replay = ReplayBuffer(25, SIDES)
    for number in range(5):
        replay.add(made(number))  # ten decisions each
    assert replay.decisions == 20
    assert sorted(set(held(replay))) == [3, 4]
    replay.add(made(9, 8))  # thirty-six
    assert set(held(replay)) == {9}


def test_a_buffer_is_full_where_one_more_round_would_push_out_the_oldest() -> None:
    replay, full = ReplayBuffer(25, SIDES), []
    for number in range(4):
        full.append(replay.full)
        replay.add(made(number))  # ten decisions each
    assert full == [False, False, True, True]


def test_segments_come_back_as_they_were_and_a_restored_buffer_draws_the_same() -> None:
    replay, files = ReplayBuffer(45, SIDES), dict[str, bytes]()

    def write(tensors: dict[str, Tensor]) -> str:
        data = weights.pack(tensors, {})
        files[weights.digest(data)] = data
        return weights.digest(data)

    for number in range(7):
        replay.add(made(number))
        ids = replay.ids(write)
    assert len(files) == 7, "each is written once"
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        number = replay.sample(6, 0.6, 0.4, generator).number
        learns = replay.gather(number, 6, 0).rows["learns"][:-1, :, None] & SIDES[replay.side[number]]
        replay.update_priorities(number, torch.rand((6, 6, 2), generator=generator), learns)
    other = ReplayBuffer(45, SIDES)
    other.load([(id, Segment.of(weights.unpack(files[id])[1], torch.device("cpu"))) for id in ids], replay.tensors())
    one, two = (buffer.sample(20, 0.6, 0.4, torch.Generator().manual_seed(5)) for buffer in (replay, other))
    assert torch.equal(one.number, two.number)
    assert torch.equal(one.weight, two.weight)
    windows = [buffer.gather(one.number, 6, 0) for buffer in (replay, other)]
    assert all(torch.equal(value, windows[1].rows[name]) for name, value in windows[0].rows.items())
    assert other.ids(write) == ids


def test_without_priorities_all_sequences_are_as_likely() -> None:
    replay = ReplayBuffer(1000, SIDES)
    for number in range(3):
        replay.add(made(number))
    drawn = replay.sample(12_000, 0.0, 0.4, torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn.number, minlength=12)
    # Five standard deviations of a binomial: 5 √(12000 · 1/12 · 11/12) = 151.
    assert (counts - 1000).abs().max() < 152
    assert drawn.weight.unique().tolist() == [1.0]


def test_each_seat_draws_in_proportion_to_its_own_priorities() -> None:
    replay, exponent, count = ReplayBuffer(1000, SIDES), 0.7, 30_000
    replay.add(made(0))
    replay.priority = torch.tensor([[1.0, 8.0], [3.0, 0.0], [4.0, 0.5], [0.5, 0.0]], dtype=torch.float64)
    drawn = replay.sample(count, exponent, 0.5, torch.Generator().manual_seed(1))
    shares = []
    # Seats take turns: side 0's first, side 0's second, side 1's only one.
    for turn, (place, mine) in enumerate([(0, [0, 2]), (1, [0, 2]), (0, [1, 3])]):
        chances = torch.zeros(4, dtype=torch.float64)
        chances[mine] = replay.priority[mine, place] ** exponent
        chances /= chances.sum()
        shares.append(chances)
        found = torch.bincount(drawn.number[turn::3], minlength=4) / (count / 3)
        # Five standard deviations of a share of 10 000 draws are at most 0.025.
        assert torch.allclose(found, chances.float(), atol=0.025)
    mixed = torch.stack(shares).mean(0)
    weight = (1 / (4 * mixed)) ** 0.5
    weight = (weight / weight[drawn.number].max()).float()
    assert torch.allclose(drawn.weight, weight[drawn.number], atol=1e-4)


def test_turns_go_on_where_the_last_draw_ended() -> None:
    replay = ReplayBuffer(1000, SIDES)
    replay.add(made(0))
    replay.priority = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    drawn = [int(replay.sample(1, 1.0, 0.0, generator).number) for _ in range(7)]
    assert drawn == [0, 2, 3, 0, 2, 3, 0]


def test_priorities_are_mostly_the_largest_error_and_new_sequences_get_the_highest() -> None:
    replay = ReplayBuffer(1000, SIDES)
    replay.add(made(0))
    assert replay.priority.tolist() == [[1, 1], [1, 0], [1, 1], [1, 0]], "1 where the seat is in it"
    error = torch.tensor([[[1.0, -2.0]], [[-4.0, 9.0]], [[7.0, 7.0]]])
    present = torch.tensor([[[True, True]], [[True, False]], [[False, False]]])
    replay.update_priorities(torch.tensor([2]), error, present)
    # 0.9 · 4 + 0.1 · 2.5, and 0.9 · 2 + 0.1 · 2.
    assert torch.allclose(replay.priority[2], torch.tensor([3.85, 2.0], dtype=torch.float64), atol=1e-5)
    replay.add(made(1))
    assert torch.allclose(replay.priority[4], torch.tensor([3.85, 2.0], dtype=torch.float64), atol=1e-5)
    assert replay.priority[5].tolist() == [1, 0]


def test_what_was_drawn_twice_has_the_higher_of_its_priorities() -> None:
    replay = ReplayBuffer(1000, SIDES)
    replay.add(made(0))
    error = torch.tensor([[[3.0, 1.0], [2.0, 2.0]]])
    replay.update_priorities(torch.tensor([2, 2]), error, torch.ones((1, 2, 2), dtype=torch.bool))
    assert torch.allclose(replay.priority[2], torch.tensor([3.0, 2.0], dtype=torch.float64), atol=1e-5)
    assert replay.priority[[0, 1, 3]].tolist() == [[1, 1], [1, 0], [1, 0]], "the others are left as they were"
