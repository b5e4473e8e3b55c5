// Package gpuconfig holds the parameters of the GPU model: presets, TOML files and single overrides, each parameter with its
// unit, its source and the rule it must satisfy. A Spec is plain data; nothing in it changes while a GPU runs.
package gpuconfig
