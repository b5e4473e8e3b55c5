// Package probe measures which instructions upstream executes as the ISA documentation says: each in a small kernel of its own, on random
// inputs, against our executor. It makes gpu_model/upstream/opcodes.tsv.
package probe
