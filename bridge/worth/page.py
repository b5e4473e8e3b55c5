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

__all__ = ["page"]

_HEAD = """# Measured figures

Written by `spartan claims --all --stored --markdown docs/claims.md --plot docs/sweep.svg` from the records of
`spartan claims --all`; don't edit. What the columns mean, and what follows from them: [worth.md](worth.md). Layers of
the same shape are shown once. Cycles are of whole operations with launch tails; % peak, % of bound and no tails leave
the constant launch tails out. Every output was compared with numpy in the run that was timed.
"""


def page(results: Sequence[NetworkResult], claims: Sequence[Claim], figures: Sequence[str] = ()) -> str:
    """Return the page: sums first, then the sweeps' figures by their paths, then the layers."""
    whole = [
        claims_table(claims, results),
        target_table(results),
        network_table(results),
        profiling_table(results),
        sampling_table(results),
        break_even_table(results),
    ]
    layers = [case_table(result, point) for result in results for point in result.points]
    parts = [_HEAD, *(table.markdown(2) for table in whole if table.rows)]
    if figures:
        parts += ["## Sweeps\n", *(f"![speedup over density]({figure})\n" for figure in figures)]
    found = [table.markdown(3) for table in layers if table.rows]
    if found:
        parts += ["## Layers\n", *found]
    return "\n".join(parts)
