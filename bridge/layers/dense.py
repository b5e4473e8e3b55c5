"""Fully connected layers and softmax on the device."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from bridge.array import DeviceArray
from bridge.dnnmark import layers as described
from bridge.dnnmark.network import Node
from bridge.layers.device_layer import DeviceLayer
from bridge.layers.operation import Operation
from bridge.layers.primitive import Expectation, Primitive, close_to, density
from bridge.layers.weighted_sum import (
    SumProblem,
    add_dense_sum,
    add_outer_product,
    add_sparse_outer_product,
    add_sparse_sum,
    add_transpose,
)
from bridge.reference import dense as reference
from bridge.session import CoSimulation
from spartan_units.types import UnitKind

__all__ = ["FullyConnectedLayer", "SoftmaxLayer"]

_FEW_IMAGES, _FEW_OUTPUTS = 8, 64
"""Below both, a wavefront for each output reads its weights as they lie: lanes side by side would be mostly idle."""


class FullyConnectedLayer(DeviceLayer):
    """Y = X · Wᵀ with W outputs × inputs, He-initialised; each pass dense and, with the units attached, with Spartan.

    The forward pass reads the weights input-major, so that rows that meet zeros of X can be left out. That copy is made
    once per weight update, for both sides alike, and is not part of an operation.
    """

    def __init__(self, session: CoSimulation, node: Node, rng: np.random.Generator) -> None:
        """Draw the weights."""
        super().__init__(session, node, rng)
        layer = node.layer
        assert isinstance(layer, described.FullyConnected)
        self._images, self._inputs = node.input_shape[0], math.prod(node.input_shape[1:])
        self._outputs = layer.num_output
        shape = (self._outputs, self._inputs)
        deviation = math.sqrt(2 / self._inputs)
        self._w = self.parameter("w", rng.standard_normal(shape, np.float32) * np.float32(deviation))
        self._bias = self.parameter("bias", np.zeros(self._outputs, np.float32)) if layer.bias else None
        self._by_output = self._images < _FEW_IMAGES and self._outputs < _FEW_OUTPUTS
        self._layout: Operation | None = None
        if not self._by_output or self._spartan:
            self._layout = self.operation("weights input-major")
            self._layout.output = self._layout.empty((self._inputs, self._outputs), "wt")
            add_transpose(self._layout, self._w, self._layout.output, self._outputs, self._inputs)
            self.parameters_changed()

    @property
    def _spartan(self) -> bool:
        return UnitKind.COMPACTION in self.session.units

    def parameters_changed(self) -> None:
        """Transpose the weights again."""
        if self._layout is not None:
            self._layout.run()

    def _watching(self, label: str) -> Operation:
        """Return an empty operation with Spartan; its watches end before arrays of other layers are freed."""
        made = Operation(self.session, f"{self.node.name} {label} spartan")
        self._watches.callback(made.close)
        return made

    def _forward(self) -> list[Primitive]:
        """Return FcFwd."""
        (x,), y, w, bias = self.inputs, self.new_output(), self._w, self._bias
        operation, sparse = self.operation("FcFwd"), None
        operation.output = y
        problem = SumProblem(self._images, self._inputs, self._outputs)
        if self._by_output:
            sizes = {"images": self._images, "inputs": self._inputs, "outputs": self._outputs}
            operation.launch("dense_forward", {"x": x, "w": w, "bias": bias, "y": y, **sizes})
        elif self._layout is not None:
            add_dense_sum(operation, problem, x, self._layout.output, y, bias)
        if self._spartan and self._layout is not None:
            sparse = self._watching("FcFwd")
            sparse.output = sparse.empty(y.shape, "y")
            add_sparse_sum(sparse, problem, x, self._layout.output, sparse.output, bias)

        def expected() -> list[Expectation]:
            inside, weights = x.numpy(), w.numpy()
            offset = None if bias is None else bias.numpy()
            values = reference.forward(inside, weights, offset)
            bound = reference.forward(inside, weights, offset, magnitudes=True)
            tolerance = close_to(bound, relative=(self._inputs + 2) / 2)
            return [Expectation(output, values, tolerance) for output in _outputs(y, sparse)]

        return [Primitive("FcFwd", "forward", operation, self.inputs, expected, sparse=sparse, ideal=lambda: _ideal(x))]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return FcBwdData (where wanted) and FcBwdFilter, with the bias's gradient where there is one."""
        for name in self.parameters:
            self.gradients[name] = self.empty(self.parameters[name].shape, f"{name} gradient")
        primitives = [self._backward_data(dy, self.new_input_gradient())] if wanted else []
        return [*primitives, self._backward_filter(self.inputs[0], dy)]

    def _backward_data(self, dy: DeviceArray, dx: DeviceArray) -> Primitive:
        operation, sparse, w = self.operation("FcBwdData"), None, self._w
        operation.output = dx
        problem = SumProblem(self._images, self._outputs, self._inputs)
        add_dense_sum(operation, problem, dy, w, dx)
        if self._spartan:
            sparse = self._watching("FcBwdData")
            sparse.output = sparse.empty(dx.shape, "dx")
            add_sparse_sum(sparse, problem, dy, w, sparse.output)

        def expected() -> list[Expectation]:
            gradient, weights = dy.numpy(), w.numpy()
            values = reference.backward_data(gradient, weights)
            bound = reference.backward_data(gradient, weights, magnitudes=True)
            tolerance = close_to(bound, relative=(self._outputs + 2) / 2)
            return [Expectation(output, values, tolerance) for output in _outputs(dx, sparse)]

        return Primitive("FcBwdData", "backward", operation, (dy,), expected, sparse=sparse, ideal=lambda: _ideal(dy))

    def _backward_filter(self, x: DeviceArray, dy: DeviceArray) -> Primitive:
        operation, dw = self.operation("FcBwdFilter"), self.gradients["w"]
        operation.output = dw
        add_outer_product(operation, x, dy, dw)
        self._add_bias_gradient(operation, dy)
        sparse: Operation | None = None
        if self._spartan:
            sparse = self._watching("FcBwdFilter")
            sparse.output = sparse.empty(dw.shape, "dw")
            add_sparse_outer_product(sparse, x, dy, sparse.output)
            self._add_bias_gradient(sparse, dy)

        def expected() -> Iterator[Expectation]:
            inside, gradient = x.numpy(), dy.numpy().reshape(self._images, -1)
            terms = (self._images + 2) / 2
            for rows in reference.blocks(*dw.shape):
                values = reference.backward_filter(inside, gradient[:, rows])
                bound = reference.backward_filter(np.abs(inside), np.abs(gradient[:, rows]))
                tolerance, start = close_to(bound, relative=terms), rows.start * self._inputs
                for output in _outputs(dw, sparse):
                    yield Expectation(output, values, tolerance, start)
            if self._bias is not None:
                sums = gradient.astype(np.float64)
                tolerance = close_to(np.abs(sums).sum(axis=0), relative=terms)
                yield Expectation(self.gradients["bias"], sums.sum(axis=0), tolerance)

        return Primitive(
            "FcBwdFilter", "backward", operation, (dy, x), expected, sparse=sparse, ideal=lambda: _ideal(dy),
            operands=(dy,),
        )  # fmt: skip

    def _add_bias_gradient(self, operation: Operation, dy: DeviceArray) -> None:
        if self._bias is not None:
            sizes = {"rows": self._images, "columns": self._outputs}
            operation.launch("column_sums", {"dy": dy, "dbias": self.gradients["bias"], **sizes})


