"""Inputs of experiments: network shapes and density tables with their source, and synthetic sparse tensors."""

from bridge.data.synthetic import Pattern, sparse_tensor
from bridge.data.tables import ConvolutionLayer, DensityTable, Network, load_densities, load_network

__all__ = [
    "ConvolutionLayer",
    "DensityTable",
    "Network",
    "Pattern",
    "load_densities",
    "load_network",
    "sparse_tensor",
]
