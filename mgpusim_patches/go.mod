module github.com/spartan-cosim/spartan-cosim/mgpusim_patches

go 1.25

require (
	github.com/sarchlab/akita/v4 v4.9.0
	github.com/sarchlab/mgpusim/v4 v4.2.0
	github.com/spartan-cosim/spartan-cosim/gpu_model v0.0.0
)

replace github.com/spartan-cosim/spartan-cosim/gpu_model => ../gpu_model
