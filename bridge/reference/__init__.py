"""References in float64 numpy that the results of kernels are compared with; nothing here uses a kernel or a unit."""
