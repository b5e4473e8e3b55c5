"""Winograd convolution F(2×2, 3×3): the stronger dense baseline for 3 × 3 filters of stride 1."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.array import DeviceArray
from bridge.errors import ConfigurationError
from bridge.layers.conv.shape import ConvolutionShape
from bridge.layers.operation import Operation
from bridge.session import CoSimulation

__all__ = ["WinogradFilters", "takes_winograd", "winograd"]

_POINTS = 16
_ROWS = (32, 16, 8)
"""Rows of the GEMM kernels' blocks."""

_WAVES = 4
_ENOUGH_WAVEFRONTS = 512


def takes_winograd(shape: ConvolutionShape, phase: str) -> bool:
    """Return whether the phase can be computed this way."""
    plain = (shape.stride_h, shape.stride_w, shape.dilation_h, shape.dilation_w) == (1, 1, 1, 1)
    outputs = shape.group_filters if phase == "forward" else shape.group_channels
    padded = shape.pad_h <= 2 and shape.pad_w <= 2
    three = (shape.filter_height, shape.filter_width) == (3, 3)
    return phase in ("forward", "data_gradient") and plain and three and padded and outputs >= _ROWS[-1]


class WinogradFilters:
    """Filters of one phase, transformed: per group 16 × inputs × outputs. Made once per weight update."""

    def __init__(
        self, session: CoSimulation, shape: ConvolutionShape, filters: DeviceArray, phase: str, name: str
    ) -> None:
        """Transform the filters (FCRS).

        Raises:
            ConfigurationError: where the phase can't be computed this way.
        """
        if not takes_winograd(shape, phase):
            raise ConfigurationError(
                f"{name} {phase}: F(2×2, 3×3) takes the forward pass and data gradient of 3 × 3 filters with stride 1, "
                "dilation 1, padding up to 2 and 8 outputs or more a group"
            )
        forward = phase == "forward"
        F, C = shape.group_filters, shape.group_channels
        self.phase = phase
        self.outputs, self.inputs = (F, C) if forward else (C, F)
        self._operation = Operation(session, f"{name} {phase} winograd filters")
        self.transformed = self._operation.empty((shape.groups, _POINTS, self.inputs, self.outputs), "u")
        for group in range(shape.groups):
            self._operation.launch(
                "winograd_filter",
                {
                    "w": filters.address + group * F * C * 9 * 4,
                    "u": self.transformed.address + group * _POINTS * F * C * 4,
                    "outputs": self.outputs,
                    "inputs": self.inputs,
                    "output_stride": 9 * C if forward else 9,
                    "input_stride": 9 if forward else 9 * C,
                    "flip": int(not forward),
                },
            )
        self._operation.run()

    def close(self) -> None:
        """Free the filters."""
        self._operation.close()


@dataclass(frozen=True)
class _Extents:
    """Of the convolution that the phase is: input and output planes, padding, tiles of 2 × 2 outputs."""

    height: int
    width: int
    out_height: int
    out_width: int
    pad_h: int
    pad_w: int

    @property
    def tiles_down(self) -> int:
        return -(-self.out_height // 2)

    @property
    def tiles_across(self) -> int:
        return -(-self.out_width // 2)


def winograd(
    phase: str,
    session: CoSimulation,
    name: str,
    shape: ConvolutionShape,
    *,
    filters: WinogradFilters,
    x: DeviceArray,
    bias: DeviceArray | None = None,
) -> Operation:
    """Return the operation of a phase: `x` is the input, or dY (with the ReLU's mask applied) for the data gradient."""
    forward = phase == "forward"
    if filters.phase != phase:
        raise ConfigurationError(f"{name} {phase}: these filters were transformed for the {filters.phase}")
    e = (
        _Extents(shape.height, shape.width, shape.out_height, shape.out_width, shape.pad_h, shape.pad_w)
        if forward
        else _Extents(shape.out_height, shape.out_width, shape.height, shape.width, 2 - shape.pad_h, 2 - shape.pad_w)
    )
    operation = Operation(session, f"{name} {phase} winograd")
    output = operation.output = operation.empty(shape.output_shape if forward else shape.input_shape, "result")
    tiles = shape.images * e.tiles_down * e.tiles_across
    C, F = filters.inputs, filters.outputs
    v, m = operation.empty((_POINTS, C, tiles), "v"), operation.empty((_POINTS, F, tiles), "m")
    fitting = [rows for rows in _ROWS if rows <= F]
    rows = next((r for r in fitting if _POINTS * -(-F // r) * -(-tiles // 64) >= _ENOUGH_WAVEFRONTS), fitting[-1])
    # A slice of K is one of the 16 points, so the "partial results" are their products.
    gemm = {"b": v, "c": m, "bias": None, "M": F, "N": tiles, "K": _POINTS * C, "lda": F, "ldb": tiles}
    gemm |= {"c_row_stride": tiles, "c_column_stride": 1, "c_image_stride": 0, "pixels": tiles}
    gemm |= {"k_slice": C, "c_slice_stride": F * tiles, "waves": _WAVES, "slice_shift": 0}
    gemm |= {"whole_rows": 0, "whole_slice": C, "partial": m}
    down = -(-F // rows)
    column_shift = 0 if down >= _WAVES else 2 if down == 1 else 1
    gemm |= {"column_shift": column_shift, "split_rows": -(-down // (_WAVES >> column_shift))}
    grid = {"tiles": tiles, "tiles_down": e.tiles_down, "tiles_across": e.tiles_across}
    for group in range(shape.groups):
        operation.launch(
            "winograd_input",
            {"x": x, "v": v, **grid, "channels": C, "all_channels": C * shape.groups, "channel0": group * C,
             "height": e.height, "width": e.width, "pad_h": e.pad_h, "pad_w": e.pad_w},
        )  # fmt: skip
        a = filters.transformed.address + group * _POINTS * C * F * 4
        operation.launch(f"gemm_scalar_{rows}x64", {"a": a, **gemm})
        operation.launch(
            "winograd_output",
            {"m": m, "bias": bias, "y": output, **grid, "filters": F, "all_filters": F * shape.groups,
             "filter0": group * F, "height": e.out_height, "width": e.out_width},
        )  # fmt: skip
    return operation
