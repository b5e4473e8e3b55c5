"""Bounds of a speedup: what an ideal engine gives, and what this GPU's resources allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.worth.cases import Case

__all__ = ["Bounds", "bounds", "peak_macs_per_cycle"]

_LINE_BYTES = 64


@dataclass(frozen=True)
class Bounds:
    """Least cycles of a case, dense and sparse, by resource.

    Attributes:
        ideal: dense over useful multiply-adds.
        dense_cycles, sparse_cycles: of the binding resource on either side.
        resource: what binds the sparse side: vector, scalar, l2 or dram.
        attainable: dense_cycles / sparse_cycles.
        peak: lane multiply-adds a cycle of the GPU.
    """

    ideal: float
    dense_cycles: float
    sparse_cycles: float
    resource: str
    attainable: float
    peak: float


def peak_macs_per_cycle(parameters: Mapping[str, str]) -> float:
    """Return the lane multiply-adds a cycle of all SIMDs."""
    units = int(parameters["core.shader_arrays"]) * int(parameters["core.compute_units_per_array"])
    return units * int(parameters["core.simds"]) * 64 / int(parameters["core.valu_cycles"])


def bounds(case: Case, parameters: Mapping[str, str], *, macs: int, useful: int) -> Bounds:
    """Return the bounds of a case.

    Vector: multiply-adds at a full SIMD rate; ELLPACK padding costs none, since the kernels jump over it. Scalar: one
    register-index instruction for each non-zero, filter row and 64 outputs, one a cycle and compute unit, where a
    direct kernel runs; for each non-zero of the im2col matrix and 128 outputs otherwise. L2: every operand and the
    result once, a non-zero as 8 bytes, one line a cycle and bank. DRAM: the dense operands and the result once, at the
    preset's rate. No kernel of these uses the LDS in its loop.

    Args:
        case: shape and densities.
        parameters: of the GPU, as the session lists them.
        macs: multiply-adds dense, taps in the padding left out.
        useful: those of them whose skipped operand is not zero.
    """
    from bridge.layers.conv.spartan import direct_problem

    shape = case.shape
    peak = peak_macs_per_cycle(parameters)
    units = int(parameters["core.shader_arrays"]) * int(parameters["core.compute_units_per_array"])
    l2_rate = int(parameters["l2.banks"]) * _LINE_BYTES
    dram_rate = (
        float(parameters["dram.bytes_per_cycle"])
        if parameters["dram.kind"].strip('"') == "banked"
        else int(parameters["l2.banks"]) * _LINE_BYTES * float(parameters["dram.requests_per_cycle"])
    )
    x = shape.images * shape.channels * shape.height * shape.width
    dy = shape.images * shape.filters * shape.pixels
    w = shape.filters * shape.taps
    total = 4 * (x + dy + w)
    skipped = x if case.operand == "x" else dy
    problem = direct_problem(case.phase, shape, engine=True)
    outputs_per_scalar = 64 * problem.taps_of_a_pixel if problem is not None else 128.0
    sparse = {
        "vector": useful / peak,
        "scalar": useful / outputs_per_scalar / units,
        "l2": (total - 4 * skipped + 8 * skipped * case.density) / l2_rate,
        "dram": total / dram_rate,
    }
    dense = max(macs / peak, total / l2_rate, total / dram_rate)
    resource = max(sparse, key=lambda name: sparse[name])
    return Bounds(
        ideal=macs / useful if useful else float("inf"),
        dense_cycles=dense,
        sparse_cycles=sparse[resource],
        resource=resource,
        attainable=dense / sparse[resource],
        peak=peak,
    )
