// Command gpusim is the GPU model: a gRPC server for co-simulation, and tools on the instruction set.
package main

import "fmt"

func main() { fmt.Println("gpusim") }
