"""Synthetic sparse tensors: exact density, imbalance between rows, clusters along rows and channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.errors import ConfigurationError

__all__ = ["Pattern", "sparse_tensor"]


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Where the non-zeros of a tensor lie.

    Attributes:
        density: fraction of non-zeros, 0 to 1.
        row_imbalance: how unlike rows (runs of the last axis) are, in standard deviations of a row's score against that
            of an element within its row; 0: all alike.
        row_cluster: correlation of neighbours within a row, 0 (none) to below 1.
        channel_cluster: correlation of neighbours along axis 1 (channels of NCHW), 0 to below 1.
        seed: of the generator; the same seed gives the same tensor.
    """

    density: float
    row_imbalance: float = 0.0
    row_cluster: float = 0.0
    channel_cluster: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 <= self.density <= 1:
            raise ConfigurationError(f"density: expected a fraction from 0 to 1, got {self.density}")
        if not (self.row_imbalance >= 0 and math.isfinite(self.row_imbalance)):
            raise ConfigurationError(f"row_imbalance: expected a number from 0 on, got {self.row_imbalance}")
        for key in ("row_cluster", "channel_cluster"):
            value = getattr(self, key)
            if not 0 <= value < 1:
                raise ConfigurationError(f"{key}: expected a correlation from 0 to below 1, got {value}")


def sparse_tensor(shape: Sequence[int], pattern: Pattern, *, signed: bool = False) -> NDArray[np.float32]:
    """Return float32 of `shape` (two axes or more) with round(density · elements) non-zeros, the others +0.0.

    A Gaussian score decides who is zero: the non-zeros are those of highest score. Neighbours correlate as a
    first-order autoregressive sequence along the axes concerned, rows get an offset each. Values are independent of
    the pattern: half-normal as behind a ReLU, or normal where `signed`, as gradients are.
    """
    if len(shape) < 2:
        raise ConfigurationError(f"a sparse tensor has two axes or more, got the shape {tuple(shape)}")
    rng = np.random.default_rng(pattern.seed)
    values = rng.standard_normal(tuple(shape), dtype=np.float32)
    if not signed:
        np.abs(values, out=values)
    values[values == 0] = np.float32(2.0**-20)
    score = rng.standard_normal(tuple(shape), dtype=np.float32)
    _correlate(score, -1, pattern.row_cluster)
    _correlate(score, 1, pattern.channel_cluster)
    if pattern.row_imbalance:
        offsets = rng.standard_normal((*tuple(shape)[:-1], 1), dtype=np.float32)
        score += np.float32(pattern.row_imbalance) * offsets
    zeros = values.size - round(pattern.density * values.size)
    if zeros:
        values.reshape(-1)[np.argpartition(score.reshape(-1), zeros - 1)[:zeros]] = 0
    return values


def _correlate(score: NDArray[np.float32], axis: int, correlation: float) -> None:
    """Turn independent standard normals into a stationary AR(1) sequence along an axis, in place."""
    if correlation == 0:
        return
    along = np.moveaxis(score, axis, 0)
    fresh = np.float32(math.sqrt(1 - correlation * correlation))
    for i in range(1, len(along)):
        along[i] = np.float32(correlation) * along[i - 1] + fresh * along[i]
