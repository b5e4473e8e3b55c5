"""One convolution and its ReLU on the simulated GPU, dense and with Spartan: `python examples/photo_layer.py`."""

import numpy as np

from bridge import CoSimulation, default_choices
from bridge.layers.conv import ConvolutionShape, FilterLayouts, dense, spartan
from bridge.reference.convolution import compare, expected

shape = ConvolutionShape(images=1, channels=32, height=28, width=28, filters=64, filter_height=3, filter_width=3,
                         pad_h=1, pad_w=1)  # fmt: skip
random = np.random.default_rng(0)
x = np.maximum(random.standard_normal(shape.input_shape) - 0.3, 0).astype(np.float32)  # as after a ReLU
w = random.standard_normal(shape.filter_shape).astype(np.float32)

with CoSimulation(gpu="r9nano", units=list(default_choices().values())) as sim:
    on_device = sim.array(x, name="x")
    layouts = FilterLayouts(sim, shape, sim.array(w, name="w"), "layer")
    cycles = {}
    for variant in (dense, spartan):
        with variant("forward", sim, "layer", shape, x=on_device, layouts=layouts) as operation:
            operation.run()  # warm caches and TLBs
            cycles[variant.__name__] = operation.run().cycles
            correct, error = compare(operation.output.numpy(), expected("forward", shape, x=x, w=w))
            print(f"{variant.__name__}: {cycles[variant.__name__]:,} cycles, largest error {error:.1e}, {correct=}")
    print(f"density {np.mean(x != 0):.2f}, speedup {cycles['dense'] / cycles['spartan']:.2f}")

    # A kernel of one's own: load the code object, launch it with grid, work-group and arguments.
    y = sim.empty(x.shape, name="y")
    relu = sim.kernel("relu_forward")  # or sim.load("file.hsaco")["name"]
    launch = sim.launch(relu, grid=(-(-x.size // 1024) * 256,), workgroup=(256,), args=(on_device, y, x.size))
    print(f"ReLU: {launch.cycles:,} cycles, {launch.instructions:,} wavefront instructions")
