"""Speed of the tile formats: 16 × 16 tiles a second, encoded and decoded in batches on one core (docs/formats.md)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

import numpy as np
from harness import Benchmark, BenchmarkError, Column

from spartan_units.formats import FORMATS

_TILES = 4096
_DENSITIES = (0.1, 0.5, 0.9)

Values = Mapping[str, Mapping[str, float]]


def measure(name: str) -> Values:
    """Encode and decode a batch of each density; 10³ tiles a second of processor time, by column and density.

    Raises:
        BenchmarkError: where a tile does not come back.
    """
    module = FORMATS[name]
    rng = np.random.default_rng(0)
    values: dict[str, dict[str, float]] = {f"{name} encode": {}, f"{name} decode": {}}
    for density in _DENSITIES:
        dense = rng.standard_normal((_TILES, 16, 16)).astype(np.float16 if name == "ellpack_dib16" else np.float32)
        dense[rng.random(dense.shape) >= density] = 0
        begin = time.process_time()
        encoded = module.encode(dense)
        middle = time.process_time()
        decoded = module.decode(encoded, 16, 16)
        end = time.process_time()
        if not np.array_equal(decoded, dense):
            raise BenchmarkError(f"{name} at density {density}: a tile did not come back")
        values[f"{name} encode"][f"{density}"] = _TILES / (middle - begin) / 1e3
        values[f"{name} decode"][f"{density}"] = _TILES / (end - middle) / 1e3
    return values


BENCHMARKS = [
    Benchmark(
        name="formats",
        title="Tile formats, 10³ tiles of 16 × 16 a second of processor time, by density",
        columns=[Column(name=f"{name} {what}") for name in FORMATS for what in ("encode", "decode")],
        variants=[partial(measure, name) for name in FORMATS],
    )
]
