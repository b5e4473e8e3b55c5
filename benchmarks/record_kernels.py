"""Launches the kernels that upstream MGPUSim executes, on small layers, so that each can be recorded as a capsule.

spartan capsule record DIR --script benchmarks/record_kernels.py --each-kernel
spartan compare-backends DIR/*
"""

from __future__ import annotations

import numpy as np

from bridge import CoSimulation
from bridge.dnnmark import Network, parse_text
from bridge.layers import conv
from bridge.layers.network import DeviceNetwork

EXTENTS = "n=2\nc=8\nh=12\nw=12\n"
LAYERS = [
    "[Convolution]\nnum_output=16\nkernel_size=3\npad=1\nbias=true",
    "[Activation]\nactivation_mode=relu",
    "[Activation]\nactivation_mode=clipped_relu\nceiling=0.7",
    "[Pooling]\npool_mode=max\nkernel_size=2\nstride=2",
    "[Pooling]\npool_mode=avg_include_padding\nkernel_size=2\nstride=2",
    "[BatchNorm]\nbatchnorm_mode=spatial",
    "[BatchNorm]\nbatchnorm_mode=per_activation",
    "[Dropout]\ndropout_probability=0.4\nrandom_seed=3",
    "[Add]",
    "[GlobalAveragePooling]",
    "[FullyConnected]\nnum_output=40\nbias=true",
]


def main() -> None:
    """Run every layer forward and backward, and the kernels that no layer of this size takes."""
    with CoSimulation(kernels="portable", mode="functional") as session:
        for layer in LAYERS:
            section, _, rest = layer.partition("\n")
            text = f"[DNNMark]\nrun_mode=standalone\n{section}\nname=layer\n{EXTENTS}{rest}\n"
            run(session, Network.from_description(parse_text(text, "this script")))
        rng = np.random.default_rng(1)
        gemms(session, rng)
        sparse(session, rng)
        x = session.array(rng.standard_normal(5000).astype(np.float32) * (rng.random(5000) < 0.5), name="x")
        counts = session.empty(5, np.uint32, name="counts")
        session.launch("zero_count", args={"x": x, "counts": counts, "n": 5000})
        y = session.empty(5000, name="y")
        session.launch("relu_forward_count", args={"x": x, "y": y, "counts": counts, "n": 5000})
        session.launch("copy", args={"x": x, "y": y, "n": 5000})


def run(session: CoSimulation, network: Network) -> None:
    """Run a network's passes once, and verify them."""
    with DeviceNetwork(session, network, seed=3) as device:
        for placed in (*device.forward, *device.backward):
            placed.primitive.before()
            placed.primitive.operation.run()
            checked = placed.primitive.verify()
            assert checked.passed, checked.message


def sparse(session: CoSimulation, rng: np.random.Generator) -> None:
    """Run a convolution over tiles that the software conversion makes."""
    shape = conv.ConvolutionShape(1, 8, 12, 12, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1)
    x = rng.standard_normal((1, 8, 12, 12)).astype(np.float32) * (rng.random((1, 8, 12, 12)) < 0.4)
    filters = session.array(rng.standard_normal(shape.filter_shape).astype(np.float32), name="w")
    layouts = conv.FilterLayouts(session, shape, filters, "sparse")
    with conv.spartan("forward", session, "sparse", shape, x=session.array(x, name="x"), layouts=layouts) as operation:
        operation.run()


def gemms(session: CoSimulation, rng: np.random.Generator) -> None:
    """Launch the dense GEMMs of all layouts on 70 × 90 × 40."""
    M, N, K = 70, 90, 40
    a = session.array(rng.standard_normal(M * K).astype(np.float32), name="a")
    b = session.array(rng.standard_normal(K * N).astype(np.float32), name="b")
    for name, lda, ldb in (("gemm_nn", K, N), ("gemm_nt", K, K), ("gemm_tn", M, N)):
        c = session.empty((M, N), name="c")
        session.launch(name, args={"a": a, "b": b, "c": c, "M": M, "N": N, "K": K, "lda": lda, "ldb": ldb, "ldc": N})


main()
