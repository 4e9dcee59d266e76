"""`league docs`: topics, pages in a terminal and off it, and what is refused."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout

import pytest
from calling import heavy_imports, league
from reading import PAGES
from rich.cells import cell_len

from league.cli.docs import show_page
from league.docs import Page, pages

WIDTH = 80


class Terminal(io.StringIO):
    """Output that is shown to a person."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")


def shown(topic: str) -> str:
    """A page as a terminal of `WIDTH` columns has it, without its styles."""
    with redirect_stdout(Terminal()) as out:
        show_page(topic, False)
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())


def test_topics_are_listed_in_reading_order_each_with_its_first_sentence() -> None:
    out = league("docs").out
    assert max(map(cell_len, out.splitlines())) <= WIDTH
    assert [line.split()[0] for line in out.splitlines() if re.match(r"\w+ ", line)] == list(PAGES)
    assert out.startswith("tutorial       From nothing to a trained champion, then to a game of your own.\n")
    listed = league("docs", "--json").json
    assert [one["topic"] for one in listed] == list(PAGES)
    for one in listed:
        text = PAGES[one["topic"]].read_text(encoding="utf-8")
        assert f"# {one['title']}\n\n{one['summary']}" in text
        assert len(one["summary"]) <= 100


def test_off_a_terminal_a_page_is_its_markdown() -> None:
    text = PAGES["ratings"].read_text(encoding="utf-8")
    assert league("docs", "ratings").out == text.partition("\n")[2]
    found = league("docs", "ratings", "--json").json
    assert found["topic"] == "ratings"
    assert found["title"] == "Ratings"
    assert found["text"] == text.partition("\n")[2]


@pytest.mark.parametrize("one", pages(), ids=lambda one: one.topic)
def test_a_page_fits_a_terminal_and_loses_nothing(one: Page) -> None:
    out = shown(one.topic)
    assert max(cell_len(line.rstrip()) for line in out.splitlines()) <= WIDTH
    assert "|---" not in out
    assert "<!--" not in out
    for block in re.findall(r"^```\w*\n(.*?)^```$", one.text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            assert line.rstrip() in out, "a block's lines are not broken"
    # The title of a first column is not repeated where a table becomes a list.
    written = re.sub(r"\]\(.*?\)|<!--.*?-->|^```\w+$|^\| \w+ \|", "", one.text, flags=re.MULTILINE)
    assert set(re.findall(r"[a-z]{4,}", written)) <= set(re.findall(r"[a-z]{4,}", out))


def test_links_to_other_pages_name_the_command() -> None:
    out = " ".join(shown("tutorial").split())
    assert '"Your own game" (league docs your_own_game): how roles' in out
    assert "\x1b]8" not in out


def test_an_unknown_topic_is_refused_with_the_nearest() -> None:
    called = league("docs", "rating")
    assert called.code == 2
    assert called.err.startswith("league: there is no page 'rating'; did you mean 'ratings'? (there are: tutorial, ")


def test_it_is_light() -> None:
    heavy = ("torch", "numpy", "pydantic", "pettingzoo", "scipy", "sqlite_utils")
    assert heavy_imports(["docs", "games"], heavy) == "HEAVY []"


def test_help_leads_to_it() -> None:
    assert "league docs" in league("--help").out
