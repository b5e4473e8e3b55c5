"""Training on the simulated GPU: steps equal those of a float64 network in numpy; LeNet-5 learns digits."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bridge import ConfigurationError, CoSimulation, default_choices
from bridge.adaptive import AdaptiveController, AdaptivePolicy
from bridge.dnnmark import Network, parse_text
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.primitive import density
from bridge.reference import dense, elementwise, pooling
from bridge.reference.convolution import expected
from bridge.training import Trainer

ROOT = Path(__file__).parents[2]
TEXT = """[DNNMark]
run_mode=composed
[Convolution]
name=conv
n=8
c=2
h=9
w=9
num_output=16
kernel_size=3
pad=1
stride=1
bias=true
[Activation]
name=relu
previous_layer=conv
[Pooling]
name=pool
previous_layer=relu
[FullyConnected]
name=fc
previous_layer=pool
num_output=5
bias=true
[Softmax]
name=softmax
previous_layer=fc
"""
SHAPE = ConvolutionShape(8, 2, 9, 9, 16, 3, 3, pad_h=1, pad_w=1)
RATE, MOMENTUM, DECAY = 0.05, 0.9, 0.01
RNG = np.random.default_rng(11)
IMAGES = RNG.standard_normal((3, 8, 2, 9, 9)).astype(np.float32)
LABELS = RNG.integers(0, 5, (3, 8))


def numpy_step(p: dict, velocity: dict, x: np.ndarray, labels: np.ndarray) -> float:
    """Train `p` in place by one step; return the loss."""
    window = pooling.Window((3, 3), (2, 2))
    y = expected("forward", SHAPE, x=x, w=p["conv", "w"], bias=p["conv", "bias"]).value
    active = elementwise.activation_forward("relu", y)
    pooled, index = pooling.max_forward(active, window, 4, 4)
    logits = dense.forward(pooled, p["fc", "w"], p["fc", "bias"])
    loss, d = dense.cross_entropy(logits, labels)
    gradients = {("fc", "w"): dense.backward_filter(pooled, d), ("fc", "bias"): d.sum(axis=0)}
    d = dense.backward_data(d, p["fc", "w"]).reshape(pooled.shape)
    d = elementwise.activation_backward("relu", y, pooling.max_backward(d, index, 9, 9))
    gradients["conv", "w"] = expected("filter_gradient", SHAPE, x=x, w=p["conv", "w"], dy=d).value
    gradients["conv", "bias"] = d.sum(axis=(0, 2, 3))
    for key, gradient in gradients.items():
        p[key], velocity[key] = elementwise.sgd_update(p[key], gradient, velocity[key], RATE, MOMENTUM, DECAY)
    return float(loss.mean())


@pytest.mark.parametrize("units", [False, True], ids=["no units", "units"])
def test_steps_equal_numpy(units):
    network = Network.from_description(parse_text(TEXT))
    choices = list(default_choices().values()) if units else []
    with (
        CoSimulation(mode="timing" if units else "functional", units=choices) as session,
        Trainer(session, network, rate=RATE, momentum=MOMENTUM, decay=DECAY, seed=2) as trainer,
    ):
        parameters = {key: value.astype(np.float64) for key, value in trainer.parameters().items()}
        assert set(parameters) == {("conv", "w"), ("conv", "bias"), ("fc", "w"), ("fc", "bias")}
        velocity = {key: np.zeros_like(value) for key, value in parameters.items()}
        for images, labels in zip(IMAGES, LABELS, strict=True):
            wanted = numpy_step(parameters, velocity, images, labels)
            if units:
                timed = trainer.timed_step(images, labels)
                found = timed.result.loss
                assert timed.other_cycles > 0
                compared = {p.label for p in timed.primitives if p.spartan is not None}
                assert compared == {"ConvFwd", "ConvBwdFilter", "FcFwd", "FcBwdData", "FcBwdFilter"}
                assert all(p.dense > 0 and p.spartan != 0 for p in timed.primitives)
            else:
                found = trainer.step(images, labels).loss
            assert found == pytest.approx(wanted, rel=1e-4)
        for key, value in trainer.parameters().items():
            np.testing.assert_allclose(value, parameters[key], rtol=1e-3, atol=1e-5)
        logits = dense.forward(
            pooling.max_forward(
                elementwise.activation_forward(
                    "relu",
                    expected(
                        "forward", SHAPE, x=IMAGES[0], w=parameters["conv", "w"], bias=parameters["conv", "bias"]
                    ).value,
                ),
                pooling.Window((3, 3), (2, 2)),
                4,
                4,
            )[0],
            parameters["fc", "w"],
            parameters["fc", "bias"],
        )
        np.testing.assert_array_equal(trainer.predict(IMAGES[0][:5]), logits.argmax(axis=1)[:5])


def test_adaptive_steps_equal_numpy_on_either_side():
    """What the controller chooses follows the densities that the monitor counts, and changes no result."""
    network = Network.from_description(parse_text(TEXT))
    controller = AdaptiveController(AdaptivePolicy(break_even=0.75))
    with (
        CoSimulation(units=list(default_choices().values())) as session,
        Trainer(session, network, rate=RATE, momentum=MOMENTUM, decay=DECAY, seed=2) as trainer,
    ):
        parameters = {key: value.astype(np.float64) for key, value in trainer.parameters().items()}
        velocity = {key: np.zeros_like(value) for key, value in parameters.items()}
        for number, (images, labels) in enumerate(zip(IMAGES, LABELS, strict=True)):
            wanted = numpy_step(parameters, velocity, images, labels)
            step = trainer.adaptive_step(images, labels, controller, number)
            assert step.result.loss == pytest.approx(wanted, rel=1e-4)
            # The images are dense; of conv's output gradient, maximum pooling lets a quarter through at most.
            assert [key for key in step.sparse if key[0] == "conv"] == [("conv", "ConvBwdFilter")]
            assert (step.reading_cycles > 0) is (number < 2)  # steady by then: not read in the third
            assert step.reading_cycles < step.cycles
            if number == 1:
                gradient = trainer.device.output_gradients["conv"].numpy()
        for key, value in trainer.parameters().items():
            np.testing.assert_allclose(value, parameters[key], rtol=1e-3, atol=1e-5)
        read = [decision for decision in controller.decisions if decision.layer == "conv"]
        assert [decision.density for decision in read if decision.phase == "ConvFwd"] == [1.0] * 3
        assert read[-1].density == pytest.approx(np.count_nonzero(gradient) / gradient.size)
        assert {decision.side for decision in read if decision.phase == "ConvFwd"} == {"dense"}


def test_break_evens_tell_the_faster_side():
    """They choose what is faster at the density that they were measured at, and leave everything as it was."""
    network = Network.from_description(parse_text(TEXT))
    with (
        CoSimulation(units=list(default_choices().values())) as session,
        Trainer(session, network, rate=RATE, seed=2) as trainer,
    ):
        before = trainer.parameters()
        found = trainer.break_evens(IMAGES[0], LABELS[0], margin=0.0)
        for key, value in trainer.parameters().items():
            np.testing.assert_array_equal(value, before[key])
        both = [*trainer.device.forward, *trainer.device.backward]
        compared = {f"{p.layer} {p.primitive.label}": p.primitive for p in both if p.primitive.sparse is not None}
        assert set(found) == set(compared)
        assert len(set(found.values())) > 1
        for name, primitive in compared.items():
            assert primitive.sparse is not None
            at = min(density(operand.numpy()) for operand in primitive.operands)
            dense, spartan = primitive.operation.run().cycles, primitive.sparse.run().cycles
            if abs(dense - spartan) > 0.05 * dense:
                assert (at < found[name] or found[name] == 1.0) is (spartan < dense), name
        assert trainer.step(IMAGES[0], LABELS[0]).loss > 0


def test_an_adaptive_step_needs_a_monitor():
    network = Network.from_description(parse_text(TEXT))
    with (
        CoSimulation(mode="functional") as session,
        Trainer(session, network, rate=RATE) as trainer,
        pytest.raises(ConfigurationError, match="needs a monitor to read"),
    ):
        trainer.adaptive_step(IMAGES[0], LABELS[0], AdaptiveController(), 0)


def test_parameters_move_to_another_session():
    network = Network.from_description(parse_text(TEXT))
    with CoSimulation(mode="functional") as session, Trainer(session, network, rate=RATE, seed=1) as first:
        first.step(IMAGES[0], LABELS[0])
        with Trainer(session, network, rate=RATE, seed=9) as second:
            second.set_parameters(first.parameters())
            np.testing.assert_array_equal(first.predict(IMAGES[1]), second.predict(IMAGES[1]))
            assert first.step(IMAGES[2], LABELS[2]).loss == second.step(IMAGES[2], LABELS[2]).loss


def test_a_network_without_softmax_is_refused():
    network = Network.from_description(parse_text(TEXT[: TEXT.index("[Softmax]")]))
    with (
        CoSimulation(mode="functional") as session,
        pytest.raises(ConfigurationError, match="to be trained, a network must end in a Softmax layer"),
    ):
        Trainer(session, network, rate=RATE)


@pytest.mark.long
def test_lenet_learns_digits(tmp_path):
    command = [sys.executable, ROOT / "examples" / "train_lenet.py", "--time-every", "30", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["test_accuracy"] >= 0.95
    losses = results["losses"]
    assert np.mean(losses[-10:]) < 0.1 * np.mean(losses[:10])
    assert [entry["step"] for entry in results["timed_steps"]] == [0, 30, 60]
    for entry in results["timed_steps"]:
        assert entry["loss"]["adaptive"] == pytest.approx(entry["loss"]["dense"], rel=1e-4)
        assert "conv2 ConvBwdData" in entry["with_spartan"]
        assert not {"conv1 ConvFwd", "conv2 ConvFwd"} & set(entry["with_spartan"])
        assert entry["adaptive"] < min(entry["dense"], entry["spartan"])
    decisions = json.loads((tmp_path / "decisions.json").read_text())["decisions"]
    assert {d["side"] for d in decisions if (d["layer"], d["phase"]) == ("conv2", "ConvBwdData")} == {"spartan"}
    assert (tmp_path / "densities.parquet").stat().st_size > 0
    assert re.search(r"<svg", (tmp_path / "training.svg").read_text())
