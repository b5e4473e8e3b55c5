module github.com/spartan-cosim/spartan-cosim/gpu_model

go 1.24

require (
	github.com/BurntSushi/toml v1.4.0
	github.com/klauspost/compress v1.18.0
	github.com/zeebo/xxh3 v1.0.2
	golang.org/x/sys v0.33.0
	google.golang.org/grpc v1.75.1
	google.golang.org/protobuf v1.36.10
)

require (
	github.com/klauspost/cpuid/v2 v2.0.9 // indirect
	golang.org/x/net v0.41.0 // indirect
	golang.org/x/text v0.26.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250707201910-8d1bb00bc6a7 // indirect
)
