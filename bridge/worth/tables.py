"""Tables that print on a terminal and into a Markdown page alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import rich.table

__all__ = ["Table", "decimal", "percent"]


@dataclass
class Table:
    """A table with a heading.

    Attributes:
        title: heading.
        columns: their headings.
        rows: cells as text.
        notes: sentences below it.
    """

    title: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rich(self) -> rich.table.Table:
        """Return the table for a terminal."""
        table = rich.table.Table(*self.columns, title=self.title, title_justify="left")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self, level: int) -> str:
        """Return the table as Markdown below a heading of a level."""
        lines = [f"{'#' * level} {self.title}", "", *(f"{note}\n" for note in self.notes)]
        lines += ["| " + " | ".join(self.columns) + " |", "| " + " | ".join("---" for _ in self.columns) + " |"]
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"


def percent(share: float) -> str:
    """Return a share as percent."""
    return f"{100 * share:.0f} %"


def decimal(value: float) -> str:
    """Return two decimals."""
    return f"{value:.2f}"
