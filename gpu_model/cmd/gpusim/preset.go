package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spartan-cosim/spartan-cosim/gpu_model/gpuconfig"
)

const presetUsage = `usage: gpusim gpu [--file FILE] [--set KEY=VALUE]... [PRESET]

Prints as JSON the parameters of a GPU with value, unit, source and description, after checking them: a preset, or a
TOML file that begins from one, changed by --set. Without any of these it lists the presets.
`

// printPreset is the gpu command.
func printPreset(arguments []string) int {
	var file string
	var set []string
	flags := flag.NewFlagSet("gpu", flag.ContinueOnError)
	flags.StringVar(&file, "file", "", "")
	flags.Func("set", "", func(text string) error {
		set = append(set, text)
		return nil
	})
	names, err := parseMixed(flags, arguments)
	if err == flag.ErrHelp {
		fmt.Print(presetUsage)
		return 0
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err == nil && len(names) == 0 && file == "" && len(set) == 0 {
		list := []map[string]string{}
		for _, name := range gpuconfig.Presets() {
			list = append(list, map[string]string{"name": name, "description": gpuconfig.Describe(name)})
		}
		_ = encoder.Encode(list)
		return 0
	}
	var spec gpuconfig.Spec
	if err == nil {
		spec, err = gpuOf(names, file, set)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gpusim gpu: %v\n", err)
		return 2
	}
	_ = encoder.Encode(spec.List())
	return 0
}

// gpuOf returns the parameters that the command line asks for.
func gpuOf(names []string, file string, set []string) (spec gpuconfig.Spec, err error) {
	switch {
	case len(names) > 1 || len(names) == 1 && file != "":
		return spec, fmt.Errorf("expected one preset or --file, got %d presets", len(names))
	case file != "":
		spec, err = load(file)
	case len(names) == 1:
		spec, err = gpuconfig.Preset(names[0])
	default:
		spec, err = gpuconfig.Preset("r9nano")
	}
	if err != nil {
		return spec, err
	}
	for _, text := range set {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return spec, fmt.Errorf("expected --set KEY=VALUE, got %q", text)
		}
		if err := spec.Set(key, value); err != nil {
			return spec, err
		}
	}
	return spec, spec.Validate()
}

// load reads a TOML file of GPU parameters.
func load(file string) (gpuconfig.Spec, error) {
	f, err := os.Open(file)
	if err != nil {
		return gpuconfig.Spec{}, fmt.Errorf("the GPU parameters can't be read: %w", err)
	}
	defer f.Close()
	document, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return gpuconfig.Spec{}, fmt.Errorf("the GPU parameters can't be read: %w", err)
	}
	return gpuconfig.Load(file, string(document))
}
