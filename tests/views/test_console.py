"""The live screen: every state at every size, what it says, and that its last frame stays."""

from __future__ import annotations

import io
import re
import time

import pytest
from announced import NASTY, Clock, finished, scenarios, snapshot, standings, started
from rich.cells import cell_len
from rich.console import Console

from league.events import Event, Exploited, Progress, RoundFinished, RunStopped, SnapshotTaken, Warned
from league.records import ExploitabilityBound
from league.views.console import LiveConsole
from league.views.screen import allot
from league.views.watch import Watch, exploit_text

COLOUR = re.compile(r"\x1b\[([0-9]+;)*(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")


def shown(events: list[Event], width: int = 80, height: int = 24, clock: Clock | None = None) -> list[str]:
    """The lines of the screen after these events."""
    stream = io.StringIO()
    console = Console(file=stream, width=width, height=height)
    view = LiveConsole(console, clock or Clock())
    for event in events:
        view(event)
    console.print(view.render(width, height))
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 120, 139, 140, 200])
@pytest.mark.parametrize("name", scenarios())
def test_every_state_fits_every_size(name: str, width: int) -> None:
    for height in (1, 3, 6, 10, 23, 60):
        lines = shown(scenarios()[name], width, height)
        assert 1 <= len(lines) <= height
        assert all(cell_len(line) <= width for line in lines), [line for line in lines if cell_len(line) > width]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_from_the_first_second_there_is_progress_and_an_empty_table_of_standings(width: int) -> None:
    text = "\n".join(shown([started()], width))
    assert "round 1/100" in text
    assert "0%" in text
    assert "standings" in text
    assert "no rated matches yet" in text


def test_a_run_that_goes_on_does_not_claim_that_nothing_was_rated() -> None:
    text = "\n".join(shown(scenarios()["resumed"]))
    assert "no rated matches yet" not in text
    assert "goes on after round 7" in text
    assert "round 8/100" in text


def test_the_screen_tells_what_the_events_told() -> None:
    lines = shown(scenarios()["going"], 120, 40)
    assert lines[0] == "league  connect_four  fictitious  runs/connect_four"
    assert lines[1].startswith("round 13/100")
    assert lines[1].endswith(" 12%  elapsed 0s  eta 1m40s")
    assert lines[2] == "training 50%   393k agent-steps   16.4k/s   42 matches   2.7k games"
    best = next(line for line in lines if line.startswith("★"))
    assert best.split()[:10] == ["★", "2", "000b000b", "main.11", "0.818", "±0.020", "+382", "±35", "384", "300"]
    assert best.endswith("↑ 0.012     55   1.8M")
    metrics = next(i for i, line in enumerate(lines) if line.startswith("learner"))
    assert lines[metrics].split()[1:] == [
        "return", "entropy", "approx_kl", "clip_fraction", "explained_variance", "value_loss",
    ]  # fmt: skip
    assert lines[metrics + 1].split() == ["main", "0.0213", "1.23", "0.0123", "0.118", "0.456", "0.789"]
    text = "\n".join(lines)
    assert "10  snapshot  main.2 00020002" in text
    assert "12  warning   this run was made with torch 2.12" in text
    assert lines[-1] == "time   update 45%   games 25%   inference 20%   rated matches 5%   other 5%"


def test_learners_of_values_show_what_they_have() -> None:
    values = {"main": {"return": -17.3, "epsilon": 0.05, "td_loss": 0.0379, "q_value": -11.4}}
    lines = shown([started(), finished(metrics=values)], 120, 40)
    title = next(i for i, line in enumerate(lines) if line.startswith("learner"))
    assert lines[title].split()[1:] == ["return", "epsilon", "td_loss", "q_value"]
    assert lines[title + 1].split() == ["main", "-17.3", "0.0500", "0.0379", "-11.4"]


