"""The extents of a convolution."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.errors import ConfigurationError

__all__ = ["PHASES", "ConvolutionShape"]

PHASES = ("forward", "data_gradient", "filter_gradient")
"""The three GEMMs of a convolution in training."""


@dataclass(frozen=True)
class ConvolutionShape:
    """Extents of a convolution; every `_h`/`_w` pair is along height and width.

    Raises:
        ConfigurationError: for extents that give no output, or groups that do not divide the channels.
    """

    images: int
    channels: int
    height: int
    width: int
    filters: int
    filter_height: int
    filter_width: int
    stride_h: int = 1
    stride_w: int = 1
    pad_h: int = 0
    pad_w: int = 0
    dilation_h: int = 1
    dilation_w: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        if self.out_height < 1 or self.out_width < 1:
            raise ConfigurationError(
                f"a convolution of {self.height} × {self.width} with filters of {self.filter_height} × "
                f"{self.filter_width} and padding {self.pad_h}, {self.pad_w} has no output"
            )
        if self.channels % self.groups or self.filters % self.groups:
            raise ConfigurationError(
                f"{self.groups} groups must divide {self.channels} channels and {self.filters} filters"
            )

    @property
    def out_height(self) -> int:
        """Output rows."""
        return (self.height + 2 * self.pad_h - self.dilation_h * (self.filter_height - 1) - 1) // self.stride_h + 1

    @property
    def out_width(self) -> int:
        """Output columns."""
        return (self.width + 2 * self.pad_w - self.dilation_w * (self.filter_width - 1) - 1) // self.stride_w + 1

    @property
    def pixels(self) -> int:
        """Output pixels of an image."""
        return self.out_height * self.out_width

    @property
    def outputs(self) -> int:
        """J: output pixels of all images."""
        return self.images * self.pixels

    @property
    def window(self) -> int:
        """Taps of one channel."""
        return self.filter_height * self.filter_width

    @property
    def taps(self) -> int:
        """T: taps of one group's filters."""
        return self.channels // self.groups * self.window

    @property
    def group_filters(self) -> int:
        """Filters of one group."""
        return self.filters // self.groups

    @property
    def group_channels(self) -> int:
        """Channels of one group."""
        return self.channels // self.groups

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """NCHW of X."""
        return self.images, self.channels, self.height, self.width

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """NCHW of Y."""
        return self.images, self.filters, self.out_height, self.out_width

    @property
    def filter_shape(self) -> tuple[int, int, int, int]:
        """FCRS of W."""
        return self.filters, self.group_channels, self.filter_height, self.filter_width

    @property
    def macs(self) -> int:
        """Multiply-adds of one phase, taps in the padding included."""
        return self.filters * self.taps * self.outputs
