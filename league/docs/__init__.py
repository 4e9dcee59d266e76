"""The pages of documentation that ship with league: Markdown files, one subject each, read as they are written.

A page begins with `<!-- order: N -->`, its place in the reading order, and a heading. Its first sentence is the summary
that `league docs` lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files

from league.errors import LeagueError, nearest

_PAGE = re.compile(r"<!-- order: (\d+) -->\n# ([^\n]+)\n\n(.+?\.)(?=\s)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of documentation. topic: its name without `.md`. text: Markdown, from its heading on."""

    topic: str
    title: str
    summary: str
    text: str


def pages() -> tuple[Page, ...]:
    """All pages, in reading order."""
    found = []
    for file in files(__name__).iterdir():
        topic, dot, ending = file.name.rpartition(".")
        if dot and ending == "md":
            found.append(_read(topic, file.read_text(encoding="utf-8")))
    return tuple(page for _, page in sorted(found, key=lambda one: one[0]))


def page(topic: str) -> Page:
    """The page called `topic`. Raises LeagueError where there is none, with the nearest name."""
    by_topic = {one.topic: one for one in pages()}
    if topic not in by_topic:
        there = ", ".join(by_topic)
        raise LeagueError(f"there is no page '{topic}'{nearest(topic, by_topic)} (there are: {there})")
    return by_topic[topic]


def _read(topic: str, text: str) -> tuple[int, Page]:
    """A page with its place in the reading order."""
    head = _PAGE.match(text)
    assert head, f"{topic}.md must begin with its order, its title and a sentence"
    order, title, summary = head.groups()
    return int(order), Page(topic, title, " ".join(summary.split()), text.partition("\n")[2])