def test_resets_say_from_where_a_learner_starts_again() -> None:
    same = {"entropy": 0.01}
    assert exploit_text(Exploited(4, "spy", "spy", same, same, "spy.0")) == "spy ← spy.0"
    assert (
        exploit_text(Exploited(4, "spy", "spy", same, {"entropy": 0.02}, "spy.0")) == "spy ← spy.0  entropy 0.01→0.02"
    )
    told = Exploited(4, "spy", "spy", same, {"entropy": 0.02}, "spy.0", "it is worse")
    assert exploit_text(told) == "spy ← spy.0  entropy 0.01→0.02 (it is worse)"


def test_exploits_say_who_copied_whom_and_what_changed() -> None:
    text = "\n".join(shown(scenarios()["pbt"], 120, 40))
    assert "exploit   main-3 ← main-1  entropy 0.01→0.0125" in text
    assert "clip 0.2" not in text


def test_snapshots_of_one_round_share_a_line() -> None:
    events: list[Event] = [SnapshotTaken(5, snapshot(1, "a")), SnapshotTaken(5, snapshot(1, "b"))]
    text = "\n".join(shown([started(), *events, SnapshotTaken(6, snapshot(2, "a"))]))
    assert "snapshot  a.1 00010001, b.1 00010001" in text
    assert text.count("snapshot  ") == 2


def test_a_snapshot_that_was_measured_says_how_exploitable_it_is() -> None:
    measured = SnapshotTaken(5, snapshot(1, "a"), ExploitabilityBound(0.3104, 0.3104, 0.3104, exact=True))
    text = "\n".join(shown([started(), measured, SnapshotTaken(5, snapshot(1, "b"))]))
    assert "snapshot  a.1 00010001 (exploitability 0.310), b.1 00010001" in text


def test_the_best_is_news_when_it_changes_and_not_when_a_run_goes_on() -> None:
    first, second = finished(1), finished(2)
    assert sum("is best" in line for line in shown([started(), first, second])) == 1
    assert not any("is best" in line for line in shown([started(resumed=True), first, second]))


def test_standings_that_do_not_fit_say_how_many_there_are() -> None:
    text = "\n".join(shown([started(), finished(standings={"player": standings(40)})]))
    assert re.search(r"standings +\d+ of 41", text)
    assert "of 41" not in "\n".join(shown([started(), finished(standings={"player": standings(40)})], 80, 60))


def test_every_role_has_its_standings() -> None:
    for width in (60, 80, 200):
        lines = shown(scenarios()["roles"], width)
        assert sum("rating" in line for line in lines) == 2
        assert any(re.match(r" +# +adversary", line) for line in lines)
        assert any(re.match(r" +# +agent", line) for line in lines)


def test_one_sided_games_are_rated_by_score_alone() -> None:
    text = "\n".join(shown(scenarios()["one side"], 200))
    assert "rating" not in text
    assert "412 ±35" in text
    assert "+412" not in text


def test_metrics_leave_from_the_least_important_and_stay_whole() -> None:
    wide, narrow = (shown(scenarios()["going"], width) for width in (80, 60))
    assert any("v_loss" in line and "expl_var" in line for line in wide)
    long_name = "a-learner-with-quite-a-name"
    lines = shown([started((long_name,)), finished(names=(long_name,))], 60)
    title = next(i for i, line in enumerate(lines) if line.startswith("learner"))
    assert "return" in lines[title]
    assert "0.0213" in lines[title + 1].split()
    assert any("entropy" in line for line in narrow)


@pytest.mark.parametrize("name", [name for name in NASTY if "[" in name and name.isprintable()])
def test_a_name_is_never_markup(name: str) -> None:
    assert name in "\n".join(shown([started((name,))]))


def test_control_characters_never_reach_the_terminal() -> None:
    for width in (60, 200):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", "\n".join(shown(scenarios()["nasty names"], width, 60)))


