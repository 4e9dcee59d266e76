"""README.md and the pages of league/docs as the tests read them: fenced blocks, and what a reader is told to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from league.docs import pages

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = {one.topic: ROOT / "league" / "docs" / f"{one.topic}.md" for one in pages()}
"""The file of every page, in reading order."""

TEXTS = {path.name: path.read_text(encoding="utf-8") for path in (README, *PAGES.values())}
"""Everything that is written for readers, by file name: the README first, then the pages in reading order."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the file that has it, and the line on which it begins there."""

    language: str
    text: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Step:
    """Something that a reader is told to do: a command, a Python block, or a file to write."""

    kind: str
    text: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text.splitlines()[0]}"


def _blocks() -> list[Block]:
    fence = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(one[1], one[2], file, text[: one.start()].count("\n") + 1)
        for file, text in TEXTS.items()
        for one in fence.finditer(text)
    ]


def _steps() -> list[Step]:
    found = []
    for block in BLOCKS:
        if block.language == "bash":
            # A command goes on in the next line where a backslash says so.
            for command in re.finditer(r"(?:.*\\\n)*.+", block.text):
                line = block.line + 1 + block.text[: command.start()].count("\n")
                whole = re.sub(r"\s*\\\n\s*", " ", command[0])
                found += [Step("command", part.strip(), block.file, line) for part in whole.split("&&")]
        elif block.language in ("python", "toml"):
            kind = "file" if re.match(r"# \w+\.(py|toml)\n", block.text) else "python"
            found.append(Step(kind, block.text, block.file, block.line))
    return found


BLOCKS = _blocks()
"""All fenced blocks, in order."""
STEPS = _steps()
"""What there is to do, in the order in which a reader would."""
COMMANDS = [step for step in STEPS if step.kind == "command" and step.text.startswith("league ")]
"""Those of them that are commands of league."""
OTHERS = [step for step in STEPS if step.kind == "command" and step not in COMMANDS]
"""Those that set up, test and format."""
