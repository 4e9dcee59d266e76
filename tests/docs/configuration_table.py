"""The configuration reference as `league/docs/configuration.md` has it. Run this file to write it there."""

from __future__ import annotations

from pathlib import Path

from league.config.reference import reference

PAGE = Path(__file__).parents[2] / "league" / "docs" / "configuration.md"
BEGIN, END = "<!-- configuration: begin", "<!-- configuration: end -->"


def in_code() -> str:
    """The table, from the declarations of the settings."""
    lines = ["| key | value | default | what it does |", "|---|---|---|---|"]
    for entry in reference():
        cells = (f"`{entry.key}`", entry.type, f"`{entry.default}`", entry.doc)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines)


def on_page() -> str:
    """The table that stands between the markers of the page."""
    _, table, _ = _parts()
    return table.strip()


def write() -> None:
    """Put the table of the code between the markers of the page."""
    before, _, after = _parts()
    PAGE.write_text(f"{before}\n{in_code()}\n\n{after}", encoding="utf-8")


def _parts() -> tuple[str, str, str]:
    text = PAGE.read_text(encoding="utf-8")
    start, end = text.index("\n", text.index(BEGIN)) + 1, text.index(END)
    return text[:start], text[start:end], text[end:]


if __name__ == "__main__":
    write()
