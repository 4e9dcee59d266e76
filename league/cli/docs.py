"""`league docs`: the pages of documentation."""

from __future__ import annotations

import sys
from dataclasses import asdict

from league.cli.output import console, print_json
from league.docs import page, pages
from league.views.pages import page_view, topics_table

_WIDEST = 100
"""Longer lines of prose are hard to read."""


def list_topics(as_json: bool) -> None:
    """`league docs`: every page with its summary."""
    if as_json:
        print_json([{"topic": one.topic, "title": one.title, "summary": one.summary} for one in pages()])
        return
    console().print(topics_table(pages()))
    print("\nNext: league docs TOPIC")


def show_page(topic: str, as_json: bool) -> None:
    """`league docs TOPIC`: a page, as Markdown if the output is not a terminal. Raises LeagueError."""
    found = page(topic)
    if as_json:
        print_json(asdict(found))
    elif sys.stdout.isatty():
        out = console()
        width = min(out.width, _WIDEST)
        out.print(page_view(found, width), width=width)
    else:
        print(found.text, end="")
