"""A table without rules that fits any width: text columns are shortened, then the least important are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a `Grid`.

    titles: the heading, from its longest wording to its shortest. right: align to the right, as for numbers. keep: the
    importance. If the table is too wide, the least important columns are shortened first and then dropped; columns with
    0 are dropped before any is shortened. least: the width down to which text may be shortened (None: never). wrap:
    long text continues on the next line instead of being cut.
    """

    titles: tuple[str, ...]
    right: bool = False
    keep: int = 1
    least: int | None = None
    wrap: bool = False


class Grid:
    """Rows and columns, rendered at the console's width. Cells are text, never markup.

    named: the column whose title is the title of the table. heading: whether to show titles.
    """

    def __init__(
        self, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], named: int = 0, heading: bool = True
    ) -> None:
        self.columns = tuple(columns)
        self.rows = [tuple(cell if isinstance(cell, Text) else Text(cell) for cell in row) for row in rows]
        self.named, self.heading = named, heading
        self._widest = [max((row[index].cell_len for row in self.rows), default=0) for index in range(len(columns))]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        chosen = self.fit(options.max_width)
        rows = self.rows
        if self.heading:
            titles = {index: title for index, title, _ in chosen}
            styles = ["bold" if index == self.named else "dim" for index in range(len(self.columns))]
            rows = [tuple(Text(titles.get(index, ""), style) for index, style in enumerate(styles)), *rows]
        for row in rows:
            cells = [self._lines(console, row[index], index, width) for index, _, width in chosen]
            for line in range(max(map(len, cells))):
                yield _joined([cell[line] if line < len(cell) else None for cell in cells], [w for _, _, w in chosen])

    def fit(self, width: int) -> list[tuple[int, str, int]]:
        """The columns to show in `width` cells, each as (index, title, width)."""
        kept = list(range(len(self.columns)))
        while True:
            for wording in (0, -1):
                titles = [self.columns[index].titles[wording] if self.heading else "" for index in kept]
                natural = [self._natural(index, title) for index, title in zip(kept, titles, strict=True)]
                if sum(natural) + _GAP * (len(kept) - 1) <= width:
                    return list(zip(kept, titles, natural, strict=True))
            if len(kept) == 1:
                return [(kept[0], titles[0], max(width, 1))]
            spare = any(self.columns[index].keep == 0 for index in kept)
            shrunk = None if spare else self._shrink(kept, natural, width - _GAP * (len(kept) - 1))
            if shrunk is not None:
                return list(zip(kept, titles, shrunk, strict=True))
            kept.remove(min(kept, key=lambda index: (self.columns[index].keep, -index)))

    def _natural(self, index: int, title: str) -> int:
        return max(cell_len(title), 1, self._widest[index])

    def _shrink(self, kept: Sequence[int], natural: Sequence[int], room: int) -> list[int] | None:
        """Widths that fit into `room`, reduced for the least important columns first; None if that is not enough."""
        widths = dict(zip(kept, natural, strict=True))
        for index in sorted(kept, key=lambda index: (self.columns[index].keep, -index)):
            excess, least = sum(widths.values()) - room, self.columns[index].least
            if excess > 0 and least is not None:
                widths[index] = max(widths[index] - excess, min(widths[index], least))
        return list(widths.values()) if sum(widths.values()) <= room else None

    def _lines(self, console: Console, cell: Text, index: int, width: int) -> list[Text]:
        column = self.columns[index]
        if not column.wrap and not cell.spans and (room := width - cell.cell_len) >= 0:
            # A shortcut for most cells of long tables: nothing to cut, one style.
            return [Text(" " * room + cell.plain if column.right else cell.plain.rstrip(), cell.style)]
        lines = list(cell.wrap(console, width, overflow="fold")) if column.wrap else [cell.copy()]
        for line in lines:
            line.rstrip()
            line.truncate(width, overflow="ellipsis")
            if column.right:
                line.pad_left(width - line.cell_len)
        return lines


def facts_grid(facts: Sequence[tuple[str, Text]]) -> Grid:
    """One fact a line, each after its name."""
    columns = [Column(("",)), Column(("",), least=10, keep=2, wrap=True)]
    return Grid(columns, [[Text(name, "dim"), value] for name, value in facts], heading=False)


def one_line(text: Text) -> Text:
    """Keep the text on one line, with an ellipsis if it does not fit."""
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _joined(cells: Sequence[Text | None], widths: Sequence[int]) -> Text:
    """One line of cells, without trailing blanks."""
    line = Text(no_wrap=True, overflow="ellipsis")
    start = 0
    for cell, width in zip(cells, widths, strict=True):
        if cell is not None and cell.plain.strip():
            line.append(" " * (start - line.cell_len))
            line.append_text(cell)
        start += width + _GAP
    return line
