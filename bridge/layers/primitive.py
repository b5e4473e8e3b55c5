"""Primitives: one pass of one layer, with the reference that its results are compared with in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.layers.operation import Operation

__all__ = ["EPSILON", "Expectation", "Phase", "Primitive", "Verification", "close_to", "density"]

Phase = Literal["forward", "backward"]

EPSILON = float(np.finfo(np.float32).eps)
"""Distance from 1 to the next float32, 2^-23."""


_BLOCK = 1 << 22
"""Elements that are compared at a time."""


@dataclass(frozen=True)
class Expectation:
    """What an array must hold.

    Attributes:
        output: the device array.
        values: float64, as many elements, or those of a part.
        tolerance: largest absolute difference, for all elements or each.
        start: the first element, in memory order, that the values tell of; with it a large output comes in parts.
    """

    output: DeviceArray
    values: NDArray[np.float64]
    tolerance: NDArray[np.float64] | float
    start: int = 0


@dataclass(frozen=True)
class Verification:
    """How results compare with their references.

    Attributes:
        passed: every element of every output lies within its tolerance.
        worst: largest ratio of difference to tolerance.
        message: for a failure, one sentence on the first output that differs.
    """

    passed: bool
    worst: float
    message: str = ""


@dataclass
class Primitive:
    """One pass of a layer on the device.

    Attributes:
        label: DNNMark's label, such as ConvBwdData.
        phase: forward or backward.
        operation: its launches.
        inputs: what it reads.
        expected: computes the expectations from what the inputs hold, one at a time where they are large.
        before: called before a run whose result is to be verified; keeps what the run overwrites.
        sparse: the same pass with the Spartan units, where there is one.
        ideal: the speedup that skipping every zero of the sparse operand would give.
        skipped: the sparse operand, where it is not the first input.
        operands: what the units may skip zeros of: the inputs, where it is empty; a framework goes by the sparsest.
    """

    label: str
    phase: Phase
    operation: Operation
    inputs: Sequence[DeviceArray]
    expected: Callable[[], Iterable[Expectation]]
    before: Callable[[], None] = field(default=lambda: None)
    sparse: Operation | None = None
    ideal: Callable[[], float] | None = None
    skipped: Callable[[], DeviceArray] | None = None
    operands: Sequence[DeviceArray] = ()

    def __post_init__(self) -> None:
        """Let the inputs be the operands where none are named."""
        self.operands = self.operands or self.inputs

    def density(self) -> float:
        """Return the density of the sparse operand, or of the first input where there is none."""
        return density((self.inputs[0] if self.skipped is None else self.skipped()).numpy())

    def verify(self) -> Verification:
        """Compare what the last run wrote with the references."""
        worst, held = 0.0, dict[int, NDArray[np.float32]]()
        for expectation in self.expected():
            output = expectation.output
            if output.address not in held:
                held[output.address] = output.numpy().reshape(-1)
            wanted = expectation.values.reshape(-1)
            tolerance = np.broadcast_to(np.asarray(expectation.tolerance, np.float64).reshape(-1), wanted.shape)
            for first in range(0, wanted.size, _BLOCK):
                part = slice(first, first + _BLOCK)
                begin = expectation.start + first
                found = held[output.address][begin : begin + wanted[part].size].astype(np.float64)
                # A NaN or infinity differs from whatever is expected.
                difference = np.where(np.isfinite(found), np.abs(found - wanted[part]), np.inf)
                least = np.maximum(tolerance[part], np.finfo(np.float64).tiny)
                ratio = np.where(difference == 0, 0.0, difference / least)
                at = int(ratio.argmax())
                worst = max(worst, float(ratio[at]))
                if ratio[at] > 1:
                    place = tuple(int(i) for i in np.unravel_index(begin + at, output.shape))
                    return Verification(
                        False,
                        worst,
                        f"{output.name}{list(place)} is {found[at]:.9g}, its reference {wanted[part][at]:.9g} "
                        f"± {tolerance[part][at]:.3g}; {int((ratio > 1).sum())} of {ratio.size} elements differ",
                    )
        return Verification(True, worst)


def close_to(values: NDArray[Any], *, relative: float = 0.0, absolute: float = 0.0) -> NDArray[np.float64]:
    """Return |values| · relative + absolute, both in units of 2^-23."""
    return np.asarray(EPSILON * (np.abs(values) * relative + absolute), np.float64)


def density(values: NDArray[Any]) -> float:
    """Return the fraction of non-zeros."""
    return float(np.count_nonzero(values)) / values.size if values.size else 0.0
