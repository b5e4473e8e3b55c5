package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

// printPreset prints a preset's parameters with value, unit, source and description; without a name, the presets' names.
func printPreset(arguments []string) int {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if len(arguments) == 0 {
		_ = encoder.Encode(gpuconfig.Presets())
		return 0
	}
	spec, err := gpuconfig.Preset(arguments[0])
	if err != nil {
		fmt.Fprintf(os.Stderr, "gpusim gpu: %v\n", err)
		return 2
	}
	_ = encoder.Encode(spec.List())
	return 0
}
