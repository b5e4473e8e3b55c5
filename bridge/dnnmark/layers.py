"""The layers that a `.dnnmark` file can describe, with DNNMark's keys, values and defaults.

Every class says in `section` which heading it answers to and in `output_shape` what it makes of an NCHW input. Keys
marked *ours* are not part of DNNMark's format.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

__all__ = [
    "LAYERS",
    "LRN",
    "Activation",
    "Add",
    "BatchNorm",
    "Bypass",
    "Convolution",
    "Dropout",
    "FullyConnected",
    "GlobalAveragePooling",
    "Layer",
    "Pooling",
    "Shape",
    "Softmax",
]

Shape = tuple[int, int, int, int]

Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
Preference = Literal["no_workspace", "fastest", "specify_workspace_limit"]
# Names that DNNMark passes to cuDNN or MIOpen; here they choose nothing.
Algorithm = Literal["", "0", "1", "3", "auto", "autoex", "cudnn", "fft", "fft_tiling", "winograd", "winograd_nonfused"]


def _boolean(value: object) -> object:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Boolean = Annotated[Literal[True, False], BeforeValidator(_boolean)]


class Layer(BaseModel):
    """What all layers have.

    Attributes:
        name: unique in the file; where the file gives none, the section and a number.
        n, c, h, w: extents of the input, NCHW; 0 (not given) for a layer that follows another.
        previous_layer: the layer whose output is the input, or null.
        density: ours: the input is drawn anew with this fraction of non-zeros, whatever the previous layer made.
        gradient_density: ours: the same for the gradient that arrives at the output.
        trace: ours: a trace file that holds the layer's input, and where it has them weights and gradient.
        line: line of the section's heading.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    section: ClassVar[str]
    # A key that stands for two others, in DNNMark's order: a later kernel_size_h overrides an earlier kernel_size.
    pairs: ClassVar[dict[str, tuple[str, str]]] = {}

    name: str = ""
    n: Size = 0
    c: Size = 0
    h: Size = 0
    w: Size = 0
    previous_layer: str | None = None
    density: Annotated[float, Field(ge=0, le=1)] | None = None
    gradient_density: Annotated[float, Field(ge=0, le=1)] | None = None
    trace: str | None = None
    line: int = 0

    @property
    def input_given(self) -> bool:
        """Whether the file states all extents of the input."""
        return 0 not in (self.n, self.c, self.h, self.w)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the NCHW shape of the output for an input of `shape`.

        Raises:
            ValueError: where the layer does not fit the input; one sentence.
        """
        return shape


class _Window(Layer):
    pairs: ClassVar[dict[str, tuple[str, str]]] = {
        "kernel_size": ("kernel_size_h", "kernel_size_w"),
        "pad": ("pad_h", "pad_w"),
        "stride": ("stride_h", "stride_w"),
    }


class Convolution(_Window):
    """A convolution; with `conv_mode = convolution` the filters are rotated by 180°, as cuDNN does it.

    `algo`, `algod` and the preferences are DNNMark's wishes to its library: accepted, checked, without effect.
    """

    section: ClassVar[str] = "Convolution"
    pairs: ClassVar[dict[str, tuple[str, str]]] = {**_Window.pairs, "dilation": ("dilation_h", "dilation_w")}

    conv_mode: Literal["cross_correlation", "convolution"] = "cross_correlation"
    propagation: Boolean = True
    num_output: Count = 32
    kernel_size_h: Count = 5
    kernel_size_w: Count = 5
    pad_h: Size = 2
    pad_w: Size = 2
    stride_h: Count = 1
    stride_w: Count = 1
    algo: Algorithm = ""
    algod: Algorithm = ""
    conv_fwd_pref: Preference = "fastest"
    conv_bwd_filter_pref: Preference = "fastest"
    conv_bwd_data_pref: Preference = "fastest"
    groups: Count = 1
    dilation_h: Count = 1
    dilation_w: Count = 1
    bias: Boolean = False

    def output_shape(self, shape: Shape) -> Shape:
        """Return N × num_output × P × Q."""
        n, c, h, w = shape
        if c % self.groups or self.num_output % self.groups:
            raise ValueError(
                f"groups = {self.groups} must divide the {c} input channels and num_output = {self.num_output}"
            )
        p = (h + 2 * self.pad_h - self.dilation_h * (self.kernel_size_h - 1) - 1) // self.stride_h + 1
        q = (w + 2 * self.pad_w - self.dilation_w * (self.kernel_size_w - 1) - 1) // self.stride_w + 1
        if p < 1 or q < 1:
            raise ValueError(
                f"a filter of {self.kernel_size_h} × {self.kernel_size_w} does not fit an input of {h} × {w} "
                f"with padding {self.pad_h} × {self.pad_w}"
            )
        return n, self.num_output, p, q


class Pooling(_Window):
    """Pooling; `avg` is MIOpen's name for avg_exclude_padding.

    `rounding` (ours) says what happens to a last window that does not fit: "up" cuts it off, as DNNMark and Caffe do,
    "down" leaves it out, as most networks of today are defined.
    """

    section: ClassVar[str] = "Pooling"

    pool_mode: Literal["max", "avg", "avg_include_padding", "avg_exclude_padding"] = "max"
    kernel_size_h: Count = 3
    kernel_size_w: Count = 3
    pad_h: Size = 0
    pad_w: Size = 0
    stride_h: Count = 2
    stride_w: Count = 2
    rounding: Literal["up", "down"] = "up"

    def output_shape(self, shape: Shape) -> Shape:
        """Return N × C × P × Q; no window begins beyond the input and its leading padding."""
        n, c, h, w = shape
        if self.pad_h >= self.kernel_size_h or self.pad_w >= self.kernel_size_w:
            raise ValueError(
                f"padding {self.pad_h} × {self.pad_w} must be smaller than the window of "
                f"{self.kernel_size_h} × {self.kernel_size_w}"
            )
        up = self.rounding == "up"
        p = _pooled(h, self.kernel_size_h, self.pad_h, self.stride_h, up=up)
        q = _pooled(w, self.kernel_size_w, self.pad_w, self.stride_w, up=up)
        return n, c, p, q


def _pooled(extent: int, window: int, pad: int, stride: int, *, up: bool) -> int:
    # DNNMark's rule, which is Caffe's. A window larger than the padded input is cut off, and stays one window.
    rest = (extent + 2 * pad - window) / stride
    out = max(math.ceil(rest) if up else math.floor(rest), 0) + 1
    if (out - 1) * stride >= extent + pad:
        out -= 1
    return out


class LRN(Layer):
    """Local response normalisation."""

    section: ClassVar[str] = "LRN"

    lrn_mode: Literal["cross_channel_dim1", "within_channel"] = "cross_channel_dim1"
    local_size: Count = 5
    alpha: float = 0.0001
    beta: float = 0.75
    k: Annotated[float, Field(gt=0)] = 2.0


class Activation(Layer):
    """An activation; `ceiling` (ours) is where clipped_relu clips, since DNNMark's own 0 would clip everything."""

    section: ClassVar[str] = "Activation"

    activation_mode: Literal["relu", "sigmoid", "tanh", "clipped_relu", "soft_relu"] = "relu"
    ceiling: Annotated[float, Field(gt=0)] = 6.0


