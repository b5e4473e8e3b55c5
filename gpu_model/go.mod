module github.com/spartan-cosim/spartan-cosim/gpu_model

go 1.24
