"""What the layers of a network have in common on the device."""

from __future__ import annotations

import abc
import contextlib
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bridge.array import DeviceArray
from bridge.dnnmark.network import Node
from bridge.errors import ConfigurationError
from bridge.layers.operation import Operation
from bridge.layers.primitive import Primitive
from bridge.session import CoSimulation

__all__ = ["DeviceLayer"]


class DeviceLayer(abc.ABC):
    """A layer with its parameters and results on the device; makes the primitives of its passes.

    Call `forward` once, then `backward` at most once; the primitives they return may run any number of times.

    Attributes:
        node: the layer in its network.
        inputs: what `forward` was given.
        output: Y, from `forward` on.
        input_gradients: dX for each input, None where it was not wanted; from `backward` on.
        parameters: what training updates, by name.
        gradients: the gradient of each parameter, by the same names.
    """

    def __init__(self, session: CoSimulation, node: Node, rng: np.random.Generator) -> None:
        """Make the parameters; `rng` draws their first values."""
        self.session = session
        self.node = node
        self.inputs: tuple[DeviceArray, ...] = ()
        self.input_gradients: tuple[DeviceArray | None, ...] = ()
        self.output: DeviceArray
        self.parameters: dict[str, DeviceArray] = {}
        self.gradients: dict[str, DeviceArray] = {}
        self._resources = contextlib.ExitStack()
        self._watches = contextlib.ExitStack()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.node.name} {self.node.input_shape} → {self.node.output_shape}>"

    def forward(self, inputs: tuple[DeviceArray, ...]) -> list[Primitive]:
        """Return the primitives that compute the output from the inputs."""
        self.inputs = inputs
        return self._forward()

    def backward(self, dy: DeviceArray, *, wanted: bool = True) -> list[Primitive]:
        """Return the primitives that compute the gradients of parameters and, where wanted, of the inputs."""
        self.input_gradients = (None,) * len(self.inputs)
        return self._backward(dy, wanted)

    @abc.abstractmethod
    def _forward(self) -> list[Primitive]:
        """Set `output` and return the primitives of the forward pass."""

    @abc.abstractmethod
    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Set `input_gradients` where wanted and return the primitives of the backward pass."""

    def load(self, what: str, values: NDArray[Any]) -> None:
        """Take "weights" or "bias" as another framework has them, where the layer has such a parameter.

        Raises:
            ConfigurationError: for values of another shape.
        """
        parameter = self.parameters.get({"weights": "w"}.get(what, what))
        if parameter is not None:
            if values.size != parameter.size:
                raise ConfigurationError(
                    f"{what} of layer {self.node.name} have shape {list(parameter.shape)}, got {list(values.shape)}"
                )
            parameter.write(values.reshape(parameter.shape))
            self.parameters_changed()

    def parameters_changed(self) -> None:
        """Follow a change of the parameters: derived layouts are made again."""

    def stop_watching(self) -> None:
        """End the monitor's watches, which may lie on other layers' arrays: before any of these are freed."""
        self._watches.close()

    def close(self) -> None:
        """Free the device memory of the layer and its primitives."""
        self.stop_watching()
        self._resources.close()

    def operation(self, label: str) -> Operation:
        """Return an empty operation that lives as long as the layer."""
        made = Operation(self.session, f"{self.node.name} {label}")
        self._resources.callback(made.close)
        return made

    def empty(self, shape: int | tuple[int, ...], name: str, dtype: DTypeLike = np.float32) -> DeviceArray:
        """Allocate an array that lives as long as the layer."""
        made = self.session.empty(shape, dtype, name=f"{self.node.name} {name}")
        self._resources.callback(made.free)
        return made

    def parameter(self, name: str, values: NDArray[Any]) -> DeviceArray:
        """Add a parameter with its first values; its gradient is the layer's to add."""
        made = self.empty(values.shape, name)
        made.write(values)
        self.parameters[name] = made
        return made

    def new_output(self) -> DeviceArray:
        """Allocate Y."""
        self.output = self.empty(self.node.output_shape, "y")
        return self.output

    def new_input_gradient(self) -> DeviceArray:
        """Allocate dX of the only input."""
        made = self.empty(self.node.input_shape, "dx")
        self.input_gradients = (made,)
        return made
