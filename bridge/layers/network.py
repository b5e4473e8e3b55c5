"""A network on the device: every layer of a description, connected, forward and backward."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.dnnmark import layers as described
from bridge.dnnmark.network import Network, Node
from bridge.layers.convolution import ConvolutionLayer
from bridge.layers.dense import FullyConnectedLayer, SoftmaxLayer
from bridge.layers.device_layer import DeviceLayer
from bridge.layers.elementwise import ActivationLayer, AddLayer, BypassLayer, DropoutLayer
from bridge.layers.normalisation import BatchNormLayer, LRNLayer
from bridge.layers.operation import Operation
from bridge.layers.pooling import GlobalAveragePoolingLayer, PoolingLayer
from bridge.layers.primitive import Expectation, Primitive, close_to
from bridge.session import CoSimulation

__all__ = ["DeviceNetwork", "Draw", "PlacedPrimitive", "gaussian", "gradient_sum", "make_layer"]

_CLASSES: dict[type[described.Layer], type[DeviceLayer]] = {
    described.Convolution: ConvolutionLayer,
    described.Pooling: PoolingLayer,
    described.LRN: LRNLayer,
    described.Activation: ActivationLayer,
    described.FullyConnected: FullyConnectedLayer,
    described.Softmax: SoftmaxLayer,
    described.BatchNorm: BatchNormLayer,
    described.Dropout: DropoutLayer,
    described.Bypass: BypassLayer,
    described.Add: AddLayer,
    described.GlobalAveragePooling: GlobalAveragePoolingLayer,
}

Draw = Callable[[Node, str, tuple[int, ...], np.random.Generator], NDArray[np.float32] | None]
"""Makes "input" or "gradient" of a shape for a node; for "weights" and "bias" None where the layer's own stand."""


def make_layer(session: CoSimulation, node: Node, rng: np.random.Generator) -> DeviceLayer:
    """Return the device's layer for a node, its parameters drawn from `rng`."""
    return _CLASSES[type(node.layer)](session, node, rng)


def gaussian(node: Node, what: str, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32] | None:
    """Return zero-mean data: inputs of unit variance, gradients divided by the batch; with the node's densities."""
    if what not in ("input", "gradient"):
        return None
    values = rng.standard_normal(shape, np.float32)
    wanted = node.layer.density if what == "input" else node.layer.gradient_density
    if what == "gradient":
        values /= np.float32(shape[0])
    if wanted is not None:
        values[rng.random(shape) >= wanted] = 0
    return values


@dataclass(frozen=True)
class PlacedPrimitive:
    """A primitive and the layer that it belongs to."""

    layer: str
    primitive: Primitive


