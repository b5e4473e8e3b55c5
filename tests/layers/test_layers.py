"""Every layer type, forward and backward, on the simulated GPU against float64 numpy: three shapes each, one odd."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bridge import CoSimulation
from bridge.dnnmark import Network, parse_text
from bridge.layers.network import DeviceNetwork

SHAPES = {"one image": (1, 8, 12, 12), "batch": (4, 16, 8, 8), "odd": (3, 5, 13, 7)}
VECTORS = {"one image": (1, 96, 1, 1), "batch": (9, 64, 2, 2), "odd": (3, 37, 3, 1)}


def variants(section: str, **choices: list[object]) -> list[str]:
    """Return a section for every combination of choices."""
    return [
        f"[{section}]\n" + "\n".join(f"{key}={value}" for key, value in zip(choices, values, strict=True))
        for values in itertools.product(*choices.values())
    ]


SECTIONS = [
    *variants("Convolution", num_output=[16], kernel_size=[3], pad=[1], conv_mode=["convolution", "cross_correlation"]),
    *variants("Convolution", num_output=[20], kernel_size_h=[3], kernel_size_w=[2], stride=[2], bias=["true"]),
    *variants("Pooling", pool_mode=["max", "avg", "avg_include_padding", "avg_exclude_padding"], pad=[0, 1]),
    *variants("Pooling", pool_mode=["max", "avg_include_padding"], kernel_size=[2], stride=[3]),
    *variants("LRN", lrn_mode=["cross_channel_dim1", "within_channel"], local_size=[5, 4], alpha=[0.5], k=[1.0]),
    *variants("Activation", activation_mode=["relu", "sigmoid", "tanh", "clipped_relu", "soft_relu"], ceiling=[0.7]),
    *variants("Softmax", softmax_algo=["fast", "accurate", "log"], softmax_mode=["instance", "channel"]),
    *variants(
        "BatchNorm",
        batchnorm_mode=["per_activation", "spatial"],
        save_intermediates=["true", "false"],
        exp_avg_factor=[0.3],
    ),
    *variants("Dropout", dropout_probability=[0.4], random_seed=[0, 2**40 + 3]),
    *variants("Bypass"),
    *variants("Add"),
    *variants("GlobalAveragePooling"),
]
DENSE = variants("FullyConnected", num_output=[40, 5, 67], bias=["false", "true"])


def identity(section: str) -> str:
    return " ".join(section.replace("[", "").replace("]", "").split("\n"))


@pytest.fixture(scope="module")
def session():
    with CoSimulation(mode="functional") as made:
        yield made


def run(session: CoSimulation, section: str, shape: tuple[int, int, int, int]) -> None:
    extents = "\n".join(f"{key}={value}" for key, value in zip("nchw", shape, strict=True))
    description = parse_text(f"[DNNMark]\nrun_mode=standalone\n{section}\n{extents}\nname=layer\n")
    with DeviceNetwork(session, Network.from_description(description), seed=3) as network:
        placed = [*network.forward, *network.backward]
        assert {p.primitive.phase for p in placed} == {"forward", "backward"}
        for item in placed:
            item.primitive.before()
            item.primitive.operation.run()
            checked = item.primitive.verify()
            assert checked.passed, f"{item.primitive.label}: {checked.message}"


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("section", SECTIONS, ids=identity)
def test_layer(session, section, shape):
    run(session, section, SHAPES[shape])


@pytest.mark.parametrize("shape", VECTORS)
@pytest.mark.parametrize("section", DENSE, ids=identity)
def test_fully_connected(session, section, shape):
    run(session, section, VECTORS[shape])


@pytest.mark.parametrize("section", variants("Softmax", softmax_algo=["accurate", "log"]), ids=identity)
def test_softmax_of_large_logits_does_not_overflow(session, section):
    description = parse_text(f"[DNNMark]\nrun_mode=standalone\n{section}\nn=3\nc=300\nh=1\nw=1\nname=layer\n")

    def large(node, what, shape, rng):
        return (rng.standard_normal(shape) * 200).astype(np.float32)

    with DeviceNetwork(session, Network.from_description(description), draw=large) as network:
        for item in network.forward:
            item.primitive.operation.run()
            assert item.primitive.verify().passed


@pytest.mark.parametrize("mode", ["convolution", "cross_correlation"])
def test_orientation_of_filters(session, mode):
    section = f"[Convolution]\nconv_mode={mode}\nnum_output=16\nkernel_size_h=2\nkernel_size_w=3\npad=0"
    description = parse_text(f"[DNNMark]\nrun_mode=standalone\n{section}\nn=1\nc=2\nh=5\nw=6\nname=conv\n")
    w = np.random.default_rng(1).standard_normal((16, 2, 2, 3)).astype(np.float32)
    with DeviceNetwork(session, Network.from_description(description)) as network:
        layer = network.layers["conv"]
        layer.load("weights", w)
        np.testing.assert_array_equal(layer.filters(), w)
        for item in (*network.forward, *network.backward):
            item.primitive.operation.run()
        x, y = layer.inputs[0].numpy().astype(float), layer.output.numpy()
        dy, dw = network.output_gradients["conv"].numpy().astype(float), layer.filter_gradient()
    for f, p, q in np.ndindex(16, 4, 4):
        taps = x[0, :, p : p + 2, q : q + 3]
        if mode == "convolution":  # y[p, q] = sum of x[p + a, q + b] · w[last − a, last − b]
            taps = taps[:, ::-1, ::-1]
        assert y[0, f, p, q] == pytest.approx((taps * w[f]).sum(), abs=1e-5)
    wanted = sum(dy[0, 3, p, q] * x[0, 1, p, q + 2] for p, q in np.ndindex(4, 4))
    at = (1, 0) if mode == "convolution" else (0, 2)
    assert dw[3, 1][at] == pytest.approx(wanted, abs=1e-4)


def test_a_wrong_element_is_found_and_named(session):
    description = parse_text("[DNNMark]\nrun_mode=standalone\n[Pooling]\nn=1\nc=2\nh=8\nw=8\nname=pool\n")
    with DeviceNetwork(session, Network.from_description(description)) as network:
        primitive = network.forward[0].primitive
        primitive.operation.run()
        assert primitive.verify().passed
        y = network.layers["pool"].output
        values = y.numpy()
        values[0, 1, 2, 3] += 1e-6
        y.write(values)
        checked = primitive.verify()
        assert not checked.passed
        assert "pool y[0, 1, 2, 3] is" in checked.message
        assert "1 of 32 elements differ" in checked.message
        values[0, 0, 0, 0] = np.nan
        y.write(values)
        assert "pool y[0, 0, 0, 0] is nan" in primitive.verify().message
