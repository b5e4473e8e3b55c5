"""Traces: what is written is read, by us and by the formats' own libraries; a layer takes its data from a trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import safetensors.numpy

from bridge import ConfigurationError, CoSimulation
from bridge.dnnmark import Network, parse_text
from bridge.dnnmark.data import data_source
from bridge.layers.network import DeviceNetwork
from bridge.traces import DensityLog, TraceReader, TraceWriter, read_densities


def sparse(shape: tuple[int, ...], density: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < density, rng.standard_normal(shape), 0).astype(np.float32)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    writer = TraceWriter(tmp_path / "deep" / "a.safetensors", model="net", source="a test", step=7)
    writer.add("conv1", "input", sparse((3, 5, 7, 9), 0.3))
    writer.add("conv1", "gradient", sparse((3, 2, 7, 9), 0.6, 1), pattern_only=True)
    writer.add("conv1", "weights", np.ones((2, 5, 3, 3)))
    writer.save()
    return writer.path


def test_tensors_come_back(trace):
    with TraceReader(trace) as reader:
        assert reader.layers() == {"conv1": ["gradient", "input", "weights"]}
        assert {key: reader.metadata[key] for key in ("model", "source", "step")} == {
            "model": "net",
            "source": "a test",
            "step": "7",
        }
        np.testing.assert_array_equal(reader.find("conv1", "input"), sparse((3, 5, 7, 9), 0.3))
        assert reader.find("conv1", "weights").dtype == np.float32
        assert reader.find("conv1", "output") is None
        assert reader.find("conv2", "input") is None


def test_a_pattern_is_filled_with_non_zeros(trace):
    wanted = sparse((3, 2, 7, 9), 0.6, 1) != 0
    with TraceReader(trace) as reader:
        np.testing.assert_array_equal(reader.pattern("conv1", "gradient"), wanted)
        np.testing.assert_array_equal(reader.pattern("conv1", "input"), sparse((3, 5, 7, 9), 0.3) != 0)
        filled = reader.find("conv1", "gradient", seed=4)
        np.testing.assert_array_equal(filled != 0, wanted)
        np.testing.assert_array_equal(reader.find("conv1", "gradient", seed=4), filled)


def test_the_file_is_plain_safetensors(trace):
    tensors = safetensors.numpy.load_file(trace)
    assert set(tensors) == {"conv1/input", "conv1/gradient/nonzero", "conv1/weights"}
    bits = tensors["conv1/gradient/nonzero"]
    assert (bits.dtype, bits.size) == (np.uint8, -(-3 * 2 * 7 * 9 // 8))
    # The first element is the highest bit.
    assert bool(bits[0] >> 7) == bool(sparse((3, 2, 7, 9), 0.6, 1).flat[0])


def test_mistakes_of_the_writer(tmp_path):
    writer = TraceWriter(tmp_path / "a.safetensors")
    writer.add("conv1", "input", np.zeros(3))
    with pytest.raises(ConfigurationError, match="has conv1/input already"):
        writer.add("conv1", "input", np.zeros(3), pattern_only=True)
    for layer, what in (("conv1", "activation"), ("a/b", "input"), ("", "input")):
        with pytest.raises(ConfigurationError, match="a trace holds input, output, gradient, weights, bias of layers"):
            writer.add(layer, what, np.zeros(3))


def test_files_that_are_no_trace(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.safetensors can't be read"):
        TraceReader(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("not a trace, certainly not")
    with pytest.raises(ConfigurationError, match=r"text\.safetensors can't be read"):
        TraceReader(tmp_path / "text.safetensors")
    safetensors.numpy.save_file({"a": np.zeros(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(ConfigurationError, match="is no trace: expected the metadata format = spartan-trace"):
        TraceReader(tmp_path / "plain.safetensors")


@pytest.mark.parametrize("name", ["d.parquet", "d.csv"])
def test_densities_come_back(tmp_path, name):
    log = DensityLog()
    log.record(0, "relu1", "output", np.array([0.0, 1, 0, -2]))
    row = log.record(1, "relu1", "gradient", np.zeros((2, 3)))
    assert (log.rows[0].density, row.density) == (0.5, 0.0)
    log.save(tmp_path / "new" / name)
    assert read_densities(tmp_path / "new" / name) == log.rows


def test_the_table_is_plain_parquet(tmp_path):
    log = DensityLog()
    log.record(3, "conv1", "input", np.array([1.0, 0]))
    log.save(tmp_path / "d.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "d.parquet").to_pydict()
    assert table == {"step": [3], "layer": ["conv1"], "tensor": ["input"], "elements": [2], "nonzeros": [1]}


def test_a_table_of_something_else_is_refused(tmp_path):
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigurationError, match=r"d\.csv is no table of densities \(step, layer, tensor, elements"):
        read_densities(tmp_path / "d.csv")
    (tmp_path / "d.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigurationError, match=r"d\.parquet is no table of densities"):
        read_densities(tmp_path / "d.parquet")


LAYER = """[DNNMark]
run_mode=standalone
[Convolution]
name=conv1
n=2
c=5
h=7
w=9
num_output=2
kernel_size=3
pad=1
"""


def test_a_layer_takes_its_data_from_a_trace(trace):
    network = Network.from_description(parse_text(f"{LAYER}trace={trace.name}\n"))
    with (
        CoSimulation(mode="functional") as session,
        DeviceNetwork(session, network, draw=data_source("gaussian", trace.parent)) as device,
    ):
        layer = device.layers["conv1"]
        np.testing.assert_array_equal(layer.inputs[0].numpy(), sparse((3, 5, 7, 9), 0.3)[:2])
        gradient = device.output_gradients["conv1"].numpy()
        np.testing.assert_array_equal(gradient != 0, sparse((3, 2, 7, 9), 0.6, 1)[:2] != 0)
        np.testing.assert_array_equal(layer.filters(), np.ones((2, 5, 3, 3)))
        for placed in (*device.forward, *device.backward):
            placed.primitive.operation.run()
            assert placed.primitive.verify().passed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n=2", "n=4", "input of layer conv1 has shape [3, 5, 7, 9], the layer needs [4, 5, 7, 9]"),
        ("num_output=2", "num_output=3", "weights of layer conv1 have shape [3, 5, 3, 3], got [2, 5, 3, 3]"),
        ("pad=1", "pad=0", "gradient of layer conv1 has shape [3, 2, 7, 9], the layer needs [2, 2, 5, 7]"),
        ("name=conv1", "name=conv2", "has no input of layer 'conv2'"),
    ],
)
def test_a_trace_that_does_not_fit(trace, old, new, message):
    import re

    network = Network.from_description(parse_text(f"{LAYER}trace={trace.name}\n".replace(old, new)))
    with (
        CoSimulation(mode="functional") as session,
        pytest.raises(ConfigurationError, match=re.escape(message)),
    ):
        DeviceNetwork(session, network, draw=data_source("gaussian", trace.parent))
