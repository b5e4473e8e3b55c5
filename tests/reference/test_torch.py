"""Our float64 references against PyTorch's, on the CPU, where PyTorch is installed (make test-torch)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bridge.layers.conv.shape import ConvolutionShape
from bridge.reference import dense, elementwise, normalisation, pooling
from bridge.reference.convolution import expected

pytestmark = pytest.mark.torch
F = torch.nn.functional

RNG = np.random.default_rng(0)


def leaf(values: np.ndarray):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


def close(ours: np.ndarray, theirs) -> None:
    np.testing.assert_allclose(ours, theirs.detach().numpy().reshape(ours.shape), rtol=1e-10, atol=1e-12)


def check(y: np.ndarray, theirs, dy: np.ndarray, pairs: list[tuple[np.ndarray, object]]) -> None:
    """Compare a result, and gradients for dy, with those of PyTorch's graph."""
    close(y, theirs)
    theirs.backward(torch.tensor(dy.reshape(theirs.shape)))
    for ours, tensor in pairs:
        close(ours, tensor.grad)


@pytest.mark.parametrize(
    "shape",
    [
        ConvolutionShape(2, 3, 9, 8, 4, 3, 2, 2, 1, 1, 0),
        ConvolutionShape(1, 4, 11, 7, 6, 3, 3, 1, 2, 2, 1, 2, 1, 2),
    ],
)
def test_convolution(shape):
    x, w, bias = normal(*shape.input_shape), normal(*shape.filter_shape), normal(shape.filters)
    dy = normal(*shape.output_shape)
    tx, tw, tb = leaf(x), leaf(w), leaf(bias)
    theirs = F.conv2d(
        tx,
        tw,
        tb,
        (shape.stride_h, shape.stride_w),
        (shape.pad_h, shape.pad_w),
        (shape.dilation_h, shape.dilation_w),
        shape.groups,
    )
    y = expected("forward", shape, x=x, w=w, bias=bias).value
    gradients = [expected(phase, shape, x=x, w=w, dy=dy).value for phase in ("data_gradient", "filter_gradient")]
    check(y, theirs, dy, [(gradients[0], tx), (gradients[1], tw)])


@pytest.mark.parametrize(("size", "stride", "pad"), [((3, 3), (2, 2), (0, 0)), ((3, 2), (2, 3), (1, 1))])
def test_max_pooling(size, stride, pad):
    x = normal(2, 3, 11, 9)
    tx = leaf(x)
    theirs = F.max_pool2d(tx, size, stride, pad, ceil_mode=True)
    window = pooling.Window(size, stride, pad)
    y, index = pooling.max_forward(x, window, *theirs.shape[2:])
    dy = normal(*y.shape)
    check(y, theirs, dy, [(pooling.max_backward(dy, index, 11, 9), tx)])


@pytest.mark.parametrize("padding", [True, False])
@pytest.mark.parametrize(("size", "stride", "pad"), [((3, 3), (2, 2), (0, 0)), ((3, 2), (2, 3), (1, 1))])
def test_average_pooling(size, stride, pad, padding):
    x = normal(2, 3, 11, 9)
    tx = leaf(x)
    theirs = F.avg_pool2d(tx, size, stride, pad, ceil_mode=True, count_include_pad=padding)
    window = pooling.Window(size, stride, pad)
    y = pooling.average_forward(x, window, *theirs.shape[2:], padding=padding)
    dy = normal(*y.shape)
    check(y, theirs, dy, [(pooling.average_backward(dy, window, 11, 9, padding=padding), tx)])


def test_global_average_pooling():
    x, dy = normal(2, 3, 5, 4), normal(2, 3, 1, 1)
    tx = leaf(x)
    y = pooling.global_average_forward(x)
    check(y, F.adaptive_avg_pool2d(tx, 1), dy, [(pooling.global_average_backward(dy, 5, 4), tx)])


@pytest.mark.parametrize("size", [5, 3])
def test_lrn_across_channels(size):
    x, dy = normal(2, 7, 3, 4), normal(2, 7, 3, 4)
    tx = leaf(x)
    arguments = (size, 0.3, 0.75, 1.5)
    y, _ = normalisation.lrn_forward(x, *arguments, within=False)
    dx = normalisation.lrn_backward(x, dy, *arguments, within=False)
    check(y, F.local_response_norm(tx, *arguments), dy, [(dx, tx)])


def test_lrn_within_a_channel():
    x, dy = normal(2, 3, 6, 5), normal(2, 3, 6, 5)
    tx = leaf(x)
    squares = F.avg_pool2d(tx * tx, 3, 1, 1, count_include_pad=True)
    theirs = tx * (1.5 + 0.3 * squares) ** -0.75
    y, _ = normalisation.lrn_forward(x, 3, 0.3, 0.75, 1.5, within=True)
    dx = normalisation.lrn_backward(x, dy, 3, 0.3, 0.75, 1.5, within=True)
    check(y, theirs, dy, [(dx, tx)])


