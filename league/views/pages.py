"""Pages of documentation in a terminal: Markdown at the terminal's width, and the list of topics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.markdown import Markdown

from league.docs import Page
from league.views.grid import Column, Grid

_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_TO_PAGE = re.compile(r"\[([^\]]+)\]\((\w+)\.md(?:#[\w-]+)?\)")
_TO_SECTION = re.compile(r"\[([^\]]+)\]\(#[\w-]+\)")
_CELL_EDGE = re.compile(r"(?<!\\)\|")
_GAP = 3
"""Cells between two columns of a table."""


def topics_table(pages: Sequence[Page]) -> RenderableType:
    """One line for each page: its topic and its summary."""
    columns = [Column(("topic",), keep=9), Column(("page",), keep=8, least=20, wrap=True)]
    return Grid(columns, [(page.topic, page.summary) for page in pages], heading=False)


def page_view(page: Page, width: int) -> RenderableType:
    """A page for a terminal of `width` cells. Links name the command that shows the other page."""
    return Markdown("\n".join(_lines(page.text, width)), code_theme="ansi_dark")


def _lines(text: str, width: int) -> Iterator[str]:
    """The page's lines, with links and wide tables adapted to a terminal. Fenced blocks are unchanged."""
    for part in _FENCED.split(text):
        if part.startswith("```"):
            yield part
            continue
        linked = _TO_SECTION.sub(r"\1", _TO_PAGE.sub(r"\1 (`league docs \2`)", part))
        for is_table, block in groupby(linked.splitlines(), lambda line: line.startswith("|")):
            lines = list(block)
            yield from _table(lines, width) if is_table else lines


def _table(lines: Sequence[str], width: int) -> Iterator[str]:
    """The table; if it has three or more columns and does not fit, a list of its rows with titled cells."""
    rows = [[cell.strip() for cell in _CELL_EDGE.split(line)[1:-1]] for line in lines]
    titles, body = rows[0], rows[2:]
    widest = sum(max(map(len, column)) + _GAP for column in zip(titles, *body, strict=True))
    if len(titles) < 3 or widest <= width:
        yield from lines
        return
    for name, *cells in body:
        cells_text = "; ".join(f"{title}: {cell}" for title, cell in zip(titles[1:], cells, strict=True) if cell)
        yield f"- **{name}** – {cells_text}".replace(r"\|", "|")
