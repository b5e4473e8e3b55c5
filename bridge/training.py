"""Training on the simulated GPU: forward, loss, backward and update, every one of them a kernel."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.adaptive import AdaptiveController, break_even_between
from bridge.array import DeviceArray
from bridge.dnnmark.network import Network, Node
from bridge.errors import ConfigurationError
from bridge.layers.network import DeviceNetwork, PlacedPrimitive
from bridge.layers.primitive import Primitive, density
from bridge.session import CoSimulation
from bridge.tensors import Matrix, WatchedTensor
from spartan_units.types import UnitKind

__all__ = ["AdaptiveStep", "PrimitiveCycles", "StepResult", "TimedStep", "Trainer"]


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
class AdaptiveStep:
    """A training step in timing mode that ran as a controller chose.

    Attributes:
        result: what the step computed.
        cycles: of the whole step, readings included.
        reading_cycles: register reads of the monitor.
        sparse: (layer, label) of what ran with Spartan.
    """

    result: StepResult
    cycles: int
    reading_cycles: int
    sparse: tuple[tuple[str, str], ...]


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

    def break_evens(
        self, images: NDArray[np.float32], labels: NDArray[Any], *, margin: float = 0.03
    ) -> dict[str, float]:
        """Measure the break-even density of every pass that Spartan can run, for `AdaptivePolicy.break_even_by_phase`.

        Each pass runs dense, with Spartan at the density that the batch gives it, and with Spartan once more when three
        quarters of the non-zeros of its operands are set to zero; before that, both sides run unmeasured, so that their
        code is in the caches. The parameters stay as they are.
        """
        self._load(images, labels)
        found: dict[str, float] = {}
        both = [*self.device.forward, *self.device.backward]
        for place, placed in enumerate(both):
            if place == len(self.device.forward):
                self._cross_entropy()
            primitive = placed.primitive
            if primitive.sparse is not None:
                found[" ".join(_key(placed))] = self._break_even(primitive, margin)
            primitive.operation.run()  # what the layers behind read
        return found

    @staticmethod
    def _break_even(primitive: Primitive, margin: float) -> float:
        assert primitive.sparse is not None
        primitive.operation.run()
        dense = primitive.operation.run().cycles
        held = [(operand, operand.numpy()) for operand in primitive.operands]
        points = []
        primitive.sparse.run()
        for share in (1.0, 0.25):
            rng = np.random.default_rng(0)
            for operand, values in held:
                operand.write(np.where(rng.random(values.shape) < share, values, np.float32(0)))
            density_here = min(density(operand.numpy()) for operand, _ in held)
            points.append((density_here, float(primitive.sparse.run().cycles)))
        for operand, values in held:
            operand.write(values)
        if points[0][0] == points[1][0]:  # no zeros to add: all are zeros
            return 1.0 if points[0][1] < dense else 0.0
        return break_even_between(dense, points[1], points[0], margin=margin)

    def adaptive_step(
        self, images: NDArray[np.float32], labels: NDArray[Any], controller: AdaptiveController, iteration: int
    ) -> AdaptiveStep:
        """Train on one batch, each primitive that Spartan can run on the side that the controller chooses for it.

        The monitor watches the operands of those primitives that the controller wants read in this iteration, and is
        read before the primitive runs; stalls of watched stores and register reads are part of the cycles.

        Raises:
            ConfigurationError: where no monitor is attached.
        """
        if UnitKind.MONITOR not in self._session.units:
            raise ConfigurationError("an adaptive step needs a monitor to read, none is attached")
        self._load(images, labels)
        first, sparse = len(self._session.launches), []
        with _Readings(self._session) as readings:
            both = [*self.device.forward, *self.device.backward]
            for placed in both:
                if placed.primitive.sparse is not None and controller.due(*_key(placed), iteration):
                    readings.watch(placed.primitive.operands)
            for place, placed in enumerate(both):
                if place == len(self.device.forward):
                    self._cross_entropy()
                if self._adaptively(placed, controller, iteration, readings):
                    sparse.append(_key(placed))
        self._update()
        cycles = self._cycles_since(first) + readings.cycles
        return AdaptiveStep(self._result(labels), cycles, readings.cycles, tuple(sparse))

    def _adaptively(
        self, placed: PlacedPrimitive, controller: AdaptiveController, iteration: int, readings: _Readings
    ) -> bool:
        """Run a primitive; tell whether it was with Spartan."""
        primitive, key = placed.primitive, _key(placed)
        with self._session.layer(f"{placed.layer} {primitive.label}"):
            if primitive.sparse is not None:
                if controller.due(*key, iteration):
                    controller.observe(*key, iteration, min(map(readings.density, primitive.operands)))
                if controller.choose(*key, iteration) == "spartan":
                    primitive.sparse.run()
                    # The layers behind read the dense operation's output: the same array, in a framework.
                    primitive.operation.output.write(primitive.sparse.output.numpy())
                    return True
            primitive.operation.run()
        return False

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


def _key(placed: PlacedPrimitive) -> tuple[str, str]:
    return placed.layer, placed.primitive.label


class _Readings:
    """Arrays under watch for one step, each read once; a context manager."""

    def __init__(self, session: CoSimulation) -> None:
        self._session = session
        self._watched: dict[int, WatchedTensor] = {}
        self._densities: dict[int, float] = {}
        self.cycles = 0

    def __enter__(self) -> _Readings:
        return self

    def __exit__(self, *_: object) -> None:
        for watched in self._watched.values():
            watched.close()

    def watch(self, arrays: Sequence[DeviceArray]) -> None:
        """Watch these arrays, which are NCHW."""
        for array in arrays:
            if array.address not in self._watched:
                rows, columns = array.shape[0] * array.shape[1], array.size // (array.shape[0] * array.shape[1])
                matrix = Matrix(array, rows, columns, columns, 1)
                self._watched[array.address] = self._session.watch(matrix)

    def density(self, array: DeviceArray) -> float:
        """Return the density of a watched array, by a register read the first time."""
        if array.address not in self._densities:
            counts = self._watched[array.address].read_counts()
            self.cycles += counts.cycles
            self._densities[array.address] = counts.density
        return self._densities[array.address]