@pytest.mark.parametrize("spatial", [True, False])
def test_batch_normalisation(spatial):
    x, dy = normal(4, 3, 2, 5), normal(4, 3, 2, 5)
    shape = (3,) if spatial else (3, 2, 5)
    gain, bias = normal(*shape), normal(*shape)
    tx, tg, tb = leaf(x), leaf(gain), leaf(bias)
    flat = (lambda t: t) if spatial else (lambda t: t.reshape(4, -1) if t.shape[0] == 4 else t.reshape(-1))
    mean, variance = torch.zeros(gain.size, dtype=torch.float64), torch.ones(gain.size, dtype=torch.float64)
    theirs = F.batch_norm(flat(tx), mean, variance, flat(tg), flat(tb), training=True, momentum=0.3, eps=1e-3)
    y, batch = normalisation.batchnorm_forward(x, gain, bias, 1e-3, spatial=spatial)
    close(0.3 * batch.mean.reshape(-1), mean)
    close(0.7 + 0.3 * batch.unbiased_variance.reshape(-1), variance)
    dx, dgain, dbias = normalisation.batchnorm_backward(x, dy, gain, 1e-3, spatial=spatial)
    check(y, theirs.reshape(x.shape), dy, [(dx, tx), (dgain, tg), (dbias, tb)])


ACTIVATIONS = {
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "clipped_relu": lambda t: t.clamp(0, 0.8),
    "soft_relu": F.softplus,
}


@pytest.mark.parametrize("mode", ACTIVATIONS)
def test_activation(mode):
    x, dy = normal(3, 50), normal(3, 50)
    tx = leaf(x)
    y = elementwise.activation_forward(mode, x, 0.8)
    dx = elementwise.activation_backward(mode, x, dy, 0.8)
    # PyTorch's softplus is linear above its threshold of 20, which these values do not reach.
    check(y, ACTIVATIONS[mode](tx), dy, [(dx, tx)])


@pytest.mark.parametrize("algorithm", ["accurate", "log"])
@pytest.mark.parametrize("mode", ["instance", "channel"])
def test_softmax(algorithm, mode):
    x, dy = normal(2, 5, 3, 4), normal(2, 5, 3, 4)
    tx = leaf(x)
    function = F.log_softmax if algorithm == "log" else F.softmax
    theirs = function(tx.reshape(2, -1), 1).reshape(x.shape) if mode == "instance" else function(tx, 1)
    y = dense.softmax_forward(x, algorithm, mode)
    check(y, theirs, dy, [(dense.softmax_backward(x, dy, algorithm, mode), tx)])


def test_fully_connected():
    x, w, bias, dy = normal(3, 4, 2, 2), normal(5, 16), normal(5), normal(3, 5)
    tx, tw, tb = leaf(x.reshape(3, 16)), leaf(w), leaf(bias)
    gradients = [(dense.backward_data(dy, w), tx), (dense.backward_filter(x, dy), tw)]
    check(dense.forward(x, w, bias), F.linear(tx, tw, tb), dy, gradients)


def test_cross_entropy():
    x, labels = normal(6, 9), RNG.integers(0, 9, 6)
    tx = leaf(x)
    loss, gradient = dense.cross_entropy(x, labels)
    theirs = F.cross_entropy(tx, torch.tensor(labels), reduction="none")
    close(loss, theirs)
    theirs.mean().backward()
    close(gradient, tx.grad)


def test_sgd():
    w, velocity = normal(7), np.zeros(7)
    tw = leaf(w)
    optimiser = torch.optim.SGD([tw], lr=0.1, momentum=0.9, weight_decay=0.01)
    for _ in range(3):
        gradient = normal(7)
        tw.grad = torch.tensor(gradient)
        optimiser.step()
        w, velocity = elementwise.sgd_update(w, gradient, velocity, 0.1, 0.9, 0.01)
        close(w, tw)


def test_the_recorder_keeps_what_a_step_computed(tmp_path):
    from bridge import ConfigurationError
    from bridge.traces import TraceReader
    from bridge.traces.torch_recorder import TorchRecorder

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(36, 3))
    x, labels = torch.randn(2, 1, 5, 5), torch.tensor([0, 2])
    with TorchRecorder(model, ["0", "1", "3"]) as recorder:
        with pytest.raises(ConfigurationError, match="nothing was recorded"):
            recorder.record(0)
        F.cross_entropy(model(x), labels).backward()
        recorder.record(5, trace=tmp_path / "values.safetensors")
        F.cross_entropy(model(x), labels).backward()
        recorder.record(6, trace=tmp_path / "patterns.safetensors", patterns_only=True)
    with TraceReader(tmp_path / "values.safetensors") as trace:
        assert trace.metadata["model"] == "Sequential"
        np.testing.assert_array_equal(trace.find("0", "input"), x.numpy())
        np.testing.assert_array_equal(trace.find("0", "weights"), model[0].weight.detach().numpy())
        output = trace.find("1", "output")
        np.testing.assert_array_equal(output, np.maximum(trace.find("0", "output"), 0))
        # The ReLU's gradient is let through where its output is positive.
        np.testing.assert_array_equal(
            trace.find("0", "gradient"), np.where(output > 0, trace.find("1", "gradient"), np.float32(0))
        )
    with TraceReader(tmp_path / "patterns.safetensors") as trace:
        np.testing.assert_array_equal(trace.pattern("1", "output"), output > 0)
    densities = {(row.step, row.layer, row.tensor): row.density for row in recorder.densities.rows}
    assert densities[5, "1", "output"] == (output != 0).mean()
    assert densities[6, "0", "gradient"] < 1
    assert not model[0]._forward_hooks
    with pytest.raises(ConfigurationError, match="the model has no layer 'conv'"):
        TorchRecorder(model, ["conv"])
