module github.com/spartan-cosim/spartan-cosim/gpu_model

go 1.24

require github.com/BurntSushi/toml v1.4.0 // indirect
