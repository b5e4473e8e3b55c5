"""Fully connected layers and softmax on the device."""

from __future__ import annotations

import math

import numpy as np

from bridge.array import DeviceArray
from bridge.dnnmark import layers as described
from bridge.dnnmark.network import Node
from bridge.layers.device_layer import DeviceLayer
from bridge.layers.gemm import Layout, Target, add_dense_gemm, plan_dense
from bridge.layers.operation import Operation
from bridge.layers.primitive import Expectation, Primitive, close_to
from bridge.reference import dense as reference
from bridge.session import CoSimulation

__all__ = ["FullyConnectedLayer", "SoftmaxLayer"]

_LEAST_ROWS = 8
"""Fewest rows of C that gemm_scalar takes; smaller batches have kernels of their own."""

_SLICES_BELOW = 2048
"""Wavefronts under which the data gradient of a small batch is cut into slices of the outputs."""


class FullyConnectedLayer(DeviceLayer):
    """Y = X · Wᵀ with W outputs × inputs, He-initialised."""

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

    def _forward(self) -> list[Primitive]:
        """Return FcFwd."""
        (x,), y, w, bias = self.inputs, self.new_output(), self._w, self._bias
        operation = self.operation("FcFwd")
        if self._images < _LEAST_ROWS:
            sizes = {"images": self._images, "inputs": self._inputs, "outputs": self._outputs}
            operation.launch("dense_forward", {"x": x, "w": w, "bias": bias, "y": y, **sizes})
        else:
            wt = self._transposed(operation, w, self._outputs, self._inputs)
            xt = self._transposed(operation, x, self._images, self._inputs)
            self._gemm(operation, xt, wt, y, self._images, self._outputs, self._inputs)
            if bias is not None:
                channels = {"n": y.size, "channels": self._outputs, "pixels": 1}
                operation.launch("bias_add", {"y": y, "bias": bias, **channels})

        def expected() -> list[Expectation]:
            inside, weights = x.numpy(), w.numpy()
            offset = None if bias is None else bias.numpy()
            values = reference.forward(inside, weights, offset)
            bound = reference.forward(np.abs(inside), np.abs(weights), None if offset is None else np.abs(offset))
            return [Expectation(y, values, close_to(bound, relative=(self._inputs + 2) / 2))]

        return [Primitive("FcFwd", "forward", operation, self.inputs, expected)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return FcBwdData (where wanted) and FcBwdFilter, with the bias's gradient where there is one."""
        for name in self.parameters:
            self.gradients[name] = self.empty(self.parameters[name].shape, f"{name} gradient")
        primitives = [self._backward_data(dy, self.new_input_gradient())] if wanted else []
        return [*primitives, self._backward_filter(self.inputs[0], dy)]

    def _backward_data(self, dy: DeviceArray, dx: DeviceArray) -> Primitive:
        operation, w = self.operation("FcBwdData"), self._w
        if self._images < _LEAST_ROWS:
            wavefronts = -(-self._inputs // 64) * -(-self._images // 4)
            slices = min(max(_SLICES_BELOW // wavefronts, 1), max(self._outputs // 32, 1))
            per_slice = -(-self._outputs // slices)
            slices = -(-self._outputs // per_slice)
            part = dx if slices == 1 else operation.empty((slices, self._images, self._inputs), "slices")
            sizes = {"images": self._images, "inputs": self._inputs, "outputs": self._outputs}
            operation.launch(
                "dense_data_gradient", {"dy": dy, "w": w, "part": part, **sizes, "outputs_per_slice": per_slice}
            )
            if slices > 1:
                arguments = {"x": part, "y": dx, "n": dx.size, "slices": slices, "stride": dx.size}
                operation.launch("sum_slices", arguments)
        else:
            dyt = self._transposed(operation, dy, self._images, self._outputs)
            self._gemm(operation, dyt, w, dx, self._images, self._inputs, self._outputs)

        def expected() -> list[Expectation]:
            gradient, weights = dy.numpy(), w.numpy()
            values = reference.backward_data(gradient, weights)
            bound = reference.backward_data(np.abs(gradient), np.abs(weights))
            return [Expectation(dx, values, close_to(bound, relative=(self._outputs + 2) / 2))]

        return Primitive("FcBwdData", "backward", operation, (dy,), expected)

    def _backward_filter(self, x: DeviceArray, dy: DeviceArray) -> Primitive:
        operation, dw = self.operation("FcBwdFilter"), self.gradients["w"]
        if self._outputs < _LEAST_ROWS:
            sizes = {"images": self._images, "inputs": self._inputs, "outputs": self._outputs}
            operation.launch("dense_weight_gradient", {"dy": dy, "x": x, "dw": dw, **sizes})
        else:
            self._gemm(operation, dy, x, dw, self._outputs, self._inputs, self._images)
        if self._bias is not None:
            operation.launch(
                "column_sums",
                {"dy": dy, "dbias": self.gradients["bias"], "rows": self._images, "columns": self._outputs},
            )

        def expected() -> list[Expectation]:
            inside, gradient = x.numpy(), dy.numpy()
            values = reference.backward_filter(inside, gradient)
            bound = reference.backward_filter(np.abs(inside), np.abs(gradient))
            terms = (self._images + 2) / 2
            found = [Expectation(dw, values, close_to(bound, relative=terms))]
            if self._bias is not None:
                rows = gradient.reshape(self._images, -1).astype(np.float64)
                tolerance = close_to(np.abs(rows).sum(axis=0), relative=terms)
                found.append(Expectation(self.gradients["bias"], rows.sum(axis=0), tolerance))
            return found

        return Primitive("FcBwdFilter", "backward", operation, (dy, x), expected)

    @staticmethod
    def _transposed(operation: Operation, matrix: DeviceArray, rows: int, columns: int) -> DeviceArray:
        out = operation.empty((columns, rows), f"{matrix.name} transposed")
        operation.launch(
            "transpose",
            {"x": matrix, "y": out, "rows": rows, "columns": columns, "x_stride": columns, "y_stride": rows},
        )
        return out

    @staticmethod
    def _gemm(operation: Operation, a: DeviceArray, b: DeviceArray, c: DeviceArray, M: int, N: int, K: int) -> None:
        """C (M × N) = Aᵀ · B with A K × M and B K × N, all row-major."""
        if operation.session.portable:
            sizes = {"M": M, "N": N, "K": K, "lda": M, "ldb": N, "ldc": N}
            operation.launch("gemm_tn", {"a": a, "b": b, "c": c, **sizes})
            return
        plan = plan_dense(M, N, K, gather=False)
        target = Target(operation, plan, K, c)
        add_dense_gemm(operation, plan, (M, N, K), a, M, {"b": b, "ldb": N}, target, Layout(N, 1, 0, N))
        target.finish()


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
