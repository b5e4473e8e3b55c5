"""Pooling layers on the device."""

from __future__ import annotations

import math

import numpy as np

from bridge.array import DeviceArray
from bridge.dnnmark import layers as described
from bridge.dnnmark.network import Node
from bridge.layers.device_layer import DeviceLayer
from bridge.layers.primitive import Expectation, Primitive, close_to
from bridge.reference import pooling as reference
from bridge.session import CoSimulation

__all__ = ["GlobalAveragePoolingLayer", "PoolingLayer"]


class PoolingLayer(DeviceLayer):
    """Maximum and average pooling; the maximum's places are kept for the backward pass."""

    def __init__(self, session: CoSimulation, node: Node, rng: np.random.Generator) -> None:
        """Describe the windows."""
        super().__init__(session, node, rng)
        layer = node.layer
        assert isinstance(layer, described.Pooling)
        self._mode = layer.pool_mode
        self._padding = layer.pool_mode == "avg_include_padding"
        self._window = reference.Window(
            (layer.kernel_size_h, layer.kernel_size_w), (layer.stride_h, layer.stride_w), (layer.pad_h, layer.pad_w)
        )
        _, _, height, width = node.input_shape
        _, _, p, q = node.output_shape
        self._geometry = {
            "height": height,
            "width": width,
            "out_height": p,
            "out_width": q,
            "filter_height": layer.kernel_size_h,
            "filter_width": layer.kernel_size_w,
            "stride_h": layer.stride_h,
            "stride_w": layer.stride_w,
            "pad_h": layer.pad_h,
            "pad_w": layer.pad_w,
        }
        self._index = self.empty(node.output_shape, "places", np.uint32) if layer.pool_mode == "max" else None

    def _forward(self) -> list[Primitive]:
        """Return PoolFwd."""
        (x,), y = self.inputs, self.new_output()
        operation = self.operation("PoolFwd")
        n, index, window = y.size, self._index, self._window
        _, _, p, q = self.node.output_shape
        if index is not None:
            operation.launch("max_pool_forward", {"x": x, "y": y, "index": index, "n": n, **self._geometry})
        else:
            arguments = {"x": x, "y": y, "padding": int(self._padding), "n": n, **self._geometry}
            operation.launch("average_pool_forward", arguments)

        def expected() -> list[Expectation]:
            values = x.numpy()
            if index is not None:
                largest, place = reference.max_forward(values, window, p, q)
                return [Expectation(y, largest, 0.0), Expectation(index, place.astype(np.float64), 0.0)]
            mean = reference.average_forward(values, window, p, q, padding=self._padding)
            bound = reference.average_forward(np.abs(values), window, p, q, padding=self._padding)
            return [Expectation(y, mean, close_to(bound, relative=math.prod(window.size) / 2 + 2))]

        return [Primitive("PoolFwd", "forward", operation, self.inputs, expected)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return PoolBwd."""
        if not wanted:
            return []
        (x,), target = self.inputs, self.new_input_gradient()
        operation = self.operation("PoolBwd")
        index, window = self._index, self._window
        _, _, height, width = self.node.input_shape
        if index is not None:
            operation.launch(
                "max_pool_backward", {"dy": dy, "index": index, "dx": target, "n": target.size, **self._geometry}
            )
        else:
            arguments = {"dy": dy, "dx": target, "padding": int(self._padding), "n": target.size, **self._geometry}
            operation.launch("average_pool_backward", arguments)

        def expected() -> list[Expectation]:
            gradient = dy.numpy()
            if index is not None:
                place = reference.max_forward(x.numpy(), window, *self.node.output_shape[2:])[1]
                values, bound = (reference.max_backward(g, place, height, width) for g in (gradient, np.abs(gradient)))
            else:
                values, bound = (
                    reference.average_backward(g, window, height, width, padding=self._padding)
                    for g in (gradient, np.abs(gradient))
                )
            return [Expectation(target, values, close_to(bound, relative=math.prod(window.size) / 2 + 2))]

        return [Primitive("PoolBwd", "backward", operation, (dy,), expected)]


class GlobalAveragePoolingLayer(DeviceLayer):
    """The mean of every plane."""

    def _forward(self) -> list[Primitive]:
        """Return PoolFwd."""
        (x,), y = self.inputs, self.new_output()
        n, c, height, width = self.node.input_shape
        operation = self.operation("PoolFwd")
        operation.launch("global_average_forward", {"x": x, "y": y, "planes": n * c, "pixels": height * width})

        def expected() -> list[Expectation]:
            values = x.numpy()
            bound = reference.global_average_forward(np.abs(values))
            # Each lane adds a 64th of the plane, then six levels of a tree.
            terms = height * width / 64 + 8
            return [Expectation(y, reference.global_average_forward(values), close_to(bound, relative=terms / 2 + 1))]

        return [Primitive("PoolFwd", "forward", operation, self.inputs, expected)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return PoolBwd."""
        if not wanted:
            return []
        target = self.new_input_gradient()
        _, _, height, width = self.node.input_shape
        operation = self.operation("PoolBwd")
        operation.launch(
            "global_average_backward", {"dy": dy, "dx": target, "n": target.size, "pixels": height * width}
        )

        def expected() -> list[Expectation]:
            values = reference.global_average_backward(dy.numpy().reshape(*dy.shape[:2], 1, 1), height, width)
            return [Expectation(target, values, close_to(values, relative=2))]

        return [Primitive("PoolBwd", "backward", operation, (dy,), expected)]