def coloured(environment: dict[str, str]) -> str:
    """What a terminal with these variables gets."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, height=40, _environ={"TERM": "xterm", **environment})
    view = LiveConsole(console, Clock())
    for event in scenarios()["pbt"]:
        view(event)
    console.print(view.render(100, 40))
    return stream.getvalue()


def test_no_color_is_honoured() -> None:
    assert COLOUR.search(coloured({}))
    assert not COLOUR.search(coloured({"NO_COLOR": "1"}))


def test_elapsed_and_eta_go_on_between_events_and_stand_still_at_the_end() -> None:
    clock = Clock()
    view = LiveConsole(Console(file=io.StringIO()), clock)

    def second_line() -> str:
        stream = io.StringIO()
        Console(file=stream, width=80).print(view.render(80, 24))
        return stream.getvalue().splitlines()[1]

    view(started())
    clock.now += 20
    view(finished())
    assert second_line().endswith("elapsed 20s  eta 1m40s")
    clock.now += 30
    assert second_line().endswith("elapsed 50s  eta 1m10s")
    view(RunStopped(12, 5, 50.0, "budget"))
    clock.now += 1000
    assert second_line().endswith("elapsed 50s")


def test_progress_follows_the_budget_that_is_used_most() -> None:
    watch = Watch(0.0)
    watch.see(started(rounds_budget=10, steps_budget=1000, seconds_budget=100.0, round=2, steps=100), 0.0)
    assert watch.done(0.0) == pytest.approx(0.2)
    watch.see(Progress(3, "training", 0.5), 10.0)
    assert watch.done(10.0) == pytest.approx(0.25)
    assert watch.done(90.0) == pytest.approx(0.9)
    watch.see(RoundFinished(round=3, steps=950, seconds=5.0, steps_per_second=170.0), 20.0)
    assert watch.done(20.0) == pytest.approx(0.95)
    assert watch.done(1000.0) == 1.0


def test_before_a_round_has_ended_the_eta_comes_from_the_progress_of_this_call() -> None:
    watch = Watch(0.0)
    watch.see(started(rounds_budget=10, round=5, steps=100), 0.0)
    assert watch.remaining(3.0) is None
    watch.see(Progress(6, "training", 0.5), 10.0)
    assert watch.remaining(10.0) == pytest.approx(90.0)
    watch.see(Progress(6, "rated matches", 0.1), 11.0)
    assert watch.done(11.0) == pytest.approx(0.55)


def test_lines_are_shared_by_weight_and_never_more_than_wanted_or_there() -> None:
    assert allot([(10, 2.0), (1, 2.0), (10, 1.0)], 10) == [6, 1, 3]
    assert allot([(2, 1.0), (3, 1.0)], 100) == [2, 3]
    assert allot([(2, 1.0), (3, 1.0)], -1) == [0, 0]


class Terminal(io.StringIO):
    """A stream that passes for a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_screen_redraws_itself_and_its_last_frame_stays() -> None:
    stream = Terminal()
    console = Console(file=stream, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"})
    with LiveConsole(console) as view:
        view(started())
        deadline = time.monotonic() + 10
        while stream.getvalue().count("round 1/100") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        view(finished())
        view(RunStopped(12, 5, 50.0, "budget"))
    text = stream.getvalue()
    assert text.count("round 1/100") >= 2
    assert "budget reached" in text[text.rindex("round 12/100") :]
    assert text.endswith("\n\x1b[?25h")
    assert "\x1b[?1049h" not in text


def test_a_resized_terminal_is_cleared_once() -> None:
    stream = Terminal()
    console = Console(file=stream, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"})
    view = LiveConsole(console, Clock())
    view(Warned(0, "hello"))
    console.print(view)
    assert "\x1b[2J" not in stream.getvalue()
    console.size = (60, 24)
    console.print(view)
    console.print(view)
    assert stream.getvalue().count("\x1b[H\x1b[2J") == 1


@pytest.mark.parametrize(("width", "height"), [(60, 10), (80, 24), (200, 50)])
def test_what_is_redrawn_is_the_screen_as_it_is(width: int, height: int) -> None:
    stream, clock = io.StringIO(), Clock()
    console = Console(file=stream, width=width, height=height)
    view = LiveConsole(console, clock)
    for event in scenarios()["pbt"]:
        clock.now += 7
        view(event)
        stream.truncate(stream.seek(0))
        console.print(view)
        redrawn = stream.getvalue()
        stream.truncate(stream.seek(0))
        console.print(view.render(width, height - 1))
        assert redrawn == stream.getvalue() + "\n"
