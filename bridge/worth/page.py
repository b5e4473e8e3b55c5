"""All tables as one Markdown page."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.worth.claims import Claim
from bridge.worth.collect import NetworkResult
from bridge.worth.report import (
    break_even_table,
    case_table,
    claims_table,
    network_table,
    profiling_table,
    sampling_table,
)
from bridge.worth.targets import target_table

__all__ = ["BEGIN", "END", "page", "sums", "with_sums"]

BEGIN, END = "<!-- spartan claims: begin -->", "<!-- spartan claims: end -->"
"""Marks in a page of other text, between which the tables of sums stand."""

_HEAD = """# Measured figures

Written from the records of `spartan claims --all` by `spartan claims --all --stored --markdown docs/claims.md
--markdown docs/worth.md --plot docs/sweep.svg`; don't edit. What the columns mean, and what follows from them:
[worth.md](worth.md). Layers of the same shape are shown once. Cycles are of whole operations with launch tails;
% peak, % of bound and no tails leave the constant launch tails out. Every output was compared with numpy in the run
that was timed.
"""


def page(results: Sequence[NetworkResult], claims: Sequence[Claim], figures: Sequence[str] = ()) -> str:
    """Return the page: sums first, then the sweeps' figures by their paths, then the layers."""
    layers = [case_table(result, point) for result in results for point in result.points]
    parts = [_HEAD, sums(results, claims, level=2)]
    if figures:
        parts += ["## Sweeps\n", *(f"![speedup over density]({figure})\n" for figure in figures)]
    found = [table.markdown(3) for table in layers if table.rows]
    if found:
        parts += ["## Layers\n", *found]
    return "\n".join(parts)


def sums(results: Sequence[NetworkResult], claims: Sequence[Claim], *, level: int) -> str:
    """Return the tables of sums below headings of a level."""
    tables = [
        claims_table(claims, results),
        target_table(results),
        network_table(results),
        profiling_table(results),
        sampling_table(results),
        break_even_table(results),
    ]
    return "\n".join(table.markdown(level) for table in tables if table.rows)


def with_sums(text: str, results: Sequence[NetworkResult], claims: Sequence[Claim]) -> str | None:
    """Return a page's text with what lies between its marks replaced by the tables of sums; None without marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return None
    return f"{before}{begin}\n\n{sums(results, claims, level=3)}\n{end}{after}"
