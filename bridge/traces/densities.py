"""Densities over a training run, as a Parquet table: step, layer, tensor, elements, nonzeros."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.errors import ConfigurationError

__all__ = ["DensityLog", "DensityRow", "read_densities"]


@dataclass(frozen=True)
class DensityRow:
    """How many elements of a tensor were non-zero at one step.

    Attributes:
        step: of the training run, from 0.
        layer: its name.
        tensor: input, output, gradient, weights or bias.
        elements: of the tensor.
        nonzeros: of them not zero.
    """

    step: int
    layer: str
    tensor: str
    elements: int
    nonzeros: int

    @property
    def density(self) -> float:
        """Fraction of non-zeros."""
        return self.nonzeros / self.elements if self.elements else 0.0


class DensityLog:
    """Densities in the order in which they were recorded.

    Attributes:
        rows: what was recorded.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.rows: list[DensityRow] = []

    def record(self, step: int, layer: str, tensor: str, values: NDArray[Any]) -> DensityRow:
        """Count the non-zeros of a tensor and keep the row."""
        row = DensityRow(step, layer, tensor, values.size, int(np.count_nonzero(values)))
        self.rows.append(row)
        return row

    def save(self, path: Path) -> None:
        """Write a Parquet file, or CSV where the name ends in .csv.

        Raises:
            ConfigurationError: for Parquet without the package pyarrow.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".csv":
            lines = ["step,layer,tensor,elements,nonzeros"]
            lines += [f"{row.step},{row.layer},{row.tensor},{row.elements},{row.nonzeros}" for row in self.rows]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            return
        arrow, parquet = _pyarrow()
        parquet.write_table(arrow.Table.from_pylist([asdict(row) for row in self.rows]), str(path))


def read_densities(path: Path) -> list[DensityRow]:
    """Read what `DensityLog.save` wrote, or any table with its columns.

    Raises:
        ConfigurationError: where the file can't be read or lacks a column.
    """
    columns = list(DensityRow.__dataclass_fields__)
    try:
        if path.suffix == ".csv":
            header, *lines = path.read_text(encoding="utf-8").splitlines()
            entries: list[dict[str, Any]] = [
                dict(zip(header.split(","), line.split(","), strict=True)) for line in lines
            ]
        else:
            _, parquet = _pyarrow()
            entries = parquet.read_table(str(path), columns=columns).to_pylist()
        return [
            DensityRow(int(e["step"]), e["layer"], e["tensor"], int(e["elements"]), int(e["nonzeros"])) for e in entries
        ]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"{path} is no table of densities ({', '.join(columns)}): {error}") from None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise ConfigurationError(
            "Parquet needs the package pyarrow; install the extra, pip install 'spartan-cosim[traces]', or write .csv"
        ) from None
    return pyarrow, parquet