class DeviceNetwork:
    """Layers with their data and gradients on the device; a context manager.

    Attributes:
        layers: by name, in order.
        forward: primitives of the forward pass, in order.
        backward: primitives of the backward pass, in order.
        output_gradients: the gradient that arrives at the output of each layer that has a backward pass.
        drawn: inputs and gradients that were drawn rather than computed, by layer and "input" or "gradient".
    """

    def __init__(
        self,
        session: CoSimulation,
        network: Network,
        *,
        seed: int = 0,
        draw: Draw = gaussian,
        backward: bool = True,
        gradients: Mapping[str, DeviceArray] | None = None,
        training: bool = False,
    ) -> None:
        """Allocate everything and lay out all primitives; nothing runs yet.

        Args:
            session: the device.
            network: the layers.
            seed: of all data and first parameters.
            draw: makes inputs and final gradients.
            backward: whether gradients are wanted.
            gradients: gradients of outputs that the caller computes, by layer name, instead of drawn ones.
            training: gradients that no parameter needs are left out: the first layer's dX, and layers behind those in
                `gradients`.
        """
        self.session = session
        self.network = network
        self.layers: dict[str, DeviceLayer] = {}
        self.forward: list[PlacedPrimitive] = []
        self.backward: list[PlacedPrimitive] = []
        self.output_gradients: dict[str, DeviceArray] = {}
        self.drawn: dict[tuple[str, str], DeviceArray] = {}
        self._resources = contextlib.ExitStack()
        self._seed = seed
        self._draw = draw
        try:
            for node in network.nodes:
                self._add_forward(node)
            if backward:
                for node in reversed(network.nodes):
                    self._add_backward(node, gradients or {}, training)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> DeviceNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the device memory."""
        for layer in self.layers.values():
            layer.stop_watching()
        self._resources.close()

    def _add_forward(self, node: Node) -> None:
        layer = make_layer(self.session, node, self._generator(node, "parameters"))
        self._resources.callback(layer.close)
        self.layers[node.name] = layer
        for what, name in (("weights", "w"), ("bias", "bias")):
            if node.layer.trace is not None and name in layer.parameters:
                values = self._draw(node, what, layer.parameters[name].shape, self._generator(node, what))
                if values is not None:
                    layer.load(what, values)
        if node.inputs and node.layer.density is None and node.layer.trace is None:
            inputs = tuple(self.layers[source].output for source in node.inputs)
        else:
            count = 2 if isinstance(node.layer, described.Add) else 1
            inputs = tuple(self._drawn(node, "input", node.input_shape) for _ in range(count))
        self.forward += [PlacedPrimitive(node.name, primitive) for primitive in layer.forward(inputs)]

    def _generator(self, node: Node, what: str) -> np.random.Generator:
        """Return a generator of its own: what a layer draws does not depend on which other layers there are."""
        return np.random.default_rng([self._seed, zlib.crc32(f"{node.name}/{what}".encode())])

    def _drawn(self, node: Node, what: str, shape: tuple[int, ...]) -> DeviceArray:
        values = self._draw(node, what, shape, self._generator(node, f"{what} {len(self.drawn)}"))
        assert values is not None
        made = self.session.array(values, name=f"{node.name} {what}")
        self._resources.callback(made.free)
        self.drawn[node.name, what] = made
        return made

    def _add_backward(self, node: Node, gradients: Mapping[str, DeviceArray], training: bool) -> None:
        layer = self.layers[node.name]
        arriving = [
            gradient
            for reader in dict.fromkeys(reader.name for reader in self.network.readers(node.name))
            for source, gradient in zip(self.network[reader].inputs, self.layers[reader].input_gradients, strict=False)
            if source == node.name and gradient is not None
        ]
        if node.name in gradients:
            dy = gradients[node.name]
        elif node.layer.gradient_density is not None or not arriving:
            if training:
                return
            dy = self._drawn(node, "gradient", node.output_shape)
        else:
            dy = arriving[0]
            for other in arriving[1:]:
                dy = self._sum(node, dy, other)
        self.output_gradients[node.name] = dy
        primitives = layer.backward(dy, wanted=bool(node.inputs) or not training)
        self.backward += [PlacedPrimitive(node.name, primitive) for primitive in primitives]

    def _sum(self, node: Node, a: DeviceArray, b: DeviceArray) -> DeviceArray:
        """Add the primitive that sums two readers' gradients."""
        placed = gradient_sum(self.session, node, a, b)
        self._resources.callback(placed.primitive.operation.close)
        self.backward.append(placed)
        return placed.primitive.operation.output


def gradient_sum(session: CoSimulation, node: Node, a: DeviceArray, b: DeviceArray) -> PlacedPrimitive:
    """Return SumBwd: the sum of two gradients that arrive at a node's output; the caller closes its operation."""
    operation = Operation(session, f"{node.name} SumBwd")
    total = operation.output = operation.empty(node.output_shape, "gradient")
    operation.launch("add", {"a": a, "b": b, "y": total, "n": total.size})

    def expected() -> list[Expectation]:
        values = a.numpy().astype(np.float64).reshape(-1) + b.numpy().reshape(-1)
        return [Expectation(total, values, close_to(values, relative=1))]

    return PlacedPrimitive(node.name, Primitive("SumBwd", "backward", operation, (a, b), expected))
