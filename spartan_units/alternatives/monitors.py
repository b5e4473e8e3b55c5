"""Monitors that do not count in every iteration: activation sparsity changes slowly from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spartan_units.base import Costs, SparsityMonitor
from spartan_units.monitor import LINE_BYTES, MonitorParameters, elements_written, locate
from spartan_units.types import Mark, MarkKind, StoreBatch, TensorInfo, TileCounts

__all__ = ["PredictingMonitor", "PredictingParameters", "SamplingMonitor", "SamplingParameters"]


class SamplingParameters(MonitorParameters):
    """How often to count.

    The period doubles while the density of a tensor changes by less than `tolerance` from one sample to the next, and
    falls back to 1 when it changes by more.
    """

    longest_period: int = Field(default=16, ge=1, le=1 << 20)
    tolerance: float = Field(default=0.02, ge=0, le=1)


@dataclass
class _Tensor:
    """What is known of one tensor.

    Attributes:
        counts: int64[tiles], non-zeros as last counted.
        written: bool[elements], written by the kernel under way; None while it has written nothing.
        fresh: int64[tiles], non-zeros among these.
        iteration: kernels that wrote it.
        period: samples are `period` such kernels apart; `due` is the next one.
        sampled: whether the latest kernel that wrote it was counted, so that `counts` are exact.
    """

    counts: NDArray[np.int64]
    elements: int
    written: NDArray[np.bool_] | None = None
    fresh: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    iteration: int = 0
    period: int = 1
    due: int = 1
    sampled: bool = True
    touched: bool = False


class SamplingMonitor(SparsityMonitor):
    """Counts the stores of some kernels only; in between it tells what it last counted.

    What it does not know for certain it never calls zero: a tile that is not counted now has at least one non-zero, so
    that nobody skips it on old news.
    """

    name = "sampling"
    Parameters = SamplingParameters
    parameters: SamplingParameters

    def start(self) -> None:
        """Begin with no tensor."""
        self._known: dict[int, _Tensor] = {}
        self._lines = self._counted = self._reads = 0

    def costs(self) -> Costs:
        """Return the declared costs."""
        read_ps = round(self.parameters.read_latency_ns * 1000)
        return Costs(
            lookahead_ps=read_ps,
            write_stall_cycles=self.parameters.write_stall_cycles,
            full_line_stall_cycles=self.parameters.full_line_stall_cycles,
            read_latency_ps=read_ps,
        )

    def tensor_added(self, tensor: TensorInfo, tile_nonzeros: NDArray[np.uint32]) -> None:
        """Start from the counts that the tensor has when it is registered."""
        super().tensor_added(tensor, tile_nonzeros)
        self._known[tensor.id] = _Tensor(tile_nonzeros.astype(np.int64), tensor.elements)

    def tensor_removed(self, tensor: TensorInfo) -> None:
        """Forget the counts."""
        super().tensor_removed(tensor)
        self._known.pop(tensor.id, None)

    def mark(self, mark: Mark) -> None:
        """End an iteration with each kernel."""
        if mark.kind in (MarkKind.KERNEL_BEGIN, MarkKind.KERNEL_END):
            for tensor_id in self._known:
                self._end_iteration(tensor_id)

    def stores(self, batch: StoreBatch) -> None:
        """Count the lines of tensors whose sample is due."""
        self._lines += len(batch)
        for tensor_id in np.unique(batch.tensor).tolist():
            known = self._known.get(tensor_id)
            if known is None:
                continue
            if not known.touched:
                known.touched = True
                known.iteration += 1
                known.sampled = known.iteration >= known.due
                if known.sampled:
                    known.written = np.zeros(known.elements, np.bool_)
                    known.fresh = np.zeros_like(known.counts)
            if known.sampled:
                rows = np.flatnonzero(batch.tensor == tensor_id)
                self._counted += len(rows)
                self._count(self._tensors[tensor_id], known, batch, rows)

    def _count(self, tensor: TensorInfo, known: _Tensor, batch: StoreBatch, rows: Any) -> None:
        assert known.written is not None
        width = tensor.dtype.itemsize
        per_line = LINE_BYTES // width
        offset = (batch.address[rows].astype(np.int64) - tensor.address)[:, None] + np.arange(per_line) * width
        row, column, inside = locate(tensor, offset)
        relevant = inside & elements_written(batch.mask[rows], width)
        new = (batch.new[rows].reshape(-1).view(tensor.dtype).reshape(-1, per_line) != 0)[relevant]
        element = (row * tensor.columns + column)[relevant]
        # The last write of an element decides: np.unique on the reversed list finds it.
        element, last = np.unique(element[::-1], return_index=True)
        value = new[::-1][last]
        old = (batch.old[rows].reshape(-1).view(tensor.dtype).reshape(-1, per_line) != 0)[relevant]
        first = np.unique((row * tensor.columns + column)[relevant], return_index=True)[1]
        before = old[first] & known.written[element]  # what this kernel wrote before counts in `fresh`
        tile = self._tile_of(tensor, element)
        np.add.at(known.fresh, tile, value.astype(np.int64) - before)
        known.written[element] = True

    @staticmethod
    def _tile_of(tensor: TensorInfo, element: Any) -> Any:
        row, column = np.divmod(element, tensor.columns)
        return (row // tensor.tile_rows) * tensor.tile_grid[1] + column // tensor.tile_columns

    def _end_iteration(self, tensor_id: int) -> None:
        known = self._known[tensor_id]
        if known.touched and known.sampled:
            self._sample(self._tensors[tensor_id], known)
        known.touched, known.written = False, None

    def _sample(self, tensor: TensorInfo, known: _Tensor) -> None:
        """Take over the counts of the tiles that were written in full, and set the period."""
        assert known.written is not None
        before = int(known.counts.sum())
        tile = self._tile_of(tensor, np.arange(tensor.elements))
        missing = np.bincount(tile[~known.written], minlength=len(known.counts)) > 0
        known.sampled = not missing.any()
        known.counts = np.where(missing, known.counts, known.fresh)
        change = abs(int(known.counts.sum()) - before) / max(tensor.elements, 1)
        self._adapt(known, change)
        known.due = known.iteration + known.period

    def _adapt(self, known: _Tensor, change: float) -> None:
        steady = change <= self.parameters.tolerance
        known.period = min(known.period * 2, self.parameters.longest_period) if steady else 1

    def read_counts(self, tensor: TensorInfo, time_ps: int) -> TileCounts:
        """Return what was last counted."""
        self._reads += 1
        self._end_iteration(tensor.id)
        return self._answer(tensor, self._known[tensor.id].counts)

    def _answer(self, tensor: TensorInfo, counts: NDArray[np.int64]) -> TileCounts:
        sampled = self._known[tensor.id].sampled
        shown = counts if sampled else np.maximum(counts, 1)
        zeros = max(tensor.elements - int(shown.sum()), 0)
        return TileCounts(tensor.elements, zeros, shown.astype(np.uint32), sampled=sampled)

    def counters(self) -> dict[str, float]:
        """Return lines seen, lines counted and register reads answered."""
        return {"lines": float(self._lines), "counted_lines": float(self._counted), "reads": float(self._reads)}


class PredictingParameters(SamplingParameters):
    """How much a new sample weighs against the average of those before."""

    weight: float = Field(default=0.5, gt=0, le=1)


class PredictingMonitor(SamplingMonitor):
    """Predicts by exponential averaging: between samples it tells a weighted mean of all samples so far."""

    name = "predicting"
    Parameters = PredictingParameters
    parameters: PredictingParameters

    def start(self) -> None:
        """Begin with no average."""
        super().start()
        self._average: dict[int, NDArray[np.float64]] = {}

    def tensor_removed(self, tensor: TensorInfo) -> None:
        """Forget the average."""
        super().tensor_removed(tensor)
        self._average.pop(tensor.id, None)

    def _sample(self, tensor: TensorInfo, known: _Tensor) -> None:
        super()._sample(tensor, known)
        weight = self.parameters.weight
        before = self._average.get(tensor.id, known.counts.astype(np.float64))
        self._average[tensor.id] = weight * known.counts + (1 - weight) * before

    def _answer(self, tensor: TensorInfo, counts: NDArray[np.int64]) -> TileCounts:
        if self._known[tensor.id].sampled or tensor.id not in self._average:
            return super()._answer(tensor, counts)
        return super()._answer(tensor, np.rint(self._average[tensor.id]).astype(np.int64))
