"""gemm_scalar and gemm_gather in all blocks: slices of K, added in the work-group or left, bias, edges."""

from __future__ import annotations

import numpy as np
import pytest

from bridge.layers.gemm import GemmPlan, Layout, Target, add_dense_gemm
from bridge.layers.operation import Operation
from bridge.session import CoSimulation

BLOCKS = [
    (kernel, rows, columns)
    for rows, columns in [(32, 128), (32, 64), (16, 128), (16, 64)]
    for kernel in ("gemm_scalar", "gemm_gather")
]
EPSILON = 2.0**-23


@pytest.fixture(scope="module")
def session():
    with CoSimulation(gpu="r9nano", units=[]) as opened:
        yield opened


def product(session: CoSimulation, plan: GemmPlan, a, b, bias, *, ldb: int) -> np.ndarray:
    """C of a GEMM whose A (K × M) and B (K × N, rows ldb apart) come as numpy arrays."""
    (K, M), N = a.shape, b.shape[1]
    rows = np.full((K, ldb), np.nan, np.float32)
    rows[:, :N] = b
    with Operation(session, "gemm") as operation:
        tables = {
            "k_offsets": operation.table(np.append(np.arange(K) * 4 * ldb, np.zeros(12)).astype(np.uint32), "k"),
            "n_offsets": operation.table((np.arange(N) * 4).astype(np.uint32), "n"),
        }
        device = {name: operation.table(value, name) for name, value in {"a": a, "b": rows, "bias": bias}.items()}
        c = operation.empty((M, N), "c")
        gather = plan.kernel == "gemm_gather"
        second = {"b_bytes": rows.nbytes, **tables} if gather else {"ldb": ldb}
        target = Target(operation, plan, K, c)
        add_dense_gemm(
            operation, plan, (M, N, K), device["a"], M, {"b": device["b"], **second}, target, Layout(N, 1, 0, N),
            device["bias"].address,
        )  # fmt: skip
        target.finish()
        first = operation.run()
        once = c.numpy().copy()
        assert operation.run().instructions == first.instructions
        assert np.array_equal(once, c.numpy()), "the same input gave other bits"
    return once


@pytest.mark.parametrize(("kernel", "rows", "columns"), [*BLOCKS, ("gemm_scalar", 8, 64)])
@pytest.mark.parametrize(
    ("K", "k_slice", "slice_shift", "column_shift", "resident", "whole"),
    [
        (45, 45, 0, 0, 0, 0),
        (45, 45, 0, 2, 2, 0),
        (45, 12, 0, 1, 0, 0),  # partial results
        (45, 12, 2, 0, 2, 0),  # four slices, added in the work-group, the last shorter
        (5, 4, 2, 0, 3, 0),  # two slices of a work-group have no k
        (131, 20, 2, 0, 0, 0),  # two partial results, of four and of three slices
        (131, 12, 2, 0, 2, 1),  # the same of all rows but the first
        (131, 12, 2, 0, 2, 2),
        (131, 36, 0, 2, 2, 1),
    ],
)
def test_every_block_gives_the_product(
    session, kernel, rows, columns, K, k_slice, slice_shift, column_shift, resident, whole
):
    if rows == 8:
        slice_shift = whole = 0  # too few accumulators to share out among four wavefronts
    rng = np.random.default_rng(K)
    M, N = 2 * rows + 5, columns + 23
    a, b = rng.standard_normal((K, M)).astype(np.float32), rng.standard_normal((K, N)).astype(np.float32)
    bias = rng.standard_normal(M).astype(np.float32)
    plan = GemmPlan(kernel, rows, columns, 4, column_shift, slice_shift, k_slice, resident, whole)
    found = product(session, plan, a, b, bias, ldb=N + 3)
    wanted = a.T.astype(np.float64) @ b + bias[:, None]
    bound = (K + 2) / 2 * EPSILON * (np.abs(a.T.astype(np.float64)) @ np.abs(b) + np.abs(bias)[:, None])
    assert (np.abs(found - wanted) <= bound).all()


@pytest.mark.parametrize("kernel", ["gemm_scalar", "gemm_gather"])
def test_slices_are_added_in_ascending_order(session, kernel):
    # Sums of one product each: 2^24 + 1 is 2^24 in fp32, so that another order gives another result.
    a = np.ones((4, 16), np.float32)
    b = np.repeat(np.float32([[2.0**24], [1.0], [1.0], [-(2.0**24)]]), 64, axis=1)
    found = product(session, GemmPlan(kernel, 16, 64, 4, 0, 2, 1), a, b, np.zeros(16, np.float32), ldb=64)
    assert (found == 0).all()
