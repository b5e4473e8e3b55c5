"""The paper's claims, and tables that set measured figures beside them."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from bridge.errors import ConfigurationError
from bridge.worth.sides import SIDES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Claim", "Summary", "geometric_mean", "load_claims", "reached_at", "summarise"]


class Claim(pydantic.BaseModel):
    """One number of the paper.

    Attributes:
        id, what, value, unit: the claim.
        networks: what it is about.
        measured_as: "speedup" or "profiling".
        comparable: whether ours can be compared with it, and why.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    id: str
    what: str
    value: float
    unit: str
    networks: tuple[str, ...]
    measured_as: str
    comparable: str


def load_claims(path: Path) -> list[Claim]:
    """Return the claims of a file.

    Raises:
        ConfigurationError: names the file and the key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return [Claim.model_validate(entry) for entry in table["claim"]]
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise ConfigurationError(f"{path}: expected TOML with [[claim]] entries, {error}") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigurationError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


@dataclass(frozen=True)
class Summary:
    """Sums over the measured cases of a network.

    Attributes:
        cases, measured: how many there are, and how many of them have a record.
        macs_share: part of all multiply-adds that the measured ones have.
        speedup, speedup_without_tails: dense cycles / Spartan's, with and without the constant launch tails.
        over_fastest: the same against the faster of the implicit GEMM and Winograd, case by case, with tails.
        adaptive: the same with the faster of that and Spartan in each case, what an adaptive run approaches.
        adaptive_over_dense: the implicit GEMM everywhere over the faster of it and Spartan in each case; no Winograd on
            either side.
        beside: the implicit GEMM over each side that is not part of every measurement, over the cases that have it.
        energy_nj: of the compaction engines' conversions, in nanojoules.
        ideal, attainable: the same quotient at the bounds.
        useful_density: useful multiply-adds / all.
        peak_share: geometric mean over cases of useful multiply-adds a cycle over the peak, tails left out.
        attainable_share: geometric mean of the bound's cycles over the measured ones, tails left out.
        verified: all outputs of all measured cases were right.
    """

    cases: int
    measured: int
    macs_share: float
    speedup: float
    speedup_without_tails: float
    over_fastest: float
    adaptive: float
    adaptive_over_dense: float
    beside: Mapping[str, float]
    energy_nj: float
    ideal: float
    attainable: float
    useful_density: float
    peak_share: float
    attainable_share: float
    verified: bool


def geometric_mean(values: Sequence[float]) -> float:
    """Return exp(mean(log)); NaN for none."""
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else math.nan


def summarise(macs: Sequence[int], records: Sequence[dict[str, Any] | None]) -> Summary | None:
    """Return the summary of records in the order of their cases' multiply-adds; None where nothing is measured."""
    found = [record for record in records if record is not None]
    if not found:
        return None

    def total(side: str, key: str) -> float:
        return float(sum(record[side][key] for record in found))

    def net(record: dict[str, Any], side: str) -> float:
        return float(record[side]["cycles"] - record[side]["tail_cycles"])

    fastest = [min(r[side]["cycles"] for side in ("dense", "winograd") if side in r) for r in found]
    without_winograd = [min(r["dense"]["cycles"], r["spartan"]["cycles"]) for r in found]
    chosen = [min(cycles, r["spartan"]["cycles"]) for cycles, r in zip(fastest, found, strict=True)]
    done = sum(count for count, record in zip(macs, records, strict=True) if record is not None)
    all_macs, useful = sum(record["macs"] for record in found), sum(record["useful_macs"] for record in found)
    return Summary(
        cases=len(records),
        measured=len(found),
        macs_share=done / sum(macs),
        speedup=total("dense", "cycles") / total("spartan", "cycles"),
        speedup_without_tails=sum(net(r, "dense") for r in found) / sum(net(r, "spartan") for r in found),
        over_fastest=sum(fastest) / total("spartan", "cycles"),
        adaptive=sum(fastest) / sum(chosen),
        adaptive_over_dense=total("dense", "cycles") / sum(without_winograd),
        beside={name: _over(found, name) for name in SIDES if any(name in r for r in found) and not SIDES[name].always},
        energy_nj=total("spartan", "energy_nj"),
        ideal=all_macs / useful if useful else math.inf,
        attainable=total("bounds", "dense_cycles") / total("bounds", "sparse_cycles"),
        useful_density=useful / all_macs,
        peak_share=geometric_mean(
            [r["useful_macs"] / net(r, "spartan") / r["peak"] for r in found if r["useful_macs"]]
        ),
        attainable_share=geometric_mean([r["bounds"]["sparse_cycles"] / net(r, "spartan") for r in found]),
        verified=all(record["verified"] for record in found),
    )


def _over(records: Sequence[dict[str, Any]], side: str) -> float:
    """Return the implicit GEMM's cycles over a side's, of the records that have it."""
    having = [record for record in records if side in record]
    return float(sum(r["dense"]["cycles"] for r in having) / sum(r[side]["cycles"] for r in having))


def reached_at(densities: Sequence[float], speedups: Sequence[float], wanted: float) -> float | None:
    """Return the greatest density at which `wanted` is reached, linear in 1 / speedup between measured densities.

    None where it is reached nowhere in the range.
    """
    points = sorted(zip(densities, (1 / speedup for speedup in speedups), strict=True), reverse=True)
    goal = 1 / wanted
    if points and points[0][1] <= goal:
        return points[0][0]
    for (high, above), (low, below) in itertools.pairwise(points):
        if below <= goal:
            return low + (high - low) * (goal - below) / (above - below)
    return None
