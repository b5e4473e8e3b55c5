"""Training on the simulated GPU: forward, loss, backward and update, every one of them a kernel."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.dnnmark.network import Network, Node
from bridge.errors import ConfigurationError
from bridge.layers.network import DeviceNetwork, PlacedPrimitive
from bridge.session import CoSimulation

__all__ = ["PrimitiveCycles", "StepResult", "TimedStep", "Trainer"]


@dataclass(frozen=True)
class StepResult:
    """One training step: mean cross-entropy of the batch, and how many images were classified correctly before it."""

    loss: float
    correct: int


@dataclass(frozen=True)
class PrimitiveCycles:
    """A primitive in a timed step: cycles without the units, and with them where they apply."""

    layer: str
    label: str
    dense: int
    spartan: int | None


@dataclass(frozen=True)
class TimedStep:
    """A training step in timing mode.

    Attributes:
        result: what the step computed.
        primitives: cycles of each.
        other_cycles: loss, update of the parameters and of the filters' layouts.
    """

    result: StepResult
    primitives: tuple[PrimitiveCycles, ...]
    other_cycles: int


def _zeros(_node: Node, _what: str, shape: tuple[int, ...], _rng: np.random.Generator) -> NDArray[np.float32]:
    """Return what the input holds until a batch is loaded."""
    return np.zeros(shape, np.float32)


class Trainer:
    """Trains a network that ends in a softmax, with stochastic gradient descent and momentum; a context manager.

    Attributes:
        device: the network on the device.
    """

    def __init__(
        self,
        session: CoSimulation,
        network: Network,
        *,
        rate: float,
        momentum: float = 0.9,
        decay: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Allocate the network, its gradients and velocities.

        Args:
            session: the device; with units attached, `timed_step` measures with and without them.
            network: composed, with one input layer, the last layer a softmax over classes.
            rate: learning rate.
            momentum: share of the velocity that is kept; 0 for none.
            decay: weight decay, added to the gradient.
            seed: of the first parameters.
        """
        softmax = network.nodes[-1]
        if softmax.layer.section != "Softmax" or not softmax.inputs:
            raise ConfigurationError(f"{network.file}: to be trained, a network must end in a Softmax layer")
        self._session = session
        self._rate, self._momentum, self._decay = rate, momentum, decay
        self._resources = contextlib.ExitStack()
        self._batch, self._classes = softmax.output_shape[:2]
        logits = softmax.inputs[0]
        gradient = self._empty(network[logits].output_shape, "logits gradient")
        self._labels = self._empty((self._batch,), "labels", np.uint32)
        self._loss = self._empty((self._batch,), "loss")

        self.device = DeviceNetwork(
            session, network, seed=seed, draw=_zeros, gradients={logits: gradient}, training=True
        )
        self._resources.callback(self.device.close)
        self._gradient = gradient
        self._probabilities = self.device.layers[softmax.name].output
        self._input = next(array for (_, what), array in self.device.drawn.items() if what == "input")
        self._velocity = {
            (layer.node.name, name): self._empty(array.shape, f"{layer.node.name} {name} velocity")
            for layer in self.device.layers.values()
            for name, array in layer.parameters.items()
        }

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the device memory."""
        self._resources.close()

    @property
    def batch(self) -> int:
        """Images of a step."""
        return self._batch

    def step(self, images: NDArray[np.float32], labels: NDArray[Any]) -> StepResult:
        """Train on one batch: images NCHW, labels [N].

        Raises:
            ConfigurationError: for a batch of another shape.
        """
        self._load(images, labels)
        for placed in self.device.forward:
            placed.primitive.operation.run()
        self._cross_entropy()
        for placed in self.device.backward:
            placed.primitive.operation.run()
        self._update()
        return self._result(labels)

    def timed_step(self, images: NDArray[np.float32], labels: NDArray[Any]) -> TimedStep:
        """Train on one batch and return the cycles of every primitive, those with Spartan in both ways."""
        self._load(images, labels)
        primitives = [self._timed(placed) for placed in self.device.forward]
        first = len(self._session.launches)
        self._cross_entropy()
        other = self._cycles_since(first)
        primitives += [self._timed(placed) for placed in self.device.backward]
        first = len(self._session.launches)
        self._update()
        other += self._cycles_since(first)
        return TimedStep(self._result(labels), tuple(primitives), other)

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the class of each image; any number of images, in batches."""
        found = []
        for start in range(0, len(images), self._batch):
            part = images[start : start + self._batch]
            self._input.write(np.concatenate([part, np.zeros((self._batch - len(part), *part.shape[1:]), np.float32)]))
            for placed in self.device.forward:
                placed.primitive.operation.run()
            found.append(self._classified()[: len(part)])
        return np.concatenate(found)

    def parameters(self) -> dict[tuple[str, str], NDArray[np.float32]]:
        """Return all parameters by layer and name, as they lie on the device."""
        return {
            (layer.node.name, name): array.numpy()
            for layer in self.device.layers.values()
            for name, array in layer.parameters.items()
        }

    def set_parameters(self, values: dict[tuple[str, str], NDArray[np.float32]]) -> None:
        """Take what `parameters` of an equal network returned."""
        for (layer, name), array in values.items():
            self.device.layers[layer].parameters[name].write(array)
        for made in self.device.layers.values():
            made.parameters_changed()

    def _empty(self, shape: tuple[int, ...], name: str, dtype: type = np.float32) -> DeviceArray:
        made = self._session.empty(shape, dtype, name=name)
        self._resources.callback(made.free)
        return made

    def _load(self, images: NDArray[np.float32], labels: NDArray[Any]) -> None:
        self._input.write(images)
        self._labels.write(labels)

    def _cross_entropy(self) -> None:
        self._session.launch(
            "cross_entropy_gradient",
            args={
                "y": self._probabilities,
                "labels": self._labels,
                "dx": self._gradient,
                "loss": self._loss,
                "rows": self._batch,
                "length": self._classes,
                "scale": 1.0 / self._batch,
            },
        )

    def _update(self) -> None:
        for (name, parameter), velocity in self._velocity.items():
            layer = self.device.layers[name]
            weights = layer.parameters[parameter]
            self._session.launch(
                "sgd_update",
                args={
                    "w": weights,
                    "gradient": layer.gradients[parameter],
                    "velocity": velocity if self._momentum else None,
                    "n": weights.size,
                    "rate": self._rate,
                    "momentum": self._momentum,
                    "decay": self._decay,
                },
            )
        for layer in self.device.layers.values():
            layer.parameters_changed()

    def _timed(self, placed: PlacedPrimitive) -> PrimitiveCycles:
        primitive = placed.primitive
        with self._session.layer(f"{placed.layer} {primitive.label}"):
            dense = primitive.operation.run().cycles
            spartan = None if primitive.sparse is None else primitive.sparse.run().cycles
        return PrimitiveCycles(placed.layer, primitive.label, dense, spartan)

    def _cycles_since(self, first: int) -> int:
        return sum(launch.cycles for launch in self._session.launches[first:])

    def _classified(self) -> NDArray[np.int64]:
        return np.asarray(self._probabilities.numpy().reshape(self._batch, self._classes).argmax(axis=1), np.int64)

    def _result(self, labels: NDArray[Any]) -> StepResult:
        return StepResult(float(self._loss.numpy().mean()), int((self._classified() == labels).sum()))
