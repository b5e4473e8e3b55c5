"""Synthetic tensors: density to 0.1 %, and patterns that are what they claim."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.data import Pattern, sparse_tensor
from bridge.errors import ConfigurationError


@settings(max_examples=40, deadline=None)
@given(
    density=st.floats(0, 1),
    imbalance=st.floats(0, 3),
    row=st.floats(0, 0.99),
    channel=st.floats(0, 0.99),
    seed=st.integers(0, 1000),
    signed=st.booleans(),
)
def test_density_is_met_whatever_the_pattern(density, imbalance, row, channel, seed, signed):
    pattern = Pattern(density=density, row_imbalance=imbalance, row_cluster=row, channel_cluster=channel, seed=seed)
    x = sparse_tensor((2, 16, 8, 13), pattern, signed=signed)
    assert np.count_nonzero(x) == round(density * x.size)
    assert abs(np.count_nonzero(x) / x.size - density) <= 0.001
    assert np.isfinite(x).all()
    assert signed or (x >= 0).all()
    assert np.array_equal(x, sparse_tensor((2, 16, 8, 13), pattern, signed=signed))


def agreement(mask, axis):
    """How often neighbours agree on being zero."""
    return np.mean(np.diff(mask.astype(np.int8), axis=axis) == 0)


def test_independent_elements_agree_as_chance_has_it():
    mask = sparse_tensor((1, 64, 32, 32), Pattern(density=0.4)) != 0
    for axis in (1, 2, 3):
        assert agreement(mask, axis) == pytest.approx(0.4**2 + 0.6**2, abs=0.01)


@pytest.mark.parametrize(("key", "axis"), [("row_cluster", 3), ("channel_cluster", 1)])
def test_clusters_lie_along_their_axis_alone(key, axis):
    mask = sparse_tensor((1, 64, 32, 32), Pattern(density=0.4, **{key: 0.9})) != 0
    for other in (1, 2, 3):
        if other == axis:
            assert agreement(mask, other) > 0.8
        else:
            assert agreement(mask, other) == pytest.approx(0.52, abs=0.02)


def test_imbalance_spreads_the_rows():
    def spread(imbalance):
        mask = sparse_tensor((1, 64, 32, 32), Pattern(density=0.4, row_imbalance=imbalance)) != 0
        return mask.mean(axis=3).std()

    assert spread(0) == pytest.approx(np.sqrt(0.4 * 0.6 / 32), rel=0.1)
    assert spread(1) > 2 * spread(0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"density": 1.5}, "density: expected a fraction from 0 to 1, got 1.5"),
        ({"density": 0.5, "row_cluster": 1.0}, "row_cluster: expected a correlation from 0 to below 1, got 1.0"),
        ({"density": 0.5, "row_imbalance": -1.0}, "row_imbalance: expected a number from 0 on, got -1.0"),
    ],
)
def test_nonsense_is_refused(keys, message):
    with pytest.raises(ConfigurationError, match=message):
        Pattern(**keys)
