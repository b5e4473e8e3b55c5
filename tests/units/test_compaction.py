"""The compaction engine: formats, latency, and the energy of its conversions."""

import numpy as np
import pytest

from spartan_units.compaction import AnyFormatCompactionEngine, EllpackCompactionEngine
from spartan_units.errors import UnitError
from spartan_units.formats import FORMATS, EncodedTiles, tile_format
from spartan_units.types import AppliedTiles, Machine, TensorInfo, TileBatch, ViewInfo

MACHINE = Machine(model="test", clock_hz=10**9, compute_units=64, l2_banks=16)


def batch_of(dense, format_name):
    n, rows, columns = dense.shape
    tensor = TensorInfo(1, "x", 0, dense.dtype, n * rows, columns, columns * 4, 4, rows, columns)
    return TileBatch(
        view=ViewInfo(1, 0x1000, tensor, format_name, tile_format(format_name).slot_bytes(rows, columns)),
        time_ps=np.zeros(n, np.uint64),
        tile=np.arange(n, dtype=np.uint64),
        rows=np.full(n, rows, np.uint32),
        columns=np.full(n, columns, np.uint32),
        dense=dense,
    )


def engine_of(unit, **parameters):
    engine = unit(MACHINE, parameters)
    engine.start()
    return engine


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_every_format_comes_back(name):
    dtype = np.float16 if name == "ellpack_dib16" else np.float32
    dense = np.random.default_rng(0).standard_normal((3, 16, 16)).astype(dtype)
    dense[dense < 0] = 0
    answer = engine_of(AnyFormatCompactionEngine).compact(batch_of(dense, name))
    decoded = tile_format(name).decode(EncodedTiles(answer.size, answer.encoded), 16, 16)
    assert np.array_equal(decoded, dense)


def test_the_default_engine_refuses_other_formats():
    with pytest.raises(
        UnitError, match="ellpack-dib converts to ellpack_dib, ellpack_dib16, dense, the view asks for csr"
    ):
        engine_of(EllpackCompactionEngine).compact(batch_of(np.zeros((1, 4, 4), np.float32), "csr"))


def test_a_tile_takes_the_pipeline_and_its_elements_at_the_rate():
    engine = engine_of(EllpackCompactionEngine, elements_per_cycle=16, pipeline_cycles=12)
    answer = engine.compact(batch_of(np.ones((2, 16, 16), np.float32), "ellpack_dib"))
    assert answer.latency_ps.tolist() == [(12 + 256 // 16) * 1000] * 2


def test_energy_is_that_of_the_tiles_that_took_effect():
    engine = engine_of(EllpackCompactionEngine, pj_per_element=3.0, pj_per_buffer_byte=0.5)
    batch = batch_of(np.ones((2, 16, 16), np.float32), "ellpack_dib")
    answer = engine.compact(batch)
    assert engine.counters()["energy_nj"] == 0
    engine.applied(AppliedTiles(batch.view, batch.time_ps, batch.tile, batch.rows, batch.columns, answer.size))
    assert engine.counters()["energy_nj"] == pytest.approx((2 * 256 * 3.0 + 2 * 2176 * 0.5) / 1000)
