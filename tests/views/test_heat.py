"""Heat maps: a background for each value, on which the number can be read in every terminal."""

from __future__ import annotations

import io

import pytest
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from league.studies.payoff.report import Cell, PayoffReport, PayoffTable
from league.views.heat import heat_style
from league.views.payoff_table import payoff_table


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance of sRGB, from 0 to 1 (WCAG 2.2)."""
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (one / 255 for one in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("system", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
def test_text_has_the_contrast_that_small_print_needs(system: ColorSystem) -> None:
    for step in range(101):
        style = Style.parse(heat_style(step / 100))
        assert style.color
        assert style.bgcolor
        text, ground = (luminance(colour.downgrade(system).get_truecolor()) for colour in (style.color, style.bgcolor))
        assert text == 0.0
        assert (ground + 0.05) / (text + 0.05) >= 7.0  # WCAG's level AAA


def test_red_is_low_and_blue_is_high() -> None:
    assert [heat_style(place) for place in (0.0, 0.5, 1.0)] == [
        "#000000 on #ef8a62",
        "#000000 on #f7f7f7",
        "#000000 on #67a9cf",
    ]


def printed(score: float = 0.75, **terminal: object) -> str:
    names, half = ("a", "b"), 0.05
    cells = [Cell(one, one - half, one + half, 300) for one in (score, 1.0 - score)]
    table = PayoffTable(
        rows=names, columns=names, role="", against="", unit="result", together=False,
        cells=((None, cells[0]), (cells[1], None)),
    )  # fmt: skip
    stream = io.StringIO()
    console = Console(file=stream, width=80, legacy_windows=False, **terminal)  # type: ignore[arg-type]
    console.print(payoff_table(PayoffReport((table,), played=True)))
    return stream.getvalue()


def test_a_payoff_is_a_heat_map_where_there_are_colours() -> None:
    shown = printed(force_terminal=True, color_system="truecolor")
    assert "\x1b[38;2;0;0;0;48;2;175;208;227m0.750 ±0.050\x1b[0m" in shown
    assert "\x1b[38;2;0;0;0;48;2;243;192;172m0.250 ±0.050\x1b[0m" in shown
    # Another value, for rich keeps the codes of a style that it has shown once.
    assert "\x1b[38;5;16;48;5;" in printed(0.65, force_terminal=True, color_system="256")


def test_it_is_plain_off_terminals_without_colours_and_with_too_few() -> None:
    plain = printed(force_terminal=False)
    assert "\x1b" not in plain
    for few in ({"color_system": "standard"}, {"color_system": "truecolor", "no_color": True}):
        assert "48;" not in printed(force_terminal=True, **few)
        assert "\x1b[10" not in printed(force_terminal=True, **few), "a bright background"
    assert "0.750 ±0.050" in plain
