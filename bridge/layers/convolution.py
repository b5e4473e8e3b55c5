"""The convolution of a network: the three GEMMs, each dense and, where the units are attached, with Spartan."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.array import DeviceArray
from bridge.dnnmark import layers as described
from bridge.dnnmark.network import Node
from bridge.layers.conv import ConvolutionShape, FilterLayouts, dense, gradient_view, spartan
from bridge.layers.device_layer import DeviceLayer
from bridge.layers.operation import Operation
from bridge.layers.primitive import EPSILON, Expectation, Phase, Primitive
from bridge.layers.sparser_operand import SparserOperand
from bridge.reference.convolution import expected, useful_macs
from bridge.session import CoSimulation
from bridge.tensors import WatchedTensor
from spartan_units.types import UnitKind

__all__ = ["ConvolutionLayer"]

_LABELS = {"forward": "ConvFwd", "data_gradient": "ConvBwdData", "filter_gradient": "ConvBwdFilter"}


class ConvolutionLayer(DeviceLayer):
    """A convolution with He-initialised filters.

    On the device the filters lie as they are applied: rotated by 180° where conv_mode is "convolution".

    Attributes:
        shape: its extents.
    """

    def __init__(self, session: CoSimulation, node: Node, rng: np.random.Generator) -> None:
        """Draw the filters and lay them out."""
        super().__init__(session, node, rng)
        layer = node.layer
        assert isinstance(layer, described.Convolution)
        self._rotated = layer.conv_mode == "convolution"
        self._propagation = layer.propagation
        self.shape = ConvolutionShape(
            *node.input_shape,
            layer.num_output,
            layer.kernel_size_h,
            layer.kernel_size_w,
            layer.stride_h,
            layer.stride_w,
            layer.pad_h,
            layer.pad_w,
            layer.dilation_h,
            layer.dilation_w,
            layer.groups,
        )
        deviation = np.float32(math.sqrt(2 / self.shape.taps))
        w = self.parameter("w", rng.standard_normal(self.shape.filter_shape, np.float32) * deviation)
        self._w = w
        self._bias = self.parameter("bias", np.zeros(self.shape.filters, np.float32)) if layer.bias else None
        self._layouts = FilterLayouts(session, self.shape, w, node.name)
        self._resources.callback(self._layouts.close)

    def filters(self) -> NDArray[np.float32]:
        """Return the filters, FCRS, as a file or another framework has them."""
        return self._oriented(self._w.numpy())

    def load(self, what: str, values: NDArray[Any]) -> None:
        """Take filters in the orientation of `filters`, or biases."""
        super().load(what, self._oriented(values) if what == "weights" else values)

    def filter_gradient(self) -> NDArray[np.float32]:
        """Return the gradient of the filters in the orientation of `filters`."""
        return self._oriented(self.gradients["w"].numpy())

    def _oriented(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(values[:, :, ::-1, ::-1]) if self._rotated else values

    def parameters_changed(self) -> None:
        """Make the filters' layouts again."""
        self._layouts.update()

    def _forward(self) -> list[Primitive]:
        primitive = self._primitive("forward", "forward", None, None)
        self.output = primitive.operation.output
        return [primitive]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        primitives = []
        if wanted and self._propagation:
            primitives.append(self._primitive("data_gradient", "backward", dy, self._watch(dy)))
            self.input_gradients = (primitives[0].operation.output,)
        if self._bias is not None:
            self.gradients["bias"] = self.empty(self._bias.shape, "bias gradient")
        last = self._primitive("filter_gradient", "backward", dy, None)
        self.gradients["w"] = last.operation.output
        return [*primitives, last]

    def _with_bias(self, phase: str, operation: Operation, dy: DeviceArray | None) -> Operation:
        """Let the filter gradient, dense or not, compute that of the biases too."""
        if phase == "filter_gradient" and "bias" in self.gradients:
            operation.launch(
                "bias_gradient",
                {
                    "dy": dy,
                    "dbias": self.gradients["bias"],
                    "images": self.shape.images,
                    "channels": self.shape.filters,
                    "pixels": self.shape.pixels,
                },
            )
        return operation

    def _watch(self, dy: DeviceArray) -> WatchedTensor | None:
        """Let the monitor count dY as it is written, where the data gradient reads it as it lies."""
        if UnitKind.MONITOR not in self.session.units or self.shape.images > 1 or self.shape.groups > 1:
            return None
        watched = self.session.watch(gradient_view(self.shape, dy))
        self._watches.callback(watched.close)
        return watched

    def _primitive(
        self, phase: str, direction: Phase, dy: DeviceArray | None, counts: WatchedTensor | None
    ) -> Primitive:
        (x,), shape, name, bias = self.inputs, self.shape, self.node.name, self._bias if phase == "forward" else None
        operation = dense(phase, self.session, name, shape, x=x, layouts=self._layouts, dy=dy, bias=bias)
        self._with_bias(phase, operation, dy)
        self._resources.callback(operation.close)
        sparse: Operation | None = None
        if UnitKind.COMPACTION in self.session.units:

            def with_units(operand: str) -> Operation:
                made = spartan(
                    phase, self.session, name, shape, x=x, layouts=self._layouts, dy=dy, bias=bias, dy_counts=counts,
                    sparse_operand=operand,
                )  # fmt: skip
                return self._with_bias(phase, made, dy)

            sparse = with_units("x") if phase != "filter_gradient" or dy is None else SparserOperand(with_units, x, dy)
            self._watches.callback(sparse.close)

        def expectations() -> list[Expectation]:
            gradient = None if dy is None else dy.numpy()
            offset = None if bias is None else bias.numpy()
            reference = expected(phase, shape, x=x.numpy(), w=self._w.numpy(), dy=gradient, bias=offset)
            outputs = [operation.output] if sparse is None else [operation.output, sparse.output]
            found = [Expectation(output, reference.value, reference.tolerance) for output in outputs]
            if phase == "filter_gradient" and self._bias is not None and gradient is not None:
                sums = [part.astype(np.float64).sum(axis=(0, 2, 3)) for part in (gradient, np.abs(gradient))]
                terms = shape.outputs / 256 + shape.images + 10
                found.append(Expectation(self.gradients["bias"], sums[0], terms * EPSILON * sums[1]))
            return found

        def skipped() -> DeviceArray:
            if isinstance(sparse, SparserOperand):
                return sparse.skipped()
            return dy if phase == "data_gradient" and dy is not None else x

        def ideal() -> float:
            operand = "dy" if skipped() is dy else "x"
            gradient = None if dy is None else dy.numpy()
            dense_macs, useful = useful_macs(shape, operand, x=x.numpy(), dy=gradient)
            return dense_macs / useful if useful else math.inf

        return Primitive(
            _LABELS[phase],
            direction,
            operation,
            (x,) if dy is None else (dy,) if phase == "data_gradient" else (x, dy),
            expectations,
            sparse=sparse,
            ideal=ideal,
            skipped=skipped,
        )
