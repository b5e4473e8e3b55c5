"""Local response normalisation and batch normalisation on the device."""

from __future__ import annotations

import math

import numpy as np

from bridge.array import DeviceArray
from bridge.dnnmark import layers as described
from bridge.dnnmark.network import Node
from bridge.layers.device_layer import DeviceLayer
from bridge.layers.primitive import Expectation, Primitive, close_to
from bridge.reference import normalisation as reference
from bridge.session import CoSimulation

__all__ = ["BatchNormLayer", "LRNLayer"]


class LRNLayer(DeviceLayer):
    """LRN; the scale is kept for the backward pass."""

    def __init__(self, session: CoSimulation, node: Node, rng: np.random.Generator) -> None:
        """Make room for the scale."""
        super().__init__(session, node, rng)
        layer = node.layer
        assert isinstance(layer, described.LRN)
        self._layer = layer
        self._scale = self.empty(node.input_shape, "scale")
        self._within = layer.lrn_mode == "within_channel"
        self._kernel = "lrn_within" if self._within else "lrn_channels"
        elements = layer.local_size**2 if self._within else layer.local_size
        _, c, height, width = node.input_shape
        extents = {"height": height, "width": width} if self._within else {"channels": c, "pixels": height * width}
        self._arguments = {
            "n": math.prod(node.input_shape),
            **extents,
            "local_size": layer.local_size,
            "alpha_by_size": layer.alpha / elements,
            "beta": layer.beta,
        }
        self._elements = elements

    def _forward(self) -> list[Primitive]:
        """Return LrnFwd."""
        (x,), y = self.inputs, self.new_output()
        layer = self._layer
        operation = self.operation("LrnFwd")
        operation.launch(
            f"{self._kernel}_forward", {"x": x, "y": y, "scale": self._scale, **self._arguments, "k": layer.k}
        )

        def expected() -> list[Expectation]:
            values, scale = reference.lrn_forward(
                x.numpy(), layer.local_size, layer.alpha, layer.beta, layer.k, within=self._within
            )
            # All squares are positive: the sum's relative error is that of its terms. The power multiplies it by beta,
            # and its exponent |beta · log2 scale| is rounded once.
            terms = self._elements / 2 + 4
            exponent = np.abs(layer.beta * np.log2(scale)) + 1
            return [
                Expectation(self._scale, scale, close_to(scale, relative=terms)),
                Expectation(y, values, close_to(values * (terms * layer.beta + 2 * exponent), relative=1)),
            ]

        return [Primitive("LrnFwd", "forward", operation, self.inputs, expected)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return LrnBwd."""
        if not wanted:
            return []
        (x,), y, target = self.inputs, self.output, self.new_input_gradient()
        layer = self._layer
        operation = self.operation("LrnBwd")
        operation.launch(
            f"{self._kernel}_backward",
            {"x": x, "y": y, "scale": self._scale, "dy": dy, "dx": target, **self._arguments},
        )

        def expected() -> list[Expectation]:
            inside, gradient = x.numpy(), dy.numpy()
            parameters = (layer.local_size, layer.alpha, layer.beta, layer.k)
            values = reference.lrn_backward(inside, gradient, *parameters, within=self._within)
            # With |x| and |dy| both terms have one sign each; their magnitudes bound the error.
            scale = reference.lrn_forward(inside, *parameters, within=self._within)[1]
            direct = np.abs(gradient) * scale**-layer.beta
            inside, gradient = np.abs(inside), np.abs(gradient)
            through = direct - reference.lrn_backward(inside, gradient, *parameters, within=self._within)
            terms = self._elements + 8 + 2 * np.abs(layer.beta * np.log2(scale)).max()
            return [Expectation(target, values, close_to(direct + np.abs(through), relative=float(terms)))]

        return [Primitive("LrnBwd", "backward", operation, (dy,), expected)]


class BatchNormLayer(DeviceLayer):
    """Batch normalisation in training: gain and bias are parameters, running statistics are kept up to date.

    Attributes:
        running_mean, running_variance: exponential averages over batches.
    """

    def __init__(self, session: CoSimulation, node: Node, rng: np.random.Generator) -> None:
        """Make parameters near one and zero, and running statistics."""
        super().__init__(session, node, rng)
        layer = node.layer
        assert isinstance(layer, described.BatchNorm)
        self._layer = layer
        n, c, height, width = node.input_shape
        self._spatial = layer.batchnorm_mode == "spatial"
        shape = (c,) if self._spatial else (c, height, width)
        self._kernel = "batchnorm_spatial" if self._spatial else "batchnorm_activation"
        self._extents = (
            {"images": n, "channels": c, "pixels": height * width}
            if self._spatial
            else {"images": n, "statistics": c * height * width}
        )
        self._m = n * height * width if self._spatial else n
        self._gain = self.parameter("gain", rng.uniform(0.8, 1.2, shape).astype(np.float32))
        self._bias = self.parameter("bias", rng.normal(0, 0.1, shape).astype(np.float32))
        self._mean = self.empty(shape, "mean")
        self._inverse = self.empty(shape, "inverse deviation")
        self.running_mean = self.empty(shape, "running mean")
        self.running_variance = self.empty(shape, "running variance")
        self.running_variance.write(np.ones(shape, np.float32))
        self._running = (np.zeros(shape), np.ones(shape))

    def _terms(self) -> float:
        """Rounding steps of a sum over a batch: per work-item and through the tree, or all in one work-item."""
        return self._m / 256 + self._layer_images() + 10 if self._spatial else self._m + 4

    def _layer_images(self) -> int:
        return self.node.input_shape[0]

    def _forward(self) -> list[Primitive]:
        """Return BnFwd."""
        (x,), y = self.inputs, self.new_output()
        layer = self._layer
        operation = self.operation("BnFwd")
        operation.launch(
            f"{self._kernel}_forward",
            {
                "x": x,
                "gain": self._gain,
                "bias": self._bias,
                "y": y,
                "mean": self._mean,
                "inverse_deviation": self._inverse,
                "running_mean": self.running_mean,
                "running_variance": self.running_variance,
                **self._extents,
                "epsilon": layer.epsilon,
                "factor": layer.exp_avg_factor,
            },
        )

        def before() -> None:
            self._running = (self.running_mean.numpy(), self.running_variance.numpy())

        def expected() -> list[Expectation]:
            inside, gain, bias = x.numpy(), self._gain.numpy(), self._bias.numpy()
            values, batch = reference.batchnorm_forward(inside, gain, bias, layer.epsilon, spatial=self._spatial)
            axes = (0, 2, 3) if self._spatial else (0,)
            terms = self._terms()
            factor = layer.exp_avg_factor
            magnitude = np.abs(inside).astype(np.float64).mean(axis=axes).reshape(gain.shape)
            # The mean's error is relative to the mean magnitude; centred values carry it and their own rounding.
            mean_error = close_to(magnitude, relative=terms / 2 + 1)
            # d(variance) = 2 · |x − mean| · error, at most; relative to variance + epsilon it halves in the root.
            spread = np.sqrt(batch.variance)
            variance_error = (
                close_to(batch.variance, relative=terms / 2 + 3)
                + mean_error**2
                + 4 * spread * (close_to(magnitude, relative=1))
            )
            inverse_error = 0.5 * variance_error * batch.inverse_deviation**3 + close_to(
                batch.inverse_deviation, relative=3
            )
            shape = (1, -1, 1, 1) if self._spatial else (1, *gain.shape)
            inverse, mean = batch.inverse_deviation.reshape(shape), batch.mean.reshape(shape)
            size = np.abs(gain).reshape(shape)
            error = size * (
                np.abs(inside - mean) * inverse_error.reshape(shape)
                + inverse * (mean_error.reshape(shape) + close_to(np.abs(inside) + np.abs(mean), relative=2))
            ) + close_to(np.abs(values) + np.abs(bias).reshape(shape), relative=3)
            old_mean, old_variance = self._running
            correction = self._m / max(self._m - 1, 1)
            return [
                Expectation(y, values, error),
                Expectation(self._mean, batch.mean, mean_error),
                Expectation(self._inverse, batch.inverse_deviation, inverse_error),
                Expectation(
                    self.running_mean,
                    (1 - factor) * old_mean + factor * batch.mean,
                    mean_error + close_to(np.abs(old_mean) + np.abs(batch.mean), relative=3),
                ),
                Expectation(
                    self.running_variance,
                    (1 - factor) * old_variance + factor * batch.unbiased_variance,
                    correction * variance_error + close_to(old_variance + batch.unbiased_variance, relative=4),
                ),
            ]

        return [Primitive("BnFwd", "forward", operation, self.inputs, expected, before)]

    def _backward(self, dy: DeviceArray, wanted: bool) -> list[Primitive]:
        """Return BnBwd, which computes the batch's statistics again where they were not to be saved."""
        (x,), target = self.inputs, self.new_input_gradient()  # the parameters' gradients come with it
        layer = self._layer
        for name in self.parameters:
            self.gradients[name] = self.empty(self.parameters[name].shape, f"{name} gradient")
        operation = self.operation("BnBwd")
        if not layer.save_intermediates:
            operation.launch(
                f"{self._kernel}_statistics",
                {
                    "x": x,
                    "mean": self._mean,
                    "inverse_deviation": self._inverse,
                    **self._extents,
                    "epsilon": layer.epsilon,
                },
            )
        operation.launch(
            f"{self._kernel}_backward",
            {
                "x": x,
                "dy": dy,
                "gain": self._gain,
                "mean": self._mean,
                "inverse_deviation": self._inverse,
                "dx": target,
                "dgain": self.gradients["gain"],
                "dbias": self.gradients["bias"],
                **self._extents,
            },
        )

        def expected() -> list[Expectation]:
            inside, gradient, gain = x.numpy(), dy.numpy(), self._gain.numpy()
            values, dgain, dbias = reference.batchnorm_backward(
                inside, gradient, gain, layer.epsilon, spatial=self._spatial
            )
            axes = (0, 2, 3) if self._spatial else (0,)
            shape = (1, -1, 1, 1) if self._spatial else (1, *gain.shape)
            x64, g64 = inside.astype(np.float64), np.abs(gradient).astype(np.float64)
            mean = x64.mean(axis=axes, keepdims=True)
            inverse = 1 / np.sqrt(((x64 - mean) ** 2).mean(axis=axes, keepdims=True) + layer.epsilon)
            # x̂ is off by the mean's error and by its own rounding, in units of the deviation.
            terms = self._terms()
            mean_magnitude = np.abs(x64).mean(axis=axes, keepdims=True)
            normal = np.abs(x64 - mean) * inverse
            off = close_to(
                (np.abs(x64) + mean_magnitude * (terms / 2 + 2)) * inverse + normal * (terms / 2 + 6), relative=2
            )
            sum_error = close_to(g64.sum(axis=axes, keepdims=True), relative=terms / 2 + 2)
            product_error = close_to((g64 * normal).sum(axis=axes, keepdims=True), relative=terms / 2 + 4) + (
                g64 * off
            ).sum(axis=axes, keepdims=True)
            wide = np.abs(gain).reshape(shape) * inverse
            dgain_wide = np.abs(dgain).reshape(shape)
            error = wide * (
                (sum_error + normal * product_error + off * dgain_wide) / self._m
                + close_to(g64 + (np.abs(dbias).reshape(shape) + normal * dgain_wide) / self._m, relative=6 + terms / 2)
            )
            return [
                Expectation(target, values, error),
                Expectation(self.gradients["gain"], dgain, product_error.reshape(gain.shape)),
                Expectation(self.gradients["bias"], dbias, sum_error.reshape(gain.shape)),
            ]

        return [Primitive("BnBwd", "backward", operation, (dy,), expected)]