class FullyConnected(Layer):
    """A fully connected layer over all of C, H and W."""

    section: ClassVar[str] = "FullyConnected"

    num_output: Count = 4096
    bias: Boolean = False

    def output_shape(self, shape: Shape) -> Shape:
        """Return N × num_output × 1 × 1."""
        return shape[0], self.num_output, 1, 1


class Softmax(Layer):
    """Softmax over all of an image (instance) or over its channels at every pixel (channel)."""

    section: ClassVar[str] = "Softmax"

    softmax_algo: Literal["fast", "accurate", "log"] = "accurate"
    softmax_mode: Literal["instance", "channel"] = "channel"


class BatchNorm(Layer):
    """Batch normalisation in training; DNNMark wants epsilon ≥ 1e-5, cuDNN's least."""

    section: ClassVar[str] = "BatchNorm"

    batchnorm_mode: Literal["per_activation", "spatial"] = "per_activation"
    save_intermediates: Boolean = True
    exp_avg_factor: Annotated[float, Field(ge=0, le=1)] = 1.0
    epsilon: Annotated[float, Field(ge=1e-5)] = 1e-5


class Dropout(Layer):
    """Dropout; what is kept is scaled by 1 / (1 − dropout_probability)."""

    section: ClassVar[str] = "Dropout"

    dropout_probability: Annotated[float, Field(ge=0, lt=1)] = 0.5
    random_seed: Annotated[int, Field(ge=0, lt=2**64)] = 0


class Bypass(Layer):
    """Output = input."""

    section: ClassVar[str] = "Bypass"


class Add(Layer):
    """Ours: the sum of two layers' outputs, a residual connection."""

    section: ClassVar[str] = "Add"

    residual_layer: str | None = None


class GlobalAveragePooling(Layer):
    """Ours: the mean of each channel's plane."""

    section: ClassVar[str] = "GlobalAveragePooling"

    def output_shape(self, shape: Shape) -> Shape:
        """Return N × C × 1 × 1."""
        return shape[0], shape[1], 1, 1


LAYERS: dict[str, type[Layer]] = {
    layer.section: layer
    for layer in (
        Convolution,
        Pooling,
        LRN,
        Activation,
        FullyConnected,
        Softmax,
        BatchNorm,
        Dropout,
        Bypass,
        Add,
        GlobalAveragePooling,
    )
}
"""Section heading → layer class."""
