"""Fully connected layers with the three units, on any shape and density, against float64 numpy."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge import CoSimulation, default_choices
from bridge.cli import main
from bridge.dnnmark import Network, parse_text
from bridge.layers.network import DeviceNetwork
from bridge.units import UnitChoice
from spartan_units.types import UnitKind

UNITS = list(default_choices().values())


@pytest.fixture(scope="module")
def session():
    with CoSimulation(mode="functional", units=UNITS) as made:
        yield made


def network(n: int, c: int, k: int, *, bias: bool = False, density: float = 1.0, gradient: float = 1.0) -> Network:
    text = f"[DNNMark]\nrun_mode=standalone\n[FullyConnected]\nname=fc\nn={n}\nc={c}\nh=1\nw=1\nnum_output={k}\n"
    text += f"bias={str(bias).lower()}\ndensity={density}\ngradient_density={gradient}\n"
    return Network.from_description(parse_text(text))


def run_and_verify(device: DeviceNetwork) -> None:
    """Run every primitive on either side; what both have written lies within the bound of float64."""
    for item in (*device.forward, *device.backward):
        primitive = item.primitive
        primitive.operation.run()
        assert primitive.sparse is not None
        primitive.sparse.output.write(np.full(primitive.sparse.output.shape, np.nan, np.float32))
        primitive.sparse.run()
        checked = primitive.verify()
        assert checked.passed, f"{primitive.label}: {checked.message}"


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 40),
    c=st.integers(1, 200),
    k=st.integers(1, 300),
    bias=st.booleans(),
    density=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    gradient=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    seed=st.integers(0, 1000),
)
@example(n=1, c=1, k=1, bias=True, density=1.0, gradient=1.0, seed=0)
@example(n=1, c=65, k=129, bias=True, density=0.3, gradient=0.0, seed=0)
@example(n=2, c=33, k=127, bias=True, density=0.3, gradient=0.3, seed=0)
@example(n=8, c=64, k=64, bias=False, density=0.02, gradient=0.05, seed=0)
@example(n=9, c=31, k=5, bias=True, density=0.3, gradient=0.5, seed=0)
@example(n=33, c=96, k=257, bias=False, density=0.3, gradient=0.5, seed=0)
def test_any_shape(session, n, c, k, bias, density, gradient, seed):
    described = network(n, c, k, bias=bias, density=density, gradient=gradient)
    with DeviceNetwork(session, described, seed=seed) as device:
        if bias:
            device.layers["fc"].load("bias", np.random.default_rng(seed).standard_normal(k).astype(np.float32))
        run_and_verify(device)


@pytest.mark.parametrize("n", [1, 3, 12])
@pytest.mark.parametrize("units", ["no scheduler", "no engine", "portable"])
def test_other_ways(n, units):
    """Without a scheduler, with kernels for every back end, and with no engine, where there is nothing to compare."""
    kinds = {"no scheduler": [UnitKind.MONITOR, UnitKind.COMPACTION], "no engine": [UnitKind.MONITOR]}
    chosen: list[UnitChoice] = [default_choices()[kind] for kind in kinds.get(units, default_choices())]
    kernels = "portable" if units == "portable" else "best"
    described = network(n, 70, 67, bias=True, density=0.4, gradient=0.3)
    with (
        CoSimulation(mode="functional", units=chosen, kernels=kernels) as session,
        DeviceNetwork(session, described) as device,
    ):
        if units == "no engine":
            assert all(item.primitive.sparse is None for item in (*device.forward, *device.backward))
        else:
            run_and_verify(device)


def test_a_change_of_the_weights_reaches_both_sides(session):
    with DeviceNetwork(session, network(1, 80, 90, density=0.5)) as device:
        w = np.random.default_rng(5).standard_normal((90, 80)).astype(np.float32)
        device.layers["fc"].load("weights", w)
        run_and_verify(device)
        x = device.layers["fc"].inputs[0].numpy().reshape(-1).astype(np.float64)
        np.testing.assert_allclose(device.layers["fc"].output.numpy().reshape(-1), w @ x, rtol=1e-4, atol=1e-4)


def test_rows_of_weights_that_meet_zeros_are_not_read():
    """A kernel that reads them would turn NaN into NaN; with all images at zero there the results stay finite."""
    for n in (1, 4):
        with (
            CoSimulation(mode="functional", units=UNITS) as session,
            DeviceNetwork(session, network(n, 256, 128, gradient=1.0)) as device,
        ):
            layer = device.layers["fc"]
            x = layer.inputs[0].numpy().reshape(n, 256)
            x[:, 64:192] = 0
            layer.inputs[0].write(x.reshape(layer.inputs[0].shape))
            w = layer.parameters["w"].numpy()
            w[:, 64:192] = np.nan
            layer.load("weights", w)
            primitive = device.forward[0].primitive
            assert primitive.sparse is not None
            primitive.sparse.run()
            wanted = x[:, ~np.isnan(w[0])].astype(np.float64) @ w[:, ~np.isnan(w[0])].T.astype(np.float64)
            np.testing.assert_allclose(primitive.sparse.output.numpy().reshape(n, 128), wanted, rtol=1e-3, atol=1e-4)


def test_figures_of_a_benchmark(tmp_path, monkeypatch):
    """Cycles of either side, and as bound the multiply-adds left; a layer of zeros has none, which is null."""
    out = tmp_path / "out.json"
    arguments = ["layer", "fc", "--c", "512", "--h", "1", "--k", "512", "--gradient-density", "0", "--density", "0.2"]
    monkeypatch.setattr(sys, "argv", ["spartan", *arguments, "--json", str(out)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    rows = json.loads(out.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert [row["label"] for row in rows] == ["FcFwd", "FcBwdData", "FcBwdFilter"]
    assert all(row["verified"] and row["spartan"]["cycles"] > 0 for row in rows)
    assert rows[0]["spartan"]["ideal_speedup"] == pytest.approx(1 / rows[0]["density"])
    assert [row["density"] for row in rows[1:]] == [0.0, 0.0]
    assert [row["spartan"]["ideal_speedup"] for row in rows[1:]] == [None, None]
    assert rows[0]["spartan"]["speedup"] > 1  # four fifths of the weights are not read
