"""Element-wise layers on the device: activations, dropout, bypass, residual sum."""

from __future__ import annotations

import numpy as np

from bridge.array import DeviceArray
from bridge.dnnmark import layers as described
from bridge.layers.device_layer import DeviceLayer
from bridge.layers.primitive import Expectation, Primitive, close_to
from bridge.reference import elementwise as reference

__all__ = ["ActivationLayer", "AddLayer", "BypassLayer", "DropoutLayer"]


class ActivationLayer(DeviceLayer):
    """ReLU and the other activations."""

    def _description(self) -> described.Activation:
        layer = self.node.layer
        assert isinstance(layer, described.Activation)
        return layer

    def _forward(self) -> list[Primitive]:
        """Return ActFwd."""
        (x,), y, layer = self.inputs, self.new_output(), self._description()
        mode = layer.activation_mode
        operation = self.operation("ActFwd")
        extra = {"ceiling": layer.ceiling} if mode == "clipped_relu" else {}
        operation.launch(f"{mode}_forward", {"x": x, "y": y, "n": y.size, **extra})

        def expected() -> list[Expectation]:
            values = reference.activation_forward(mode, x.numpy(), layer.ceiling)
            # Comparisons are exact, the library's functions good to a few units in the last place; denormals flush.
            tolerance = 0.0 if mode == "relu" else close_to(values, relative=4, absolute=1e-30)
            return [Expectation(y, values, tolerance)]

        return [Primitive("ActFwd", "forward", operation, self.inputs, expected)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return ActBwd."""
        if not wanted:
            return []
        (x,), y, target = self.inputs, self.output, self.new_input_gradient()
        layer = self._description()
        mode = layer.activation_mode
        operation = self.operation("ActBwd")
        if mode == "relu":
            operation.launch("relu_backward", {"x": x, "dy": dy, "dx": target, "n": y.size})
        elif mode == "clipped_relu":
            operation.launch(
                "clipped_relu_backward", {"x": x, "dy": dy, "dx": target, "n": y.size, "ceiling": layer.ceiling}
            )
        else:
            seen = x if mode == "soft_relu" else y
            operation.launch(f"{mode}_backward", {"v": seen, "dy": dy, "dx": target, "n": y.size})

        def expected() -> list[Expectation]:
            gradient = dy.numpy()
            values = reference.activation_backward(mode, x.numpy(), gradient, layer.ceiling)
            if mode in ("relu", "clipped_relu"):
                return [Expectation(target, values, 0.0)]
            # 1 − y and 1 − y² lose what y has lost: an error relative to dy, not to the small difference.
            return [Expectation(target, values, close_to(gradient, relative=8))]

        return [Primitive("ActBwd", "backward", operation, (dy,), expected)]


class DropoutLayer(DeviceLayer):
    """Dropout; which elements are kept follows from the seed, so no mask is stored."""

    def _launch(self, label: str, x: DeviceArray, y: DeviceArray, phase: str) -> Primitive:
        layer = self.node.layer
        assert isinstance(layer, described.Dropout)
        probability, seed = layer.dropout_probability, layer.random_seed
        scale = np.float32(1 / (1 - probability))
        operation = self.operation(label)
        operation.launch(
            "dropout",
            {
                "x": x,
                "y": y,
                "n": x.size,
                "seed_low": seed & 0xFFFFFFFF,
                "seed_high": seed >> 32,
                "threshold": reference.dropout_threshold(probability),
                "scale": float(scale),
            },
        )

        def expected() -> list[Expectation]:
            keep = reference.dropout_keep(x.size, probability, seed)
            values = np.where(keep, x.numpy().astype(np.float64).reshape(-1) / (1 - probability), 0.0)
            return [Expectation(y, values, close_to(values, relative=2))]

        return Primitive(label, "forward" if phase == "forward" else "backward", operation, (x,), expected)

    def _forward(self) -> list[Primitive]:
        """Return DropoutFwd."""
        return [self._launch("DropoutFwd", self.inputs[0], self.new_output(), "forward")]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return DropoutBwd."""
        return [self._launch("DropoutBwd", dy, self.new_input_gradient(), "backward")] if wanted else []


def _copy(layer: DeviceLayer, label: str, source: DeviceArray, targets: list[DeviceArray], forward: bool) -> Primitive:
    operation = layer.operation(label)
    for target in targets:
        operation.launch("copy", {"x": source, "y": target, "n": source.size})

    def expected() -> list[Expectation]:
        values = source.numpy().astype(np.float64)
        return [Expectation(target, values, 0.0) for target in targets]

    return Primitive(label, "forward" if forward else "backward", operation, (source,), expected)


class BypassLayer(DeviceLayer):
    """Output = input."""

    def _forward(self) -> list[Primitive]:
        """Return BypassFwd."""
        return [_copy(self, "BypassFwd", self.inputs[0], [self.new_output()], True)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return BypassBwd."""
        return [_copy(self, "BypassBwd", dy, [self.new_input_gradient()], False)] if wanted else []


class AddLayer(DeviceLayer):
    """The sum of two inputs."""

    def _forward(self) -> list[Primitive]:
        """Return AddFwd."""
        (a, b), y = self.inputs, self.new_output()
        operation = self.operation("AddFwd")
        operation.launch("add", {"a": a, "b": b, "y": y, "n": y.size})

        def expected() -> list[Expectation]:
            values = a.numpy().astype(np.float64) + b.numpy()
            return [Expectation(y, values, close_to(values, relative=1))]

        return [Primitive("AddFwd", "forward", operation, self.inputs, expected)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return AddBwd, which copies the gradient to both inputs'."""
        if not wanted:
            return []
        targets = [self.empty(self.node.input_shape, f"dx {i}") for i in range(2)]
        self.input_gradients = tuple(targets)
        return [_copy(self, "AddBwd", dy, targets, False)]
