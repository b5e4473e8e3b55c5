"""Sparse GEMMs over every format, through views of the engine that writes them, against float64 numpy."""

from __future__ import annotations

import numpy as np
import pytest

from bridge import CoSimulation, UnitChoice
from bridge.errors import ConfigurationError
from bridge.tensors import Matrix
from spartan_units.types import UnitKind

ENGINE = UnitChoice(UnitKind.COMPACTION, "spartan_units.compaction:AnyFormatCompactionEngine")


@pytest.fixture(scope="module")
def session():
    with CoSimulation(mode="functional", units=[ENGINE]) as made:
        yield made


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [(64, 64, 64), (45, 70, 90), (1, 1, 1)])
@pytest.mark.parametrize("name", ["csr", "bitmap", "zvc"])
def test_equals_the_product(session, name, size, density):
    M, N, K = size
    rng = np.random.default_rng(3)
    a = rng.standard_normal((K, M)).astype(np.float32)
    a[rng.random(a.shape) >= density] = 0
    b, bias = rng.standard_normal((K, N)).astype(np.float32), rng.standard_normal(N).astype(np.float32)
    arrays = [session.array(value, name=key) for key, value in {"a": a, "b": b, "bias": bias}.items()]
    c = session.empty((M, N), name="c")
    with session.view(Matrix(arrays[0], K, M, M, 1, 32, 32), name) as view:
        args = {"tiles": view.address, "b": arrays[1], "c": c, "bias": arrays[2], "M": M, "N": N, "K": K, "ldb": N}
        args |= {"c_row_stride": N, "c_column_stride": 1, "slot_bytes": view.slot_bytes}
        session.launch(f"sparse_gemm_{name}", args=args)
    exact = a.T.astype(np.float64) @ b + bias
    bound = (K + 2) / 2 * 2.0**-23 * (np.abs(a.T).astype(np.float64) @ np.abs(b) + np.abs(bias)) + K * 2.0**-126
    assert (np.abs(c.numpy() - exact) <= bound).all()
    for array in [*arrays, c]:
        array.free()


def test_an_unknown_format_is_refused(session):
    array = session.empty((32, 32), name="a")
    with pytest.raises(ConfigurationError, match="a compacted view has a format of ellpack_dib, "):
        session.view(Matrix(array, 32, 32, 32, 1, 32, 32), "coo")
