"""Float64 references of every layer in numpy: what a device result is compared with, sharing no code with the kernels.

Each module has forward and backward functions on NCHW arrays; inputs of any float type are computed in float64.
"""