def _outputs(output: DeviceArray, sparse: Operation | None) -> list[DeviceArray]:
    """Return what both sides have written."""
    return [output] if sparse is None else [output, sparse.output]


def _ideal(operand: DeviceArray) -> float:
    """Return multiply-adds of the dense computation over those with a non-zero of the operand."""
    share = density(operand.numpy())
    return 1 / share if share else math.inf


class SoftmaxLayer(DeviceLayer):
    """Softmax over an image or over the channels of every pixel."""

    _ALGORITHMS = ("fast", "accurate", "log")

    def __init__(self, session: CoSimulation, node: Node, rng: np.random.Generator) -> None:
        """Choose the layout."""
        super().__init__(session, node, rng)
        layer = node.layer
        assert isinstance(layer, described.Softmax)
        self._layer = layer
        n, c, height, width = node.input_shape
        pixels = height * width
        if layer.softmax_mode == "instance" or pixels == 1:
            self._length = c * pixels
            self._kernel = "softmax_rows"
            self._sizes = {"rows": n, "length": self._length}
        else:
            self._length = c
            self._kernel = "softmax_columns"
            self._sizes = {"n": n * pixels, "length": c, "inner": pixels}
        self._sizes["algorithm"] = self._ALGORITHMS.index(layer.softmax_algo)
        # A work-item's share of the sum, then eight levels of a tree; or all of it.
        self._terms = self._length / 256 + 10 if self._kernel == "softmax_rows" else self._length + 2

    def _forward(self) -> list[Primitive]:
        """Return SoftmaxFwd."""
        (x,), y, layer = self.inputs, self.new_output(), self._layer
        operation = self.operation("SoftmaxFwd")
        operation.launch(f"{self._kernel}_forward", {"x": x, "y": y, **self._sizes})

        def expected() -> list[Expectation]:
            inside = x.numpy().reshape(self.node.input_shape)
            values = reference.softmax_forward(inside, layer.softmax_algo, layer.softmax_mode)
            largest = float(np.abs(inside).max())
            # e^x turns the rounding of x − max (or of x) into a relative error.
            if layer.softmax_algo == "log":
                tolerance = close_to(np.abs(values) + 2 * largest, relative=2, absolute=self._terms)
            else:
                tolerance = close_to(values, relative=self._terms / 2 + 4 + 3 * largest, absolute=1e-30)
            return [Expectation(y, values, tolerance)]

        return [Primitive("SoftmaxFwd", "forward", operation, self.inputs, expected)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return SoftmaxBwd."""
        if not wanted:
            return []
        (x,), y, layer, target = self.inputs, self.output, self._layer, self.new_input_gradient()
        operation = self.operation("SoftmaxBwd")
        operation.launch(f"{self._kernel}_backward", {"y": y, "dy": dy, "dx": target, **self._sizes})

        def expected() -> list[Expectation]:
            inside = x.numpy().reshape(self.node.input_shape)
            gradient = dy.numpy().reshape(self.node.input_shape)
            values = reference.softmax_backward(inside, gradient, layer.softmax_algo, layer.softmax_mode)
            shares = reference.softmax_forward(inside, "accurate", layer.softmax_mode)
            axes = (1, 2, 3) if layer.softmax_mode == "instance" else (1,)
            weight = 1.0 if layer.softmax_algo == "log" else shares
            total = (weight * np.abs(gradient)).sum(axis=axes, keepdims=True)
            bound = shares * total + np.abs(gradient) * weight
            terms = 2 * self._terms + 8 + 6 * float(np.abs(inside).max())
            return [Expectation(target, values, close_to(bound, relative=terms, absolute=1e-30))]

        return [Primitive("SoftmaxBwd", "backward", operation, (dy,), expected)]
