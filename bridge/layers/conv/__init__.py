"""Convolution on the simulated GPU: forward, data gradient and filter gradient, each dense and with Spartan.

Arrays are float32 NCHW; filters are FCRS. docs/kernels.md describes the data paths. Filters in the layouts that the
GEMMs want are made once per weight update by `FilterLayouts`, for both sides alike, and are not part of an operation.
"""

from bridge.layers.conv.dense import dense
from bridge.layers.conv.dense_view import dense_through_view, takes_dense_through_view
from bridge.layers.conv.pieces import FilterLayouts, gradient_view
from bridge.layers.conv.shape import PHASES, ConvolutionShape
from bridge.layers.conv.spartan import spartan
from bridge.layers.conv.winograd import WinogradFilters, takes_winograd, winograd

__all__ = [
    "PHASES",
    "ConvolutionShape",
    "FilterLayouts",
    "WinogradFilters",
    "dense",
    "dense_through_view",
    "gradient_view",
    "spartan",
    "takes_dense_through_view",
    "takes_winograd",
    "winograd",
]
