"""Python side of the co-simulation: sessions, device arrays, layers, results and the `spartan` command."""
